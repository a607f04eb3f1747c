"""Faces: images with an index, from whichever source."""

from tinyvgg.extras import need

need("faces", "pandas", "PIL", "cv2", "scipy", "torchvision", "tqdm")


from pathlib import Path

from tinyvgg import paths
from tinyvgg.face_parameters import ANGLES, EMOTIONS, GAZES
from tinyvgg.faces import folder as _folder
from tinyvgg.faces.index import FaceIndex, Faces
from tinyvgg.faces.splits import Split, hold_out, split
from tinyvgg.parameters import SOURCES, check_source

__all__ = [
    "ANGLES",
    "EMOTIONS",
    "GAZES",
    "SOURCES",
    "FaceIndex",
    "Faces",
    "Split",
    "check_source",
    "hold_out",
    "load_faces",
    "split",
]


def load_faces(
    source: str,
    size: int,
    subjects: int | None = None,
    seed: int = 0,
    progress: bool = True,
    stream: bool | None = None,
) -> Faces:
    """Load a source of faces at one size; synthetic ones are rendered once and kept.

    Args:
        source: ``synthetic``, or ``folder:PATH`` with one sub-folder per class.
        size: side of the square images, in pixels.
        subjects: how many of the 67 synthetic subjects; None for all. Folders are taken whole.
        seed: of the synthetic set. It is not an experiment's seed: the data set stays the same
            when the split and the initial weights change.
        progress: whether to show progress bars.
        stream: whether photographs of a folder stay on disk and are decoded when they are asked
            for; None leaves there what would take more than half of the memory that is available.
            It changes no pixel, and so no result.
    """
    check_source(source)
    if source.startswith("folder:"):
        return _folder.load(Path(source.partition(":")[2]).expanduser(), size, progress, stream)
    return _load_synthetic(size, subjects, seed, progress)


def _load_synthetic(size: int, subjects: int | None, seed: int, progress: bool) -> Faces:
    from tinyvgg.faces import synthetic

    table = synthetic.design() if subjects is None else synthetic.design(subjects)
    images = synthetic.render(table, size, paths.faces_cache(), seed=seed, progress=progress)
    return Faces("synthetic", FaceIndex(table), images, synthetic.fingerprint(size, seed))
