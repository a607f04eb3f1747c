"""Contact sheets: every image of a set as networks see it, with its name, to be looked through."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from tinyvgg.errors import UserError
from tinyvgg.faces.index import Faces
from tinyvgg.files import write_whole

COLUMNS, ROWS = 16, 12
CELL, CAPTION, GAP = 96, 14, 6
_FONT_SIZE = 9


def write_sheets(faces: Faces, folder: Path) -> list[Path]:
    """Write all images of a set as sheets of 192, in the order of the index.

    Args:
        faces: the set.
        folder: where ``sheet-001.png`` and the following go; sheets of an earlier call are
            replaced.

    Returns:
        The paths of the sheets.

    Raises:
        UserError: the folder cannot be written.
    """
    written = []
    try:
        for number, sheet in enumerate(sheets(faces), start=1):
            path = folder / f"sheet-{number:03d}.png"
            write_whole(path, Image.fromarray(sheet).save)
            written.append(path)
        for path in set(folder.glob("sheet-[0-9][0-9][0-9].png")) - set(written):
            path.unlink()
    except OSError as error:
        raise UserError(
            f"folder {str(folder)!r} cannot be written ({error.strerror}); name another"
        ) from None
    return written


def sheets(faces: Faces) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The sheets of a set, one after the other."""
    names, most = list(faces.index.table["path"]), COLUMNS * ROWS
    for start in range(0, len(faces), most):
        rows = range(start, min(start + most, len(faces)))
        yield _sheet([faces.images[row] for row in rows], [names[row] for row in rows])


def _sheet(images: list[UInt8[np.ndarray, "s s 3"]], names: list[str]) -> np.ndarray:
    columns = min(COLUMNS, len(images))
    pitch = CELL + GAP, CELL + CAPTION + GAP
    size = (columns * pitch[0] + GAP, -(-len(images) // columns) * pitch[1] + GAP)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_SIZE)
    for place, (image, name) in enumerate(zip(images, names, strict=True)):
        left, top = GAP + pitch[0] * (place % columns), GAP + pitch[1] * (place // columns)
        cell = Image.fromarray(image).resize((CELL, CELL), Image.Resampling.BICUBIC)
        sheet.paste(cell, (left, top))
        draw.text((left, top + CELL), _short(name), "black", font)
    return np.asarray(sheet)


def _short(name: str, letters: int = 19) -> str:
    """The end of a name, which tells images apart."""
    plain = Path(name).stem.encode("latin-1", "replace").decode("latin-1")
    return plain if len(plain) <= letters else f"...{plain[3 - letters :]}"
