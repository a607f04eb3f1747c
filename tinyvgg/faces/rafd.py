"""The folder of the Radboud Faces Database as it is published, checked against its design.

Langner et al. (2010) describe it: 67 subjects, 8 emotions, 3 gazes and 5 cameras, each combination
once, in files such as ``Rafd090_01_Caucasian_female_angry_frontal.jpg``.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

from tinyvgg.errors import UserError
from tinyvgg.faces.folder import LeftOut, Listing, Photograph, Value, listing, walk
from tinyvgg.faces.sources import some, synthfaces

USED_ANGLES = (45, 90, 135)  # the paper's; the others are full profiles

_LEVELS = synthfaces.RAFD_LEVELS
_DESIGN = ("subject", "emotion", "gaze", "angle")


def list_rafd(folder: Path) -> Listing:
    """List the images of the database, sorted by subject, emotion, gaze and angle.

    Sub-folders do not matter. A file whose name is not one of the database's is left out with the
    reason, and so is a second image of the same shot. Shots of the design that the folder lacks are
    listed as missing.
    """
    seen = walk(folder)
    named = seen.named(lambda path: synthfaces.read_rafd_name(Path(path).name))
    first: dict[tuple[Value, ...], str] = {}
    agreed: list[Photograph] = []
    for one in sorted(named, key=lambda one: (_shot(one), one.path)):
        if (other := first.setdefault(_shot(one), one.path)) == one.path:
            agreed.append(one)
        else:
            seen.left_out.append(LeftOut(one.path, f"shows the same shot as {other}"))
    used = [one for one in agreed if one.known["angle"] in USED_ANGLES]
    if not used:
        raise UserError(
            f"folder {str(folder)!r} has no image of the database at "
            f"{', '.join(map(str, USED_ANGLES))} degrees; they are named like "
            "Rafd090_01_Caucasian_female_angry_frontal.jpg"
        )
    beyond = [one for one in agreed if one.known["angle"] not in USED_ANGLES]
    return listing(
        folder, used, sorted(seen.left_out), [*_missing(agreed)], beyond, reading=seen.beside
    )


def _shot(photograph: Photograph) -> tuple[Value, ...]:
    return tuple(photograph.known[name] for name in _DESIGN)


def _missing(found: Iterable[Photograph]) -> Iterator[str]:
    """Yield a line for each subject's missing shots, and one for levels that no subject has."""
    have = {_shot(photograph) for photograph in found}
    kept = []
    for name, there in zip(_DESIGN, map(set, zip(*have, strict=True)), strict=False):
        kept.append([level for level in _LEVELS[name] if level in there])
        gone = [str(level) for level in _LEVELS[name] if level not in there]
        if gone:
            yield f"{name}: {len(gone)} of {len(_LEVELS[name])} are missing ({some(gone)})"
    absent = defaultdict(list)
    for shot in product(*kept):
        if shot not in have:
            absent[shot[0]].append(" ".join(map(str, shot[1:])))
    for subject, shots in absent.items():
        yield f"subject {subject}: {some(shots)}"
