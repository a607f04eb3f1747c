"""Subjects, and their geometry in one expression."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Float32

from synthfaces.appearance import Appearance, draw_appearance
from synthfaces.chart import Image
from synthfaces.expressions import UPRIGHT, Expression, Head, held_lids, rotation
from synthfaces.hair import Ribbons, hair_thickness, make_ribbons
from synthfaces.maths import Array, Vectors, contract, stream
from synthfaces.mesh import EYES, HeadMesh
from synthfaces.people import Person, draw_shape, person
from synthfaces.strands import grow
from synthfaces.texture import Coat, Painter, Shirt, lay

_AXIS_BEHIND_EYES = 0.5


@dataclass(frozen=True)
class Eye:
    """An eyeball: centre and radius, dm."""

    centre: Float[np.ndarray, "3"]
    radius: float


@dataclass(frozen=True)
class Framing:
    """The aim of the cameras: heights of eyes and chin at rest, and the head's depth, dm."""

    eyes: float
    chin: float
    depth: float


@dataclass(frozen=True)
class Subject:
    """One subject at rest."""

    person: Person  # number, group, sex
    looks: Appearance  # colours and hair style
    controls: Vectors  # the anatomy's vertices at rest, dm
    hair: Float32[np.ndarray, "s"]  # height by which hair lifts each vertex of the skin, dm
    ribbons: Ribbons  # the strands of hair
    paint: Image  # the chart's colours and hair cover
    eyes: dict[str, Eye]  # per eye
    framing: Framing  # the aim of the cameras
    shirt: Shirt = field(default_factory=Shirt)


def make_subject(
    number: int, painter: Painter, seed: int, skin: int | None = None, hair: int | None = None
) -> Subject:
    """Make up a subject; each aspect has a random stream of its own."""
    who, mesh = person(number), painter.mesh
    below, above = number if skin is None else skin, number if hair is None else hair
    anatomy = mesh.anatomy
    looks = replace(own_looks(below, seed), style=own_looks(above, seed).style)
    weights = draw_shape(who, anatomy.opposites, stream(seed, number, "shape"))
    controls = anatomy.vertices + anatomy.displacement(weights)
    surface = (mesh.smooth @ controls[: mesh.controls])[mesh.skin]
    eyes = {name: _fit_eye(controls[anatomy.parts[name]]) for name in EYES}
    locks = stream(seed, above, "hair")
    strands = grow(painter.scalp, looks.style, locks)
    coat = _coat(painter, below, seed)
    hair_coat = coat if above == below else _coat(painter, above, seed)
    return Subject(
        person=who,
        looks=looks,
        controls=controls,
        hair=hair_thickness(mesh, looks.style),
        ribbons=make_ribbons(strands, painter.scalp, surface, locks),
        paint=lay(coat, hair_coat),
        eyes=eyes,
        framing=_frame(mesh, surface, eyes),
    )


def own_looks(number: int, seed: int) -> Appearance:
    """Draw a subject's own looks, with nobody else's skin or hair."""
    return draw_appearance(person(number), stream(seed, number, "appearance"))


def _coat(painter: Painter, number: int, seed: int) -> Coat:
    return painter.coat(person(number), own_looks(number, seed), stream(seed, number, "paint"))


def _fit_eye(box: Float[np.ndarray, "n 3"]) -> Eye:
    """Return the sphere that fills the eye's helper in width and height and touches its back."""
    low, high = box.min(axis=0).astype(np.float64), box.max(axis=0).astype(np.float64)
    radius = float((high - low)[:2].mean() / 2)
    centre = np.append((low + high)[:2] / 2, low[2] + radius)
    return Eye(centre, radius)


def _frame(mesh: HeadMesh, skin: Float[np.ndarray, "s 3"], eyes: dict[str, Eye]) -> Framing:
    x, y, z = mesh.template[mesh.skin].T
    chin = (np.abs(x) < 0.05) & (z > 1.15) & (y > 6.05) & (y < 6.4)
    centre = np.mean([eye.centre for eye in eyes.values()], axis=0)
    depth = float(centre[2] - _AXIS_BEHIND_EYES)
    return Framing(float(centre[1]), float(skin[chin, 1].min()), depth)


_EYE_FILL = 0.985
_CORNEA_HEIGHT, _CORNEA_EXTENT = 0.055, 0.42
_LID_CLEARANCE = 1.012


@dataclass(frozen=True)
class Pose:
    """The geometry of one shot."""

    vertices: Float32[np.ndarray, "v 3"]  # vertices of the mesh, dm
    normals: Float32[np.ndarray, "v 3"]  # unit vectors
    # the deformed anatomy, whose vertices the lashes are made of, dm
    controls: Vectors
    eye_rotation: Float32[np.ndarray, "3 3"]  # rotation of both eyeballs in the head
    creases: Float32[np.ndarray, "g"]  # depth of the groups of creases, 0..1
    mouth_light: float  # share of the light that reaches the teeth, 0..1


def pose(mesh: HeadMesh, subject: Subject, expression: Expression, head: Head = UPRIGHT) -> Pose:
    """Deform the subject's head; lids are kept outside the eyeballs and hair is laid on top.

    All of it is in the frame of the head. Eyes that look straight ahead look past the nose of a
    head that is turned.
    """
    weights = held_lids(expression, head.turn, head.nod)
    controls = subject.controls + mesh.anatomy.displacement(weights)
    in_head = _eye_rotation(expression, head)
    vertices = np.empty_like(mesh.template)
    vertices[: mesh.smooth.shape[0]] = mesh.smooth @ controls[: mesh.controls]
    _place_mouth(mesh, vertices, expression)
    for name in EYES:
        eye = subject.eyes[name]
        reach = 1 + _cornea(mesh.eyeball[:, 2])[:, None]
        turned = contract("ij,nj->ni", in_head, mesh.eyeball * reach)
        vertices[mesh.parts[name]] = eye.centre + _EYE_FILL * eye.radius * turned
        lid = mesh.lids[name]
        vertices[lid] = _outside(vertices[lid], eye, in_head[:, 2])
    vertices[mesh.skin] += mesh.normals(vertices)[mesh.skin] * subject.hair[:, None]
    normals, creases = mesh.normals(vertices), _creases(expression)
    return Pose(vertices, normals, controls, in_head, creases, _mouth_light(expression))


def _eye_rotation(expression: Expression, head: Head) -> Float32[np.ndarray, "3 3"]:
    """Return the rotation of the eyeballs in the head that makes them look as asked in the room."""
    gaze = rotation(expression.gaze_yaw, expression.gaze_pitch)
    return contract("ji,jk->ik", head.rotation, gaze).astype(np.float32)


def _cornea(cosine: Array) -> Array:
    """Return the cornea's bulge, in radii, at this cosine of the angle to the gaze."""
    angle = np.arccos(np.clip(cosine, -1, 1))
    return np.asarray(_CORNEA_HEIGHT * np.exp(-((angle / _CORNEA_EXTENT) ** 4)))


def _outside(points: Vectors, eye: Eye, gaze: Float32[np.ndarray, "3"]) -> Float[np.ndarray, "n 3"]:
    """Push points away from the eyeball's centre until they clear it and its cornea."""
    offset = points - eye.centre
    distance = np.linalg.norm(offset, axis=1, keepdims=True)
    direction = offset / distance
    cosine = contract("ni,i->n", direction, gaze)[:, None]
    clear = eye.radius * (_LID_CLEARANCE + _cornea(cosine))
    return np.asarray(eye.centre + direction * np.maximum(distance, clear))


def _place_mouth(
    mesh: HeadMesh, vertices: Float32[np.ndarray, "v 3"], expression: Expression
) -> None:
    """Raise the lower teeth of a nearly closed mouth and draw the tongue back, in place."""
    jaw = expression.actions.get("jawOpen", 0.0)
    vertices[mesh.parts["lower-teeth"]] += np.array(
        [0, 0.055 * max(0.0, 1 - jaw / 0.25), -0.01], np.float32
    )
    back = 1 - 0.6 * min(1.0, 2 * jaw)
    vertices[mesh.parts["tongue"]] += np.array([0, -0.05, -0.22], np.float32) * np.float32(back)


def _creases(expression: Expression) -> Float32[np.ndarray, "g"]:
    """Return the depth of each group of creases, from the actions that fold it."""
    strength = expression.strength
    smile, sneer = strength("mouthSmile"), strength("noseSneer")
    depths = [
        max(0.9 * strength("browOuterUp"), 0.55 * strength("browInnerUp")),
        max(0.9 * strength("browDown"), 0.35 * sneer),
        min(1.0, 0.9 * smile + 0.8 * sneer) + 0.08,
        0.9 * strength("cheekSquint"),
        0.9 * sneer,
    ]
    return np.array(depths, np.float32)


def _mouth_light(expression: Expression) -> float:
    lips = sum(
        expression.strength(name) for name in ("mouthUpperUp", "mouthLowerDown", "mouthSmile")
    )
    return float(np.clip(lips + 2 * expression.actions.get("jawOpen", 0.0), 0.15, 1))
