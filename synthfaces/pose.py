"""A subject put into an expression: the geometry of one shot, shared by its cameras."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from synthfaces.expressions import Expression, held_lids
from synthfaces.head import UPRIGHT, Head, rotation
from synthfaces.maths import Array, contract
from synthfaces.mesh import EYES, HeadMesh
from synthfaces.subjects import Eye, Subject

_EYE_FILL = 0.985
_CORNEA_HEIGHT, _CORNEA_EXTENT = 0.055, 0.42
_LID_CLEARANCE = 1.012


@dataclass(frozen=True)
class Pose:
    """The geometry of one shot.

    Attributes:
        vertices: (v, 3) of the mesh, dm.
        normals: (v, 3) unit vectors.
        controls: (n, 3) the deformed anatomy, whose vertices the lashes are made of, dm.
        eye_rotation: (3, 3) of both eyeballs in the head.
        creases: (g,) depth of the groups of creases, 0..1.
        mouth_light: how much light reaches the teeth, 0..1.
    """

    vertices: Float32[np.ndarray, "v 3"]
    normals: Float32[np.ndarray, "v 3"]
    controls: Float32[np.ndarray, "n 3"]
    eye_rotation: Float32[np.ndarray, "3 3"]
    creases: Float32[np.ndarray, "g"]
    mouth_light: float


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
    return Pose(
        vertices=vertices,
        normals=mesh.normals(vertices),
        controls=controls,
        eye_rotation=in_head,
        creases=_creases(expression),
        mouth_light=_mouth_light(expression),
    )


def _eye_rotation(expression: Expression, head: Head) -> Float32[np.ndarray, "3 3"]:
    """What turns the eyeballs in the head so that they look where they should in the room."""
    gaze = rotation(expression.gaze_yaw, expression.gaze_pitch)
    return contract("ji,jk->ik", head.rotation, gaze).astype(np.float32)


def _cornea(cosine: Array) -> Array:
    """How far the cornea bulges, in radii, at this cosine of the angle to the gaze."""
    angle = np.arccos(np.clip(cosine, -1, 1))
    return np.asarray(_CORNEA_HEIGHT * np.exp(-((angle / _CORNEA_EXTENT) ** 4)))


def _outside(
    points: Float32[np.ndarray, "n 3"], eye: Eye, gaze: Float32[np.ndarray, "3"]
) -> Float[np.ndarray, "n 3"]:
    """Points pushed away from the eyeball's centre until they clear it and its cornea."""
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
    """Of each group of creases of the painter, from the actions that fold it."""
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
