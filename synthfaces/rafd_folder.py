"""What a folder of synthetic faces in RaFD's form says of itself, and which folders may be used.

Photographs of people and synthetic faces have the same names, so that a folder is written to only
where it is new or empty, or where a file in it says that the same faces were written there before.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from tinyvgg.errors import UserError
from tinyvgg.files import remove_leftovers, write_whole

MANIFEST, README = "synthetic.json", "README.txt"
_ENDS_WITH = b"\xff\xd9"
_ABOUT = """\
Synthetic faces in the form of RaFD
===================================

None of these images shows a person. tinyvgg rendered them from a computer model of a head;
the shapes, colours and names of the subjects were drawn at random. They are not part of the
Radboud Faces Database, and no image of it went into them. Only the form is taken over from it:

    Langner, O., Dotsch, R., Bijlstra, G., Wigboldus, D. H. J., Hawk, S. T., & van Knippenberg, A.
    (2010). Presentation and validation of the Radboud Faces Database. Cognition & Emotion, 24(8),
    1377-1388.

The names are Rafd<angle>_<subject>_<group>_<sex>_<emotion>_<gaze>.jpg. Angle 090 is frontal,
000 the subject's right profile and 180 the left one; gaze is the subject's left or right.
Subjects have RaFD's numbers but not its people: the same number is someone else there.

How well people or programs tell these expressions says nothing about the expressions of people.

Licence
-------
The images come under the licence of tinyvgg, BSD 3-Clause, copyright the tinyvgg developers. The
anatomy they were rendered from is in the public domain (CC0 1.0): base mesh and targets by the
MakeHuman and MPFB2 projects, facial actions by Mika Suominen.
"""


@dataclass(frozen=True)
class Manifest:
    """What the images of a folder were made by.

    Attributes:
        fingerprint: a hash of all that makes the pixels but seed and difficulty.
        seed: of the set.
        difficulty: of the set, all knobs.
        what: they are.
    """

    fingerprint: str
    seed: int
    difficulty: Mapping[str, float]
    what: str = "synthetic faces in the form of RaFD, no person; see README.txt"


def claim(folder: Path, manifest: Manifest) -> None:
    """Make a folder ready for the images of a manifest.

    Args:
        folder: is made if it is missing.
        manifest: of what is to be written.

    Raises:
        UserError: it is no folder, holds something else, or cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / MANIFEST).exists():
            _check_same(folder, manifest)
        elif any(not path.name.startswith(".") for path in folder.iterdir()):
            raise UserError(
                f"folder {str(folder)!r} holds files that are no synthetic faces; "
                "name a new or an empty one"
            )
        remove_leftovers(folder)
        text = json.dumps(asdict(manifest), indent=2) + "\n"
        write_whole(folder / MANIFEST, lambda path: path.write_text(text))
        write_whole(folder / README, lambda path: path.write_text(_ABOUT))
    except OSError as error:
        raise UserError(
            f"folder {str(folder)!r} cannot be written to ({error.strerror}); name another place"
        ) from None


def _check_same(folder: Path, manifest: Manifest) -> None:
    try:
        kept = Manifest(**json.loads((folder / MANIFEST).read_text()))
    except (ValueError, TypeError):
        raise UserError(
            f"file {MANIFEST!r} of folder {str(folder)!r} is damaged; remove the folder"
        ) from None
    if kept.seed != manifest.seed:
        raise UserError(
            f"folder {str(folder)!r} holds the faces of seed {kept.seed}, not {manifest.seed}; "
            "name another folder, or remove it"
        )
    if kept.difficulty != manifest.difficulty:
        raise UserError(
            f"folder {str(folder)!r} holds the faces of another difficulty; "
            "name another folder, or remove it"
        )
    if kept.fingerprint != manifest.fingerprint:
        raise UserError(
            f"folder {str(folder)!r} holds the faces of another version of this package or of its "
            "anatomy; name another folder, or remove it"
        )


def is_whole(path: Path, size: tuple[int, int]) -> bool:
    """Whether a file is a JPEG image of this width and height that has its end."""
    try:
        with path.open("rb") as file:
            with Image.open(file, formats=["JPEG"]) as image:
                fits = image.size == size
            file.seek(-len(_ENDS_WITH), 2)
            return fits and file.read() == _ENDS_WITH
    except OSError:
        return False
