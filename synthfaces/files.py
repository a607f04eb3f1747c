"""Files written whole or not at all."""

import hashlib
import json
import os
import re
import uuid
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

Shot = tuple[str, str, int]
"""Emotion, gaze and angle: what tells the images of a subject apart."""

DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
"""What reading a missing, cut or altered archive raises."""


def subject_file(folder: Path, number: int, shots: Sequence[Shot]) -> Path:
    """Where the images of these shots belong; other shots of the subject have another file."""
    digest = hashlib.sha256(json.dumps(list(shots)).encode()).hexdigest()[:8]
    return folder / f"subject-{number:02d}-{digest}.npz"


def load_images(path: Path, shape: tuple[int, ...]) -> UInt8[np.ndarray, "n s s 3"] | None:
    """Read one subject's images; None where they are missing, damaged or of another shape."""
    try:
        with path.open("rb") as file, np.load(file) as saved:
            images = saved["images"]
    except DAMAGED:
        return None
    return images if images.shape == shape and images.dtype == np.uint8 else None


_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.\w+")


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name and move it into place once it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what `write_whole` left in a folder when its process was killed."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)
