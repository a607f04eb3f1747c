"""A subject: everything about a person that does not change from shot to shot."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Float32

from synthfaces.appearance import Appearance, draw_appearance
from synthfaces.chart import Image
from synthfaces.clothes import Shirt
from synthfaces.design import Person, person
from synthfaces.hair import hair_ribbons, hair_thickness
from synthfaces.mesh import EYES, HeadMesh
from synthfaces.ribbons import Ribbons
from synthfaces.shape import draw_shape
from synthfaces.streams import stream
from synthfaces.texture import Coat, Painter, lay

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
        controls: (n, 3) the anatomy's vertices at rest, dm.
        hair: (s,) by how much hair lifts each vertex of the skin, dm.
        ribbons: the strands of hair.
        paint: the chart's colours and hair cover.
        eyes: per eye.
        framing: what the cameras aim at.
        shirt: what it wears.
    """

    person: Person
    looks: Appearance
    controls: Float32[np.ndarray, "n 3"]
    hair: Float32[np.ndarray, "s"]
    ribbons: Ribbons
    paint: Image
    eyes: dict[str, Eye]
    framing: Framing
    shirt: Shirt = field(default_factory=Shirt)


def make_subject(
    number: int, painter: Painter, seed: int, skin: int | None = None, hair: int | None = None
) -> Subject:
    """Make up a subject; each aspect has a random stream of its own.

    Args:
        number: whose head it is.
        painter: the head, and what all heads have painted on them.
        seed: of the set.
        skin: whose skin, lips, irises, brows, lashes and beard it has; its own by default.
        hair: whose hair, its style and its colour, it has; its own by default.

    Raises:
        UserError: a number that RaFD does not use.
    """
    who, mesh = person(number), painter.mesh
    below, above = number if skin is None else skin, number if hair is None else hair
    anatomy = mesh.anatomy
    looks = _looks(below, above, seed)
    weights = draw_shape(who, anatomy.opposites, stream(seed, number, "shape"))
    controls = anatomy.vertices + anatomy.displacement(weights)
    surface = (mesh.smooth @ controls[: mesh.controls])[mesh.skin]
    eyes = {name: _fit_eye(controls[anatomy.parts[name]]) for name in EYES}
    locks = stream(seed, above, "hair")
    return Subject(
        person=who,
        looks=looks,
        controls=controls,
        hair=hair_thickness(mesh, looks.style),
        ribbons=hair_ribbons(painter.scalp, surface, looks.style, locks),
        paint=_paint(painter, below, above, seed),
        eyes=eyes,
        framing=_frame(mesh, surface, eyes),
    )


def own_looks(number: int, seed: int) -> Appearance:
    """The looks of a subject who has borrowed nothing."""
    return draw_appearance(person(number), stream(seed, number, "appearance"))


def _looks(skin: int, hair: int, seed: int) -> Appearance:
    """Those of one subject, with the hair style of another."""
    return replace(own_looks(skin, seed), style=own_looks(hair, seed).style)


def _paint(painter: Painter, skin: int, hair: int, seed: int) -> Image:
    """The skin of one subject under the hair of another."""
    own = _coat(painter, skin, seed)
    return lay(own, own if hair == skin else _coat(painter, hair, seed))


def _coat(painter: Painter, number: int, seed: int) -> Coat:
    looks = own_looks(number, seed)
    return painter.coat(person(number), looks, stream(seed, number, "paint"))


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
