"""Light that leaves the surface towards the camera."""

import numpy as np
from jaxtyping import Float32

from tinyvgg.faces.synthetic.chart import Charts, Image, sample
from tinyvgg.faces.synthetic.lighting import Illumination, Lamp
from tinyvgg.faces.synthetic.materials import Hits, Material, material
from tinyvgg.faces.synthetic.maths import (
    Array,
    columns,
    dot,
    normalized,
    per_channel,
    powers,
    smoothstep,
)
from tinyvgg.faces.synthetic.mesh import Part
from tinyvgg.faces.synthetic.pose import Pose
from tinyvgg.faces.synthetic.subjects import Subject
from tinyvgg.faces.synthetic.teeth import tooth_normals

_EXPOSURE = 0.86
_SKIN_WRAP = np.array([0.30, 0.17, 0.13], np.float32)
_HAIR_WRAP, _OTHER_WRAP = np.float32(0.20), np.float32(0.25)
_SHADOW_TINT = np.array([0.80, 1.00, 1.06], np.float32)
_RIM_TINT = np.array([1.00, 0.97, 0.95], np.float32)
_PORE_DEPTH = np.float32(0.055)
_DOME, _AMBIENT, _SIDE = np.float32(0.46), np.float32(0.06), np.float32(0.09)
_REFLECTANCE = 0.04
_SHEEN = np.array([1.0, 0.86, 0.70], np.float32)
_INSIDE_HAIR = np.float32(0.5)


def shade(
    hits: Hits,
    subject: Subject,
    pose: Pose,
    charts: Charts,
    light: Illumination,
) -> Float32[np.ndarray, "n 3"]:
    """Linear RGB of each hit: matt reflection, highlights, a rim, catch-lights in the eyes."""
    surface = material(hits, subject, pose, charts)
    seen = _corrected_visibility(hits, pose)
    normal = _detailed_normals(hits, surface, charts.pores)
    colour = surface.albedo * _irradiance(hits, surface, normal, seen, light)
    tint = 1 - surface.hair[:, None] * (1 - _SHEEN)
    for lamp, share in zip(light.lamps, (seen[:, 0], seen[:, 1]), strict=True):
        strength = _highlight(lamp, hits, surface, normal) * np.clip(share, 0, 1) * 1.1
        colour += strength.astype(np.float32)[:, None] * tint
    rim = np.square(np.square(1 - np.clip(dot(normal, hits.view), 0, 1)))
    rim *= 0.16 * np.clip(seen[:, 2], 0, 1) * (1 - 0.5 * surface.hair) * np.float32(light.dome)
    colour += per_channel(rim, _RIM_TINT)
    eyes = hits.is_part(Part.LEFT_EYE, Part.RIGHT_EYE)
    colour[eyes] += _catch_lights(hits.off_eye[eyes], hits.view[eyes], light)[:, None]
    return np.asarray(colour * np.float32(_EXPOSURE))


def _corrected_visibility(hits: Hits, pose: Pose) -> Float32[np.ndarray, "n 3"]:
    """Visibility, raised where single vertices cannot know it: folds, hair, the mouth's inside."""
    seen = np.copy(hits.seen)
    folds = hits.from_behind & (hits.part == Part.SKIN)
    seen[folds] = np.maximum(seen[folds], 0.65)
    seen[hits.from_behind & (hits.part == Part.STRANDS)] *= _INSIDE_HAIR
    teeth = hits.part == Part.TEETH
    seen[teeth] = (seen[teeth] * 0.5 + 0.5) * np.float32(pose.mouth_light)
    return seen


def _detailed_normals(hits: Hits, surface: Material, pores: Image) -> Float32[np.ndarray, "n 3"]:
    """Normals tilted by the pores of the skin, and those of the teeth."""
    normal = np.copy(hits.normal)
    teeth = hits.part == Part.TEETH
    normal[teeth] = tooth_normals(hits.template[teeth])
    depth = _PORE_DEPTH * (1 - np.float32(0.3) * surface.hair) * (hits.part == Part.SKIN)
    twice = 2 * hits.place
    around, up = (sample(pores, twice - np.floor(twice)) * depth[:, None]).T
    tilt = columns(around * normal[:, 2], up, -around * normal[:, 0])
    return normalized(normal + tilt)


def _irradiance(
    hits: Hits,
    surface: Material,
    normal: Float32[np.ndarray, "n 3"],
    seen: Float32[np.ndarray, "n 3"],
    light: Illumination,
) -> Float32[np.ndarray, "n 3"]:
    """Light that arrives, per channel: red goes further through skin and into shadows."""
    of_skin = per_channel(1 - surface.hair, _SKIN_WRAP) + (_HAIR_WRAP * surface.hair)[:, None]
    wrap = np.where((hits.part == Part.SKIN)[:, None], of_skin, _OTHER_WRAP)
    lamps = sum(
        np.float32(lamp.diffuse)
        * _wrapped(normal, lamp, wrap)
        * powers(np.clip(seen[:, number], 0, 1), _SHADOW_TINT)
        for number, lamp in enumerate(light.lamps)
    )
    dome = np.clip(seen[:, 2], 0, 1.15)
    upwards = np.float32(0.62) + np.float32(0.38) * dot(normal, light.up)
    lateral = np.abs(dot(normal, light.left))
    sidewards = np.clip(lateral * np.float32(1.1) - np.float32(0.15), 0, 1)
    strength = np.float32(light.dome)
    above = powers(dome, _SHADOW_TINT * np.float32(1.5))
    beside = powers(np.clip(dome * np.float32(1.2), 0, 1), _SHADOW_TINT)
    return np.asarray(
        lamps
        + (strength * _DOME * upwards)[:, None] * above
        + (strength * _AMBIENT * dome)[:, None]
        + (strength * _SIDE * sidewards)[:, None] * beside
    )


def _wrapped(normal: Float32[np.ndarray, "n 3"], lamp: Lamp, wrap: Array) -> Array:
    """Lambert's cosine, wrapped around the terminator as scattering under the skin does."""
    cosine = dot(normal, lamp.direction)[:, None]
    wrapped: Array = np.clip(cosine * (1 - wrap) + wrap, 0, 1)
    return wrapped ** np.float32(1.15)


def _highlight(
    lamp: Lamp, hits: Hits, surface: Material, normal: Float32[np.ndarray, "n 3"]
) -> Float32[np.ndarray, "n"]:
    """Blinn-Phong with Schlick's Fresnel factor."""
    half = normalized(hits.view + lamp.direction)
    cosine = np.clip(dot(normal, half), 0, 1)
    grazing = 1 - np.clip(dot(half, hits.view), 0, 1)
    fresnel = _REFLECTANCE + (1 - _REFLECTANCE) * np.square(np.square(grazing)) * grazing
    lobe = (surface.gloss + 2) / 8 * np.exp(surface.gloss * np.log(cosine + np.float32(1e-6)))
    return np.asarray(lamp.highlight * surface.shine * fresnel * lobe)


def _catch_lights(
    outwards: Float32[np.ndarray, "n 3"], view: Float32[np.ndarray, "n 3"], light: Illumination
) -> Float32[np.ndarray, "n"]:
    """Mirror images of the lamps on the cornea."""
    total = np.zeros(len(view), np.float32)
    key, fill = light.lamps
    for lamp, strength in ((key, 1.1 * light.key), (fill, 0.5 * light.fill)):
        half = normalized(lamp.direction + view)
        total += strength * smoothstep(0.985, 0.995, np.clip(dot(outwards, half), 0, 1))
    return total
