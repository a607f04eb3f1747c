from dataclasses import replace

import numpy as np
import pytest

from synthfaces.chart import Charts, chart
from synthfaces.lighting import PLAIN
from synthfaces.materials import Hits, light_in_cavity, light_on_teeth
from synthfaces.mesh import Part
from synthfaces.photograph import Studio
from synthfaces.shading import shade
from synthfaces.specification import face_spec
from synthfaces.texture import Shirt, TShirt

FRONT = np.array([0, 0, 1], np.float32)
RIGHT = np.array([-1, 0, 1], np.float32) / np.float32(2**0.5)


@pytest.fixture(scope="module")
def studio(studio_of) -> Studio:
    """Of somebody surprised, in a wide open mouth's light."""
    return studio_of(face_spec(1, "surprised", angle=45), 224)


def shaded(studio: Studio, at: Hits) -> np.ndarray:
    return shade(at, studio.subject, studio.pose, studio.charts, PLAIN)


def hits(studio: Studio, chosen: np.ndarray, part: Part, view: np.ndarray) -> Hits:
    """Rays that meet vertices of the head in full light, from one side."""
    template, normal = studio.mesh.template[chosen], studio.pose.normals[chosen]
    masks = {name: mask[chosen] for name, mask in studio.mesh.masks.items()}
    nothing = np.zeros_like(template)
    return Hits(
        part=np.full(len(template), part, np.int8),
        view=np.tile(view, (len(template), 1)),
        normal=normal,
        from_behind=np.zeros(len(template), bool),
        template=template,
        place=chart(template),
        seen=np.ones_like(template),
        in_eye=nothing,
        off_eye=nothing,
        **masks,
    )


def arch(count: int, last: float) -> np.ndarray:
    """Places along the teeth's left half, from the middle on, up to an azimuth."""
    azimuth = np.linspace(0.01, last, count)
    places = [0.5 * np.sin(azimuth), np.full(count, 6.6), 0.95 + 0.5 * np.cos(azimuth)]
    return np.stack(places, axis=1).astype(np.float32)


def seen_at(places: np.ndarray, angle: float) -> np.ndarray:
    """Views of places along the arch that stand at an angle to it, degrees."""
    azimuth = np.arctan2(places[:, 0], places[:, 2] - 0.95) + np.radians(angle)
    view = [np.sin(azimuth), 0 * azimuth, np.cos(azimuth)]
    return np.stack(view, axis=1).astype(np.float32)


def test_the_cavity_gets_less_light_the_deeper_and_the_further_aside():
    depth = np.linspace(1.5, 0.6, 50, dtype=np.float32)
    behind = np.stack([0 * depth, 0 * depth + 6.6, depth], axis=1)
    light = light_in_cavity(behind, np.ones(50, np.float32))
    assert (np.diff(light) <= 0).all()
    assert light[0] == 1
    assert 0 < light[-1] < 0.2
    half = light_in_cavity(behind, np.full(50, 0.5, np.float32))
    assert half == pytest.approx((1 + light) / 2, abs=1e-6)
    aside = behind.copy()
    aside[:, 0] = 0.25
    assert (light_in_cavity(aside, np.ones(50, np.float32)) < light).all()


def test_teeth_fade_into_the_mouth_but_for_their_outer_side():
    places = arch(40, 1.2)
    past = light_on_teeth(places, np.tile(-FRONT, (40, 1)))
    assert (np.diff(past) <= 0).all()
    assert past[0] > 0.9
    assert past[-1] < 0.1
    assert (light_on_teeth(places, seen_at(places, 0)) == 1).all()


def test_from_the_side_the_front_teeth_shine_in_a_dark_mouth(studio):
    """The back teeth of the far side were a grey patch there."""
    lower = np.arange(*studio.mesh.parts["lower-teeth"].indices(len(studio.mesh.template)))
    template = studio.mesh.template[lower]
    crowns = (template[:, 1] > 6.54) & (template[:, 0] > -0.1)
    front = lower[crowns & (template[:, 2] > 1.44) & (np.abs(template[:, 0]) < 0.06)]
    back = lower[crowns & (template[:, 2] < 1.25) & (template[:, 0] > 0.15)]
    assert len(front) > 3
    assert len(back) > 3
    assert shaded(studio, hits(studio, front, Part.TEETH, RIGHT)).mean() > 0.4
    assert shaded(studio, hits(studio, back, Part.TEETH, RIGHT)).max() < 0.05


@pytest.mark.parametrize("shirt", [Shirt(), TShirt()])
def test_cloth_carries_nothing_of_the_skin_below(shirt, studio):
    cover = shirt.cover(studio.mesh.template[studio.mesh.skin])
    covered, bare = np.flatnonzero(cover == 1), np.flatnonzero(cover == 0)
    assert len(covered) > 50
    dressed = replace(studio, subject=replace(studio.subject, shirt=shirt))
    looks = studio.subject.looks
    darker = replace(looks, skin=looks.skin * np.float32(0.3), beard=1.0)
    others = [
        replace(dressed, charts=noisy(studio.charts)),
        replace(dressed, subject=replace(dressed.subject, looks=darker)),
    ]
    for chosen, same in ((covered, True), (bare, False)):
        at = hits(studio, chosen, Part.SKIN, RIGHT)
        for other in others:
            assert np.allclose(shaded(other, at), shaded(dressed, at), atol=1e-5) == same


def noisy(charts: Charts) -> Charts:
    """Charts of the same shape with quite another skin, all of it half hair."""
    rng = np.random.default_rng(0)
    shapes = charts.paint.shape, charts.creases.shape, charts.pores.shape
    paint, creases, pores = (rng.random(shape).astype(np.float32) for shape in shapes)
    return Charts(paint, creases, 4 * pores - 2)
