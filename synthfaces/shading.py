"""Light that leaves head and hair towards the camera."""

import cv2
import numpy as np
from jaxtyping import Float32

from synthfaces.chart import Charts, Image, sample
from synthfaces.lighting import Illumination, Lamp
from synthfaces.materials import (
    Hits,
    Material,
    facing,
    light_in_cavity,
    light_on_teeth,
    material,
    tooth_normals,
)
from synthfaces.maths import (
    Array,
    Scalars,
    Vectors,
    columns,
    dot,
    mix,
    normalized,
    passed,
    per_channel,
    scaled,
    smoothstep,
)
from synthfaces.mesh import Part
from synthfaces.subjects import Pose, Subject

EXPOSURE = np.float32(0.86)
SHEEN = np.array([1.0, 0.86, 0.70], np.float32)
"""The colour of highlights on hair."""

_SKIN_WRAP = np.array([0.30, 0.17, 0.13], np.float32)
_HAIR_WRAP, _OTHER_WRAP = np.float32(0.20), np.float32(0.25)
_RIM_TINT = np.array([1.00, 0.97, 0.95], np.float32)
_PORE_DEPTH = np.float32(0.055)
_DOME, _AMBIENT, _SIDE = np.float32(0.46), np.float32(0.06), np.float32(0.09)
_REFLECTANCE = np.float32(0.04)


def shade(hits: Hits, subject: Subject, pose: Pose, charts: Charts, light: Illumination) -> Vectors:
    """Return the linear RGB of hits: matt reflection, highlights, rim, catch-lights in the eyes."""
    surface = material(hits, subject, pose, charts)
    seen = _corrected_visibility(hits, pose)
    normal = _detailed_normals(hits, surface, charts.pores)
    colour = surface.albedo * _irradiance(hits, surface, normal, seen, light)
    tint = 1 - surface.hair[:, None] * (1 - SHEEN)
    for lamp, share in zip(light.lamps, (seen[:, 0], seen[:, 1]), strict=True):
        strength = _highlight(lamp, hits, surface, normal) * np.clip(share, 0, 1) * 1.1
        colour += strength.astype(np.float32)[:, None] * tint
    colour += rim(normal, hits.view, seen[:, 2], light) * (1 - 0.5 * surface.hair)[:, None]
    eyes = hits.is_part(Part.LEFT_EYE, Part.RIGHT_EYE)
    colour[eyes] += _catch_lights(hits.off_eye[eyes], hits.view[eyes], light)[:, None]
    return np.asarray(colour * EXPOSURE)


def _corrected_visibility(hits: Hits, pose: Pose) -> Vectors:
    """Correct the visibility where vertices are too coarse: folds, hair, inside the mouth."""
    seen = np.copy(hits.seen)
    folds = hits.from_behind & (hits.part == Part.SKIN)
    seen[folds] = np.maximum(seen[folds], 0.65)
    teeth = hits.part == Part.TEETH
    seen[teeth] = (seen[teeth] * 0.5 + 0.5) * np.float32(pose.mouth_light)
    seen[teeth] *= light_on_teeth(hits.template[teeth], hits.view[teeth])[:, None]
    inside = np.flatnonzero((hits.mouth > 0) | (hits.part == Part.TONGUE))
    depth = np.where(hits.part[inside] == Part.TONGUE, 1, hits.mouth[inside])
    seen[inside] *= light_in_cavity(hits.template[inside], depth)[:, None]
    return seen


def _detailed_normals(hits: Hits, surface: Material, pores: Image) -> Vectors:
    """Return normals that are tilted by the pores of the skin, and those of the teeth."""
    normal = np.copy(hits.normal)
    teeth = hits.part == Part.TEETH
    normal[teeth] = tooth_normals(hits.template[teeth])
    bare = (1 - surface.cloth) * (hits.part == Part.SKIN)
    depth = _PORE_DEPTH * (1 - np.float32(0.3) * surface.hair) * bare
    twice = 2 * hits.place
    around, up = (sample(pores, twice - np.floor(twice)) * depth[:, None]).T
    tilt = columns(around * normal[:, 2], up, -around * normal[:, 0])
    return normalized(normal + tilt)


def _irradiance(
    hits: Hits, surface: Material, normal: Vectors, seen: Vectors, light: Illumination
) -> Vectors:
    """Return the arriving light per channel: red goes further through skin and into shadows."""
    of_skin = per_channel(1 - surface.hair, _SKIN_WRAP) + (_HAIR_WRAP * surface.hair)[:, None]
    wrap = np.where((hits.part == Part.SKIN)[:, None], of_skin, _OTHER_WRAP)
    lamps = sum(
        np.float32(lamp.diffuse)
        * wrapped(normal, lamp, wrap)
        * passed(np.clip(seen[:, number], 0, 1))
        for number, lamp in enumerate(light.lamps)
    )
    dome = np.clip(seen[:, 2], 0, 1.15)
    return np.asarray(lamps + sky(normal, dome, passed(dome), light))


def sky(normal: Vectors, share: Scalars, seen: Vectors, light: Illumination) -> Vectors:
    """Return the dome's arriving light per channel: from above, the sides and everywhere.

    `share` is that of the dome which is seen; `seen` is the result of `passed` for it.
    """
    strength = np.float32(light.studio.dome)
    upwards = np.float32(0.62) + np.float32(0.38) * dot(normal, light.up)
    lateral = np.abs(dot(normal, light.left))
    sidewards = np.clip(lateral * np.float32(1.1) - np.float32(0.15), 0, 1)
    above = seen * np.sqrt(seen)
    beside = np.minimum(scaled(seen, 1.2), 1)
    return np.asarray(
        (strength * _DOME * upwards)[:, None] * above
        + (strength * _AMBIENT * share)[:, None]
        + (strength * _SIDE * sidewards)[:, None] * beside
    )


def rim(normal: Vectors, view: Vectors, share: Scalars, light: Illumination) -> Vectors:
    """Return the light that glances off visible edges; `share` of the dome reaches them."""
    edge = np.square(np.square(1 - np.clip(dot(normal, view), 0, 1)))
    strength = edge * (np.float32(0.16 * light.studio.dome) * np.clip(share, 0, 1))
    return per_channel(strength, _RIM_TINT)


def wrapped(normal: Vectors, lamp: Lamp, wrap: Array | np.float32) -> Array:
    """Return Lambert's cosine, wrapped around the terminator as by scattering under the skin."""
    cosine = dot(normal, lamp.direction)
    cosine = cosine[:, None] if np.ndim(wrap) else cosine
    bent: Array = np.clip(cosine * (1 - wrap) + wrap, 0, 1)
    return bent ** np.float32(1.15)


def fresnel(half: Vectors, view: Vectors) -> Array:
    """Return Schlick's factor, the share of light that is reflected at an angle."""
    grazing = 1 - np.clip(dot(half, view), 0, 1)
    return np.asarray(_REFLECTANCE + (1 - _REFLECTANCE) * np.square(np.square(grazing)) * grazing)


def _highlight(lamp: Lamp, hits: Hits, surface: Material, normal: Vectors) -> Scalars:
    """Return a lamp's highlight, after Blinn and Phong, with Schlick's Fresnel factor."""
    half = normalized(hits.view + lamp.direction)
    cosine = np.clip(dot(normal, half), 0, 1)
    lobe = (surface.gloss + 2) / 8 * np.exp(surface.gloss * np.log(cosine + np.float32(1e-6)))
    return np.asarray(lamp.highlight * surface.shine * fresnel(half, hits.view) * lobe)


def _catch_lights(outwards: Vectors, view: Vectors, light: Illumination) -> Scalars:
    """Return the mirror images of the lamps on the cornea."""
    total = np.zeros(len(view), np.float32)
    key, fill = light.lamps
    for lamp, strength in ((key, 1.1 * light.studio.key), (fill, 0.5 * light.studio.fill)):
        half = normalized(lamp.direction + view)
        total += strength * smoothstep(0.985, 0.995, np.clip(dot(outwards, half), 0, 1))
    return total


_WRAP = np.float32(0.25)
_SHINE = np.float32(0.5)
_RIM = 0.5
_INSIDE_HAIR = 0.5
_TUFT, _SHARPEST, _SOFTEST = 0.011, 0.4, 1.2
_INNER = np.float32(0.5)


def shade_strands(
    fields: Float32[np.ndarray, "n 8"], view: Vectors, paint: Image, light: Illumination
) -> Vectors:
    """Return the linear RGB of places on ribbons."""
    normal, behind = facing(normalized(fields[:, :3]), view)
    seen = fields[:, 5:]
    seen = np.where(behind[:, None], scaled(seen, _INSIDE_HAIR), seen)
    lit, share = np.minimum(seen, 1), seen[:, 1]
    matt = sum(np.float32(lamp.diffuse) * wrapped(normal, lamp, _WRAP) for lamp in light.lamps)
    arriving = lit * np.asarray(matt)[:, None] + sky(normal, share, seen, light)
    colour = sample(paint, fields[:, 3:5])[:, :3] * arriving
    shine = sum(_hair_highlight(lamp, normal, view) for lamp in light.lamps)
    colour += per_channel(shine * np.minimum(share, 1), np.float32(1.1) * SHEEN)
    colour += rim(normal, view, share, light) * np.float32(_RIM)
    return np.asarray(colour * EXPOSURE)


def soft_outlines(
    linear: Float32[np.ndarray, "h w 3"], shares: Float32[np.ndarray, "h w 2"], width: float
) -> Float32[np.ndarray, "h w 3"]:
    """Blend hair with its surroundings at its outline, as real hair is finer than the strands."""
    radius = min(_TUFT / width, _SOFTEST)
    if radius < _SHARPEST:
        return linear
    hair, wall = np.moveaxis(cv2.GaussianBlur(shares, (0, 0), 1.25 * radius), -1, 0)
    edge = np.maximum(4 * hair * (1 - hair), 2 * np.sqrt(hair * wall))
    weight = np.clip(np.maximum(edge, _INNER * hair), 0, 1)
    return mix(linear, cv2.GaussianBlur(linear, (0, 0), radius), weight)


def _hair_highlight(lamp: Lamp, normal: Vectors, view: Vectors) -> Array:
    """Return a lamp's highlight on strands: broader than on the head, with an exponent of 6."""
    half = normalized(view + lamp.direction)
    cosine = np.clip(dot(normal, half), 0, 1)
    square = cosine * cosine
    lobe = np.square(square) * square
    strength = np.float32(lamp.highlight) * _SHINE
    return np.asarray(strength * fresnel(half, view) * lobe)
