"""The surfaces that the camera's rays hit, and the colours of eyes, teeth and mouth."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int8

from synthfaces.chart import Charts, sample
from synthfaces.maths import (
    Array,
    Scalars,
    Vectors,
    contract,
    dot,
    mix,
    normalized,
    per_channel,
    smoothstep,
    to_linear,
)
from synthfaces.mesh import Part
from synthfaces.subjects import Pose, Subject

_SCLERA = to_linear([0.83, 0.805, 0.79])
_VEINS = np.array([0.05, 0.17, 0.18], np.float32)
_CARUNCLE = to_linear([0.74, 0.46, 0.43])
_IRIS_ANGLE, _PUPIL_ANGLE, _PUPIL = 0.44, 0.17, 0.004
_CARUNCLE_FROM, _CARUNCLE_TO = 0.66, 0.80


def eyeball_colour(direction: Vectors, outer: Array, iris: Float32[np.ndarray, "3"]) -> Vectors:
    """Return the linear RGB of places on an eyeball."""
    angle = np.arccos(np.clip(direction[:, 2], -1, 1))
    around = np.arctan2(direction[:, 1], direction[:, 0])
    fibres = 1 + 0.18 * np.sin(around * 23 + 3 * np.sin(around * 7)) + 0.12 * np.sin(around * 41)
    inwards = angle / _IRIS_ANGLE
    brightness = fibres * (0.7 + 0.6 * smoothstep(0.95, 0.35, inwards))
    brightness = brightness * (1 - 0.8 * smoothstep(0.72, 1.0, inwards))
    white = _SCLERA * (1 - _VEINS * smoothstep(0.75, 1.25, angle)[:, None])
    rim = smoothstep(_IRIS_ANGLE - 0.035, _IRIS_ANGLE + 0.035, angle)
    colour = mix(iris * brightness[:, None], white, rim)
    pupil = smoothstep(_PUPIL_ANGLE + 0.02, _PUPIL_ANGLE - 0.02, angle)
    colour = mix(colour, np.full(3, _PUPIL, np.float32), pupil)
    flesh = smoothstep(_CARUNCLE_FROM, _CARUNCLE_TO, -outer) * rim
    return mix(colour, _CARUNCLE, flesh).astype(np.float32)


_ENAMEL = to_linear([0.93, 0.905, 0.855])
_GUM = to_linear([0.72, 0.42, 0.42])
_GAP = np.array([0.42, 0.30, 0.26], np.float32)
_ARCH_CENTRE = 0.95
_SHADE = np.float32(0.3)
_BORDERS = np.array([0.0, 0.155, 0.285, 0.42, 0.545, 0.675, 0.82, 0.98])
"""The borders between the teeth, radians from the middle of the arch."""

_LIT = np.array([1.0, 1.0, 0.8, 0.45, 0.2, 0.1, 0.08])
"""The share of light that the cheeks leave to each tooth, from the middle outwards."""

_GLANCING = (0.45, 0.2)
"""The cosines of the view against the arch at which single teeth are visible, and are not."""

_FRONT = (1.25, 1.43)
"""The depths at which the arch lies in the mouth's shade, and is enamel, dm."""

_UPPER_GUM, _LOWER_GUM, _SCALLOP = 6.775, 6.515, 0.022


def tooth_normals(template: Vectors) -> Vectors:
    """Return normals out of the arch, rounded at each tooth, as the strip's own are poor."""
    outer = outwards(template)
    _, across = _tooth(template)
    bend = (0.35 * across * np.sign(template[:, 0])).astype(np.float32)
    sideways = np.stack([outer[:, 2], 0 * bend, -outer[:, 0]], axis=1)
    return normalized(outer + bend[:, None] * sideways)


def tooth_colour(template: Vectors, view: Vectors) -> Vectors:
    """Return the linear RGB of teeth and gums; the inner side is all gums, in shade."""
    number, across = _tooth(template)
    edge = smoothstep(0.72, 1.0, np.abs(across))
    colour = _ENAMEL * (1 - (1 - _GAP) * edge[:, None])
    colour = colour * (1 - np.array([0.02, 0.03, 0.05], np.float32) * number[:, None])
    colour = colour * _LIT[number][:, None]
    scallop = _SCALLOP * (1 - across**2)
    height = template[:, 1]
    depth = np.maximum(height - _UPPER_GUM, _LOWER_GUM - height) - scallop
    colour = mix(colour, _GUM * _LIT[number][:, None], smoothstep(-0.008, 0.012, depth))
    facing = dot(view, outwards(template))
    # seen past their neighbours, single teeth merge and redden further back
    front = smoothstep(*_FRONT, template[:, 2])
    merged = mix(np.broadcast_to(_GUM * _SHADE, template.shape), _ENAMEL, front)
    colour = mix(colour, merged, smoothstep(*_GLANCING, facing))
    return mix(colour, _GUM * _SHADE, smoothstep(0.1, -0.15, facing)).astype(np.float32)


def outwards(template: Vectors) -> Vectors:
    """Return horizontal unit vectors from the middle of the arch."""
    level = template * np.array([1, 0, 1], np.float32)
    level[:, 2] -= _ARCH_CENTRE
    return normalized(level)


def _tooth(template: Vectors) -> tuple[Array, Array]:
    """Return the number of each place's tooth, from the middle, and its place across it, -1..1."""
    azimuth = np.abs(np.arctan2(template[:, 0], template[:, 2] - _ARCH_CENTRE))
    number = np.clip(np.searchsorted(_BORDERS, azimuth, side="right") - 1, 0, len(_BORDERS) - 2)
    start, end = _BORDERS[number], _BORDERS[number + 1]
    return number, np.clip((azimuth - start) / (end - start) * 2 - 1, -1, 1)


_TONGUE, _MOUTH = to_linear([0.66, 0.30, 0.30]), to_linear([0.42, 0.16, 0.15])
_CREASE = np.array([0.36, 0.50, 0.50], np.float32)
_SHIRT = 0.02


@dataclass(frozen=True)
class Hits:
    """The n places where rays meet the head."""

    part: Int8[np.ndarray, "n"]  # the `Part` that was hit
    view: Vectors  # unit vectors back to the camera
    normal: Vectors  # unit vectors, turned towards the camera
    from_behind: Bool[np.ndarray, "n"]  # true if the surface was hit on its inner side
    template: Vectors  # the same places on the undeformed head, dm
    place: Float32[np.ndarray, "n 2"]  # fractions of the chart
    seen: Vectors  # visibility of key lamp, fill lamp and dome
    lips: Scalars  # masks, 0..1, as the next three are
    mouth: Scalars
    underside: Scalars
    ears: Scalars
    # unit vectors from the eyeball's centre, in its frame; zero elsewhere
    in_eye: Vectors
    off_eye: Vectors  # the same in the world

    def is_part(self, *parts: Part) -> Bool[np.ndarray, "n"]:
        """Return a mask of the hits on one of these parts."""
        return np.asarray(np.any([self.part == part for part in parts], axis=0))


@dataclass(frozen=True)
class Material:
    """The material that reflects light at each hit."""

    albedo: Vectors  # linear RGB
    hair: Scalars  # share of hair, 0..1
    cloth: Scalars  # share of cloth, 0..1; it is matt and has no pores
    shine: Scalars  # strength of highlights
    gloss: Scalars  # their exponent


def material(hits: Hits, subject: Subject, pose: Pose, charts: Charts) -> Material:
    """Look up the paint and lay lips, creases, mouth, shirt, teeth and eyes over it."""
    skin = hits.is_part(Part.SKIN)
    painted = sample(charts.paint, hits.place)
    shirt = subject.shirt.cover(hits.template) * skin
    hair = painted[:, 3] * (1 - hits.ears) * skin * (1 - shirt)
    folded = contract("nc,c->n", sample(charts.creases, hits.place), pose.creases)
    looks = subject.looks
    albedo = mix(painted[:, :3], looks.skin, hits.ears * skin)
    jaw = looks.skin * np.float32(1 - 0.45 * looks.beard)
    albedo = mix(albedo, jaw, np.clip(hits.underside * 1.2, 0, 1) * skin)
    albedo = mix(albedo, looks.lips, np.clip((hits.lips - 0.25) * 2.2, 0, 1) * 0.85)
    albedo *= 1 - per_channel(np.clip(folded, 0, 1) * skin, _CREASE)
    albedo = mix(albedo, _MOUTH, np.clip(hits.mouth * 1.3, 0, 1))
    albedo = mix(albedo, np.full(3, _SHIRT, np.float32), shirt)
    wet = np.clip(hits.lips, 0, 1)
    bare = np.clip(albedo.mean(axis=1) / looks.skin.mean(), 0, 1)  # brows and stubble are matt
    shine = (0.85 + 0.2 * wet) * bare**2 * (1 - hair) * (1 - shirt) + 0.15 * hair
    gloss = 15 + 30 * wet

    teeth, eyes = hits.part == Part.TEETH, hits.is_part(Part.LEFT_EYE, Part.RIGHT_EYE)
    albedo[teeth] = tooth_colour(hits.template[teeth], hits.view[teeth])
    albedo[hits.part == Part.TONGUE] = _TONGUE
    outer = np.where(hits.part[eyes] == Part.LEFT_EYE, 1, -1) * hits.off_eye[eyes, 0]
    albedo[eyes] = eyeball_colour(hits.in_eye[eyes], outer, looks.iris)
    shine[teeth], gloss[teeth], shine[eyes] = 0.7, 60, 0
    return Material(*(x.astype(np.float32) for x in (albedo, hair, shirt, shine, gloss)))


def facing(normal: Vectors, view: Vectors) -> tuple[Vectors, Bool[np.ndarray, "n"]]:
    """Turn normals towards the camera, and mark the turned ones, as in the folds of the lids."""
    behind = dot(normal, view) < 0
    return np.where(behind[:, None], -normal, normal), behind


_CAVITY, _CAVITY_LEAST = (0.95, 1.43), 0.12
_TEETH, _TEETH_LEAST = (1.2, 1.46), 0.03
"""The depths in the undeformed head of places with the least light and with all of it, dm."""

_BESIDE, _BEHIND_CHEEKS = (0.12, 0.28), 0.6
"""The distances from the middle between which cheeks begin to shade, dm, and the share kept."""

_INNER, _OUTER = 0.35, 0.65
"""The cosines of the view against the arch at which the teeth's inner or outer side shows."""


def light_in_cavity(template: Vectors, mouth: Scalars) -> Scalars:
    """Return the share of light that lips and cheeks let through to the walls and the tongue."""
    cheeks = _BEHIND_CHEEKS * smoothstep(*_BESIDE, np.abs(template[:, 0]))
    kept = 1 - _arriving(template, _CAVITY, _CAVITY_LEAST) * (1 - cheeks)
    return np.asarray(1 - kept * np.clip(mouth, 0, 1), np.float32)


def light_on_teeth(template: Vectors, view: Vectors) -> Scalars:
    """Return the share for teeth; their outer side, next to the lips, has all the light."""
    inner = smoothstep(_OUTER, _INNER, dot(view, outwards(template)))
    kept = 1 - _arriving(template, _TEETH, _TEETH_LEAST)
    return np.asarray(1 - kept * inner, np.float32)


def _arriving(template: Vectors, reach: tuple[float, float], least: float) -> Array:
    return np.asarray(least + (1 - least) * smoothstep(*reach, template[:, 2]) ** 2)
