"""A subject: everything about a person that does not change from shot to shot."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from tinyvgg.faces.synthetic.appearance import Appearance, draw_appearance
from tinyvgg.faces.synthetic.chart import Image
from tinyvgg.faces.synthetic.design import Person, person
from tinyvgg.faces.synthetic.expressions import Temperament, draw_temperament
from tinyvgg.faces.synthetic.hair import hair_curtain, hair_thickness
from tinyvgg.faces.synthetic.mesh import EYES, HeadMesh
from tinyvgg.faces.synthetic.shape import draw_shape
from tinyvgg.faces.synthetic.streams import stream
from tinyvgg.faces.synthetic.texture import Painter

_AXIS_BEHIND_EYES = 0.5


@dataclass(frozen=True)
class Eye:
    """An eyeball: centre and radius, dm."""

    centre: Float[np.ndarray, "3"]
    radius: float


@dataclass(frozen=True)
class Framing:
    """What the cameras aim at: heights of eyes and chin at rest, and the head's depth, dm."""

    eyes: float
    chin: float
    depth: float


@dataclass(frozen=True)
class Subject:
    """One subject at rest.

    Attributes:
        person: number, group, sex.
        looks: colours and hair style.
        temperament: how the face acts.
        controls: (n, 3) the anatomy's vertices at rest, dm.
        hair: (s,) by how much hair lifts each vertex of the skin, dm.
        curtain: (c, 3) vertices of long hair, dm.
        paint: the chart's colours and hair cover.
        eyes: per eye.
        framing: what the cameras aim at.
    """

    person: Person
    looks: Appearance
    temperament: Temperament
    controls: Float32[np.ndarray, "n 3"]
    hair: Float32[np.ndarray, "s"]
    curtain: Float32[np.ndarray, "c 3"]
    paint: Image
    eyes: dict[str, Eye]
    framing: Framing


def make_subject(number: int, painter: Painter, seed: int) -> Subject:
    """Make up a subject; each aspect has a random stream of its own.

    Raises:
        UserError: a number that RaFD does not use.
    """
    who, mesh = person(number), painter.mesh
    anatomy = mesh.anatomy
    looks = draw_appearance(who, stream(seed, number, "appearance"))
    weights = draw_shape(who, anatomy.opposites, stream(seed, number, "shape"))
    controls = anatomy.vertices + anatomy.displacement(weights)
    skin = (mesh.smooth @ controls[: mesh.controls])[mesh.skin]
    eyes = {name: _fit_eye(controls[anatomy.parts[name]]) for name in EYES}
    hair = stream(seed, number, "hair")
    return Subject(
        person=who,
        looks=looks,
        temperament=draw_temperament(stream(seed, number, "temperament"), anatomy.face_units),
        controls=controls,
        hair=hair_thickness(mesh, looks.style, hair),
        curtain=hair_curtain(mesh, skin, looks.style, hair),
        paint=painter.paint(who, looks, stream(seed, number, "paint")),
        eyes=eyes,
        framing=_frame(mesh, skin, eyes),
    )


def _fit_eye(box: Float[np.ndarray, "n 3"]) -> Eye:
    """The sphere that fills the width and height of the eye's helper and touches its back."""
    low, high = box.min(axis=0).astype(np.float64), box.max(axis=0).astype(np.float64)
    radius = float((high - low)[:2].mean() / 2)
    centre = np.append((low + high)[:2] / 2, low[2] + radius)
    return Eye(centre, radius)


def _frame(mesh: HeadMesh, skin: Float[np.ndarray, "s 3"], eyes: dict[str, Eye]) -> Framing:
    x, y, z = mesh.template[mesh.skin].T
    chin = (np.abs(x) < 0.05) & (z > 1.15) & (y > 6.05) & (y < 6.4)
    centre = np.mean([eye.centre for eye in eyes.values()], axis=0)
    return Framing(
        eyes=float(centre[1]),
        chin=float(skin[chin, 1].min()),
        depth=float(centre[2] - _AXIS_BEHIND_EYES),
    )
