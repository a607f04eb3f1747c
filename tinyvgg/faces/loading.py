"""Load faces from any source."""

from tinyvgg import paths
from tinyvgg.difficulty import difficulty_of
from tinyvgg.faces.index import FaceIndex, Faces
from tinyvgg.sources import parse_source


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
            `tinyvgg.difficulty.Difficulty`; ``rafd:PATH``, the folder of the Radboud Faces
            Database; ``london:PATH``, that of the Face Research Lab London Set; ``folder:PATH``,
            one sub-folder a class or a CSV file with a row an image. Options of photographs
            follow behind ``::`` (`tinyvgg.sources.OPTIONS`).
        size: side of the square images, in pixels.
        subjects: how many of the 67 synthetic subjects; None for all. Photographs are taken whole.
        seed: of the synthetic set. It is not an experiment's seed: the data set stays the same
            when the split and the initial weights change.
        progress: whether to show progress bars.
        stream: whether photographs of a folder stay on disk and are decoded when they are asked
            for; None leaves there what would take more than half of the memory that is available.
            It changes no pixel, and so no result.
    """
    asked = parse_source(source)
    if not asked.is_synthetic:
        from tinyvgg.faces import photographs  # the detector's requirements are those of folders

        return photographs.load(asked, size, progress, stream)
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
