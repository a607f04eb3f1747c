"""A folder of photographs with one sub-folder per class."""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from PIL import Image, ImageOps
from tqdm.auto import tqdm

from tinyvgg.errors import UserError
from tinyvgg.faces.index import FaceIndex, Faces, fingerprint
from tinyvgg.photographs import list_photographs


def scan(folder: Path) -> pd.DataFrame:
    """The images of a folder: path relative to it, and class; sorted by both.

    Raises:
        UserError: see `tinyvgg.photographs.list_photographs`.
    """
    table = pd.DataFrame(list_photographs(folder), columns=["path", "class"])
    return table.assign(source="folder")


def read_image(path: Path, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """Decode one image: upright (EXIF), RGB, the largest centred square, resized with antialiasing.

    Raises:
        UserError: a file that cannot be decoded.
    """
    try:
        with Image.open(path) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
            square = ImageOps.fit(upright, (size, size), method=Image.Resampling.LANCZOS)
            return np.asarray(square, dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(
            f"image {str(path)!r} cannot be read ({error}); repair or remove it"
        ) from None


def load(folder: Path, size: int, progress: bool = True) -> Faces:
    """All images of a folder at one size.

    Args:
        folder: one sub-folder per class.
        size: side of the square images, in pixels.
        progress: whether to show a progress bar.
    """
    table = scan(folder)
    paths = tqdm(table["path"], desc=f"decoding {folder.name}", unit="image", disable=not progress)
    images = np.stack([read_image(folder / path, size) for path in paths])
    return Faces(f"folder:{folder}", FaceIndex(table), images, fingerprint(table, images))
