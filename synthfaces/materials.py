"""What the camera's rays hit, and what it is made of."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int8

from synthfaces.chart import Charts, sample
from synthfaces.eyes import eyeball_colour
from synthfaces.maths import contract, dot, mix, per_channel, to_linear
from synthfaces.mesh import Part
from synthfaces.pose import Pose
from synthfaces.subjects import Subject
from synthfaces.teeth import tooth_colour

_TONGUE, _MOUTH = to_linear([0.66, 0.30, 0.30]), to_linear([0.42, 0.16, 0.15])
_CREASE = np.array([0.36, 0.50, 0.50], np.float32)
_SHIRT = 0.02


@dataclass(frozen=True)
class Hits:
    """Where rays meet the head; n of them.

    Attributes:
        part: the `Part` that was hit.
        view: (n, 3) unit vectors back to the camera.
        normal: (n, 3) unit vectors, turned towards the camera.
        from_behind: whether the surface was hit on its inner side.
        template: (n, 3) the same places on the undeformed head, dm.
        place: (n, 2) fractions of the chart.
        seen: (n, 3) visibility of key lamp, fill lamp and dome.
        lips, mouth, underside, ears: (n,) masks.
        in_eye: (n, 3) unit vectors from the eyeball's centre, in its frame; zero elsewhere.
        off_eye: (n, 3) the same in the world.
    """

    part: Int8[np.ndarray, "n"]
    view: Float32[np.ndarray, "n 3"]
    normal: Float32[np.ndarray, "n 3"]
    from_behind: Bool[np.ndarray, "n"]
    template: Float32[np.ndarray, "n 3"]
    place: Float32[np.ndarray, "n 2"]
    seen: Float32[np.ndarray, "n 3"]
    lips: Float32[np.ndarray, "n"]
    mouth: Float32[np.ndarray, "n"]
    underside: Float32[np.ndarray, "n"]
    ears: Float32[np.ndarray, "n"]
    in_eye: Float32[np.ndarray, "n 3"]
    off_eye: Float32[np.ndarray, "n 3"]

    def is_part(self, *parts: Part) -> Bool[np.ndarray, "n"]:
        """Which hits are on one of these parts."""
        return np.asarray(np.any([self.part == part for part in parts], axis=0))


@dataclass(frozen=True)
class Material:
    """What reflects light at each hit.

    Attributes:
        albedo: (n, 3) linear RGB.
        hair: share of hair, 0..1.
        cloth: share of cloth, 0..1; it is matt and has no pores.
        shine: strength of highlights.
        gloss: their exponent.
    """

    albedo: Float32[np.ndarray, "n 3"]
    hair: Float32[np.ndarray, "n"]
    cloth: Float32[np.ndarray, "n"]
    shine: Float32[np.ndarray, "n"]
    gloss: Float32[np.ndarray, "n"]


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


def facing(
    normal: Float32[np.ndarray, "n 3"], view: Float32[np.ndarray, "n 3"]
) -> tuple[Float32[np.ndarray, "n 3"], Bool[np.ndarray, "n"]]:
    """Normals turned towards the camera, and which had to be: folds of the lids among them."""
    behind = dot(normal, view) < 0
    return np.where(behind[:, None], -normal, normal), behind
