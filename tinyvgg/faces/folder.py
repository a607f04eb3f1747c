"""A folder of photographs with one sub-folder per class."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from tinyvgg import memory, paths
from tinyvgg.faces.decoding import VERSION, decode, read_file, read_image
from tinyvgg.faces.files import ImageFiles
from tinyvgg.faces.index import FaceIndex, Faces
from tinyvgg.faces.kept import Kept
from tinyvgg.photographs import list_photographs

__all__ = ["load", "read_image", "scan"]

SHARE = 0.5
"""Of the memory that is available, what a set may take; a larger one is streamed."""


def scan(folder: Path) -> pd.DataFrame:
    """The images of a folder: path relative to it, and class; sorted by both.

    Raises:
        UserError: see `tinyvgg.photographs.list_photographs`.
    """
    table = pd.DataFrame(list_photographs(folder), columns=["path", "class"])
    return table.assign(source="folder")


def load(folder: Path, size: int, progress: bool = True, stream: bool | None = None) -> Faces:
    """All images of a folder at one size.

    Args:
        folder: one sub-folder per class.
        size: side of the square images, in pixels.
        progress: whether to show a progress bar.
        stream: whether they stay on disk and are decoded when they are asked for; None leaves
            there what would take more than half of the memory that is available.
    """
    table = scan(folder)
    files = ImageFiles(folder, tuple(table["path"]), size)
    streamed = _is_large(files) if stream is None else stream
    images = None if streamed else np.empty(files.shape, np.uint8)
    digest = hashlib.sha256(f"decoding {VERSION}\n{table.to_csv(index=False)}".encode())
    title = f"{'reading' if streamed else 'decoding'} {folder.name}"
    for row, path in enumerate(tqdm(files.paths, title, unit="image", disable=not progress)):
        content = read_file(path)
        digest.update(hashlib.sha256(content.data).digest())
        if images is not None:
            images[row] = decode(content, path, size)
    fingerprint = digest.hexdigest()[:16]
    given = _with_kept(files, fingerprint) if images is None else images
    return Faces(f"folder:{folder}", FaceIndex(table), given, fingerprint)


def _is_large(files: ImageFiles) -> bool:
    return int(np.prod(files.shape)) > SHARE * memory.available()


def _with_kept(files: ImageFiles, fingerprint: str) -> ImageFiles:
    """The files with a place for what is decoded, where the disk has room for it."""
    path = paths.faces_cache() / f"folder-{fingerprint}-{files.size}px.pixels"
    kept = Kept(path, len(files), files.size)
    return replace(files, kept=kept) if kept.fits else files
