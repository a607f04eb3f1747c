"""Load faces from any source."""

from pathlib import Path

from tinyvgg import paths
from tinyvgg.difficulty import difficulty_of
from tinyvgg.faces import folder
from tinyvgg.faces.index import FaceIndex, Faces
from tinyvgg.parameters import check_source


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
        source: ``synthetic``, ``synthetic:KNOB=VALUE,...`` with other knobs of its
            `tinyvgg.difficulty.Difficulty`, or ``folder:PATH`` with one sub-folder per class.
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
        return folder.load(Path(source.partition(":")[2]).expanduser(), size, progress, stream)
    return _load_synthetic(source, size, subjects, seed, progress)


def _load_synthetic(
    source: str, size: int, subjects: int | None, seed: int, progress: bool
) -> Faces:
    from tinyvgg.faces import synthetic

    table = synthetic.design() if subjects is None else synthetic.design(subjects)
    knobs, cache = difficulty_of(source), paths.faces_cache()
    images = synthetic.render(table, size, cache, seed, progress=progress, difficulty=knobs)
    made_by = synthetic.fingerprint(size, seed, knobs)
    return Faces(knobs.source, FaceIndex(table), images, made_by)
