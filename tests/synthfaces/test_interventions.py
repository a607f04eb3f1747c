"""What an intervention changes in the image, and what it leaves alone to the byte."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from synthfaces.lighting import Light
from synthfaces.mesh import Part
from synthfaces.parameters import Difficulty
from synthfaces.photograph import SUPERSAMPLING, Studio
from synthfaces.rendering import render_face
from synthfaces.specification import FaceSpec, face_spec, intervene
from synthfaces.truth import FacePart, Truth

SIZE = 64
LENS_REACH = 2
"""Pixels that the blur of the lens takes in on each side."""
NEIGHBOUR = 1
"""Pixels next to one whose rays decide how often it is shaded."""

Seen = tuple[np.ndarray, Truth]


@pytest.fixture
def see(image, truth) -> Callable[[FaceSpec], Seen]:
    return lambda spec: (image(spec, SIZE), truth(spec, SIZE))


@pytest.fixture(params=[(1, "neutral"), (9, "happy")], ids=["bob", "long-hair"])
def spec(request) -> FaceSpec:
    return face_spec(*request.param, difficulty=Difficulty(intensity=1.03, crop="head"))


def near(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A mask and what lies within some pixels of it."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)) > 0


def change(before: Seen, after: Seen) -> np.ndarray:
    """Levels by which each pixel differs."""
    return np.abs(before[0] - after[0]).max(axis=-1)


def shows(seen: Seen, *parts: FacePart) -> np.ndarray:
    return np.isin(seen[1].parts, parts)


def outline(before: Seen, after: Seen) -> np.ndarray:
    """All but the background that stays background, with what the lens spreads it over."""
    head = ~(shows(before, FacePart.BACKGROUND) & shows(after, FacePart.BACKGROUND))
    return near(head, LENS_REACH + 1)


def first_met(studio: Studio, spec: FaceSpec) -> tuple[np.ndarray, np.ndarray]:
    """The triangle that each ray meets first, and the opacity of lashes before it."""
    camera = spec.camera(studio.subject.framing)
    rays = camera.rays(SIZE * SUPERSAMPLING)
    found = studio.geometry.meet(camera, rays)
    depth = np.where(found["primID"] >= 0, found["tfar"], np.inf).astype(np.float32)
    return found["primID"], studio.geometry.lashes.meet(camera, rays).before(depth)


def unreached(specs: tuple[FaceSpec, FaceSpec], studio_of) -> np.ndarray:
    """Pixels whose rays meet what has neither moved nor is lit otherwise, nor has their border."""
    one, other = studios = [studio_of(spec, SIZE) for spec in specs]
    everywhere = np.ones(len(one.mesh.template), bool)
    moved = np.zeros(len(one.geometry.template), bool)  # strands of hair stay
    moved[: len(everywhere)] = (one.fields(everywhere) != other.fields(everywhere)).any(axis=1)
    moved[: len(everywhere)] |= (one.pose.vertices != other.pose.vertices).any(axis=1)
    material = one.geometry.material
    changed = moved[one.geometry.triangles].any(axis=1) | (material == Part.TEETH)
    (met, lash), (met_after, lash_after) = map(first_met, studios, specs)
    same = (met == met_after) & (lash == lash_after) & ((met < 0) | ~changed[met])
    sides = (SIZE, SUPERSAMPLING)
    pixels = same.reshape(*sides, *sides).all(axis=(1, 3))
    return ~near(~pixels, LENS_REACH + NEIGHBOUR)


@pytest.mark.parametrize(
    ("cause", "share"),
    [
        ({"actions": {"jawOpen": 0.5}}, 0.35),
        ({"gaze": "left"}, 0.7),
        ({"actions": {"eyeBlink": 1.0}}, 0.7),
    ],
)
def test_what_neither_moves_nor_is_lit_otherwise_stays(cause, share, spec, see, studio_of):
    other = intervene(spec, **cause)
    free = unreached((spec, other), studio_of)
    changed = change(see(spec), see(other))
    assert changed[free].max() == 0
    assert free.mean() > share
    assert changed[~free].max() > 20


@pytest.mark.parametrize("action", ["mouthSmile", "jawOpen"])
def test_the_mouth_reaches_the_upper_face_through_shadows_alone(action, spec, see):
    before, after = see(spec), see(intervene(spec, actions={action: 0.9}))
    changed = change(before, after)
    upper = (FacePart.FOREHEAD, FacePart.BROWS)
    still = shows(before, *upper) & shows(after, *upper)
    assert changed[still].max() <= 2
    assert (changed[still] > 0).mean() < 0.1
    assert changed[: SIZE // 4].max() == 0
    assert changed[shows(before, FacePart.MOUTH)].mean() > 10


def test_the_brows_leave_mouth_and_chin_alone(spec, see):
    before, after = see(spec), see(intervene(spec, actions={"browInnerUp": 1.0}))
    changed = change(before, after)
    assert changed[shows(before, FacePart.MOUTH, FacePart.CHIN, FacePart.NECK)].max() == 0
    assert changed[shows(before, FacePart.BROWS)].mean() > 5


def test_the_gaze_changes_the_eyes_and_next_to_nothing_beside_them(spec, see):
    before, after = see(spec), see(intervene(spec, gaze="left"))
    changed = change(before, after)
    eyes = shows(before, FacePart.EYES)
    assert changed[eyes].max() > 100
    assert changed[~near(eyes, LENS_REACH)].max() <= 4
    assert changed[~near(eyes, SIZE // 8)].max() == 0


def test_the_light_changes_no_part_and_no_background(spec, see):
    before, after = see(spec), see(intervene(spec, light=Light(turn=70, key=1.5)))
    assert np.array_equal(before[1].parts, after[1].parts)
    assert change(before, after)[~outline(before, after)].max() == 0


def test_lamps_that_are_carried_round_light_the_other_side(see):
    middle, balance = SIZE // 2, {}
    for turn in (-60, 60):
        image, truth = see(FaceSpec(3, light=Light(turn=turn, fill=0)))
        bright = np.where(truth.parts == FacePart.CHEEKS, image.mean(axis=-1), np.nan)
        balance[turn] = np.nanmean(bright[:, middle:]) - np.nanmean(bright[:, :middle])
    assert balance[-60] < -20
    assert balance[60] > 20


def test_the_skin_changes_neither_parts_nor_hair(spec, see):
    before, after = see(spec), see(intervene(spec, skin=3))
    assert np.array_equal(before[1].parts, after[1].parts)
    changed = change(before, after)
    assert changed[~outline(before, after)].max() == 0
    hair = ~near(~shows(before, FacePart.HAIR), 2 * LENS_REACH)
    assert changed[hair].max() <= 2
    assert changed[shows(before, FacePart.CHEEKS)].mean() > 10


def test_the_hair_leaves_the_middle_of_the_face_alone(spec, see):
    before, after = see(spec), see(intervene(spec, hair=3))
    changed = change(before, after)
    assert changed[shows(before, FacePart.NOSE, FacePart.MOUTH, FacePart.CHIN)].max() == 0
    hair = shows(before, FacePart.HAIR) | shows(after, FacePart.HAIR)
    beside = shows(before, FacePart.BROWS, FacePart.EYES) & ~near(hair, LENS_REACH)
    assert changed[beside].max() <= 2
    assert changed[shows(before, FacePart.HAIR)].mean() > 20


def test_another_shape_keeps_the_colours_and_the_jitter(spec, see):
    before, after = see(spec), see(intervene(spec, shape=3))
    assert (before[1].parts != after[1].parts).mean() > 0.05
    strands = near(outline(before, after), 2)  # single ones may cross a pixel that shows the wall
    assert change(before, after)[~strands].max() == 0
    shots = (before, after, see(intervene(spec, skin=3)))
    cheeks = [seen[0][shows(seen, FacePart.CHEEKS)].mean(axis=0) for seen in shots]
    assert np.abs(cheeks[0] - cheeks[1]).max() < 12
    assert np.abs(cheeks[0] - cheeks[2]).max() > 15


def test_interventions_add_up_in_any_order():
    spec = face_spec(1, "neutral")
    one = intervene(intervene(spec, gaze="left"), actions={"jawOpen": 0.4})
    other = intervene(intervene(spec, actions={"jawOpen": 0.4}), gaze="left")
    assert one == other
    images = [render_face(each, SIZE).astype(int) for each in (one, other)]
    assert np.abs(images[0] - images[1]).max() <= 1
