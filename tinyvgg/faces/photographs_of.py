"""The photographs of whichever source."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tinyvgg.faces.folder import Listing, list_classes, list_table
from tinyvgg.faces.london import list_london
from tinyvgg.faces.rafd import list_rafd
from tinyvgg.faces.sources import LONDON, RAFD, Source

_READERS: Mapping[str, Callable[[Path], Listing]] = {RAFD: list_rafd, LONDON: list_london}


def list_photographs(source: Source) -> Listing:
    """The photographs of a source, none of which is opened.

    Raises:
        UserError: a folder or table that is missing, empty, or has too little to train on.
    """
    if source.is_table:
        return list_table(source.path)
    return _READERS.get(source.kind, list_classes)(source.path)
