"""Hair as geometry: what lifts the scalp, and the strands above it."""

import numpy as np
from jaxtyping import Float, Float32

from synthfaces.chart import AXIS_DEPTH
from synthfaces.grooming import grow
from synthfaces.hair_styles import Cut, HairStyle, hair_cover
from synthfaces.maths import smoothstep
from synthfaces.mesh import HeadMesh
from synthfaces.ribbons import Ribbons, make_ribbons
from synthfaces.scalp import Scalp

_SCALP_SOFTNESS = 0.25
_BODY = {
    Cut.BUZZED: 0.008,
    Cut.CROPPED: 0.04,
    Cut.PARTED: 0.09,
    Cut.FRINGE: 0.07,
    Cut.SWEPT: 0.10,
    Cut.TIED: 0.025,
    Cut.BOB: 0.10,
    Cut.LONG: 0.09,
    Cut.CURLY: 0.20,
}
"""By how much the hair of each cut lifts the top of the scalp under its strands, dm."""


def hair_thickness(mesh: HeadMesh, style: HairStyle) -> Float32[np.ndarray, "s"]:
    """By how much hair lifts each vertex of the skin, dm."""
    points = mesh.template[mesh.skin]
    azimuth = np.arctan2(points[:, 0], points[:, 2] - AXIS_DEPTH)
    cover = smoothstep(0.5, 1, hair_cover(azimuth, points[:, 1], style, _SCALP_SOFTNESS))
    growth = 0.15 + 0.85 * smoothstep(7.0, 8.3, points[:, 1])
    bare = 1 - mesh.masks["ears"][mesh.skin]
    lift = cover * bare * _BODY[style.cut] * style.volume * growth
    return np.asarray(lift, dtype=np.float32)


def hair_ribbons(
    scalp: Scalp, skin: Float[np.ndarray, "s 3"], style: HairStyle, rng: np.random.Generator
) -> Ribbons:
    """The strands of a style on a subject's head.

    Args:
        scalp: the undeformed head.
        skin: the subject's skin at rest.
        style: what is done with the hair.
        rng: the stream of the subject whose hair it is.
    """
    return make_ribbons(grow(scalp, style, rng), scalp, skin, rng)
