"""The photographs of whichever source."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tinyvgg.photographs.classes import list_classes
from tinyvgg.photographs.listing import Listing
from tinyvgg.photographs.london import list_london
from tinyvgg.photographs.rafd import list_rafd
from tinyvgg.photographs.tables import list_table
from tinyvgg.sources import LONDON, RAFD, Source

_READERS: Mapping[str, Callable[[Path], Listing]] = {RAFD: list_rafd, LONDON: list_london}


def list_photographs(source: Source) -> Listing:
    """The photographs of a source, none of which is opened.

    Raises:
        UserError: a folder or table that is missing, empty, or has too little to train on.
    """
    if source.is_table:
        return list_table(source.path)
    return _READERS.get(source.kind, list_classes)(source.path)
