"""What is known about an image: its parts and landmarks, and where turning the head takes them."""

from typing import Any

import numpy as np
import pytest

from synthfaces import rendering, texture
from synthfaces.appearance import FALLING
from synthfaces.camera import HEAD, Nuisance, View, aim
from synthfaces.expressions import Expression, Head, follow_gaze, held_lids
from synthfaces.lighting import Illumination, Light, dome_rays
from synthfaces.mesh import Part
from synthfaces.parameters import Difficulty
from synthfaces.photograph import SUPERSAMPLING
from synthfaces.specification import FaceSpec, face_spec, intervene
from synthfaces.subjects import Framing, own_looks, pose
from synthfaces.truth import FacePart, Truth, face_parts, majority

SIZE = 96
WHOLE = Difficulty(crop="head")
PEOPLE = (1, 3, 4, 9)


def point(truth: Truth, name: str) -> np.ndarray:
    return truth.landmarks.points[truth.landmarks.names.index(name)]


def visible(truth: Truth, *names: str) -> list[bool]:
    seen = dict(zip(truth.landmarks.names, truth.landmarks.visible.tolist(), strict=True))
    return [seen[name] for name in names]


@pytest.mark.parametrize("number", PEOPLE)
def test_parts_lie_above_each_other_as_in_a_face_with_the_landmarks_in_them(number, truth):
    seen = truth(FaceSpec(number, difficulty=WHOLE), SIZE)
    order = ["FOREHEAD", "BROWS", "EYES", "NOSE", "MOUTH", "CHIN", "NECK"]
    if own_looks(number, 0).style.cut not in FALLING:
        order.insert(0, "HAIR")
    heights = [np.nonzero(seen.parts == FacePart[name])[0].mean() for name in order]
    assert heights == sorted(heights)
    assert set(np.unique(seen.parts)) == set(FacePart)
    marks = seen.landmarks
    assert marks.visible.all()
    assert len(marks.names) == 28
    for name, (x, y), part in zip(marks.names, marks.points, marks.parts, strict=True):
        assert seen.parts[int(y), int(x)] == part, name
        if name.startswith("left-"):  # the subject's
            assert x > point(seen, name.replace("left", "right"))[0], name


@pytest.mark.parametrize("number", PEOPLE)
def test_a_frontal_face_is_alike_on_both_sides(number, truth):
    parts = truth(FaceSpec(number), SIZE).parts
    # some heads stand a little beside the middle of the picture
    mirrored = [np.roll(parts[:, ::-1], shift, axis=1) for shift in range(-8, 9)]
    alike = max(mirrored, key=lambda other: (other == parts).mean())
    both = (parts >= FacePart.EARS) & (alike >= FacePart.EARS)
    assert both.mean() > 0.3
    assert (parts == alike)[both].mean() > 0.95
    for part in FacePart:
        if part > FacePart.EARS:
            assert (parts == part)[alike == part].mean() > 0.85, part


@pytest.mark.parametrize("angle", [0, 45, 90, 180])
def test_the_background_is_where_no_ray_meets_the_head(angle, truth, studio_of):
    spec = face_spec(4, "fearful", angle=angle)
    studio = studio_of(spec, SIZE)
    camera = spec.camera(studio.subject.framing)
    rays = camera.rays(SIZE * SUPERSAMPLING)
    found = studio.geometry.meet(camera, rays)
    depth = np.where(found["primID"] >= 0, found["tfar"], np.inf).astype(np.float32)
    met = (found["primID"] >= 0) | (studio.geometry.lashes.meet(camera, rays).before(depth) > 0)
    hits = met.reshape(SIZE, SUPERSAMPLING, SIZE, SUPERSAMPLING).sum(axis=(1, 3))
    background = truth(spec, SIZE).parts == FacePart.BACKGROUND
    assert background[hits == 0].all()
    assert not background[hits > SUPERSAMPLING**2 / 2].any()


def test_landmarks_follow_what_the_face_does(truth):
    rest = truth(FaceSpec(3), SIZE)
    opened = truth(FaceSpec(3, Expression({"jawOpen": 1.0})), SIZE)
    assert point(opened, "lower-lip")[1] > point(rest, "lower-lip")[1] + 2
    assert np.array_equal(point(opened, "left-brow-middle"), point(rest, "left-brow-middle"))
    to_left = truth(intervene(FaceSpec(3), gaze="left"), SIZE)
    for side in ("left", "right"):
        assert point(to_left, f"{side}-pupil")[0] > point(rest, f"{side}-pupil")[0] + 1
    assert np.array_equal(point(to_left, "nose-tip"), point(rest, "nose-tip"))


def test_what_is_hidden_is_not_visible(truth):
    from_the_right = truth(FaceSpec(3, angle=0), SIZE)
    assert visible(from_the_right, "right-pupil", "right-cheek") == [True, True]
    assert visible(from_the_right, "left-pupil", "left-cheek") == [False, False]
    asleep = truth(FaceSpec(3, Expression({"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0})), SIZE)
    assert visible(asleep, "left-pupil", "left-upper-lid") == [False, True]


def test_teeth_and_tongue_are_mouth_and_eyeballs_are_eyes():
    material = np.array([Part.TEETH, Part.TONGUE, Part.LEFT_EYE, Part.STRANDS], np.int8)
    nowhere, zeros = np.zeros((4, 3), np.float32), np.zeros(4, np.float32)
    masks = {"lips": zeros, "mouth": zeros, "ears": zeros}
    expected = [FacePart.MOUTH, FacePart.MOUTH, FacePart.EYES, FacePart.HAIR]
    assert face_parts(material, nowhere, zeros, masks).tolist() == expected


@pytest.mark.parametrize("male", [False, True])
def test_brows_of_all_people_lie_in_the_part_of_that_name(male):
    inside = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        style = texture.draw_brow_style(male, rng)
        roots, tips = texture._hairs(texture._ridge(male, style), 1, style.fullness, rng)
        points = np.concatenate([roots, (roots + tips) / 2])
        template = np.pad(points, ((0, 0), (0, 1)), constant_values=1.4).astype(np.float32)
        zeros = np.zeros(len(template), np.float32)
        skin = np.full(len(template), Part.SKIN, np.int8)
        found = face_parts(skin, template, zeros, {"lips": zeros, "mouth": zeros, "ears": zeros})
        inside.append((found == FacePart.BROWS).mean())
    assert np.mean(inside) > 0.97
    assert np.min(inside) > 0.8


def test_a_pixel_shows_the_part_of_most_samples_and_the_smaller_of_two():
    hair, eyes, brows = FacePart.HAIR, FacePart.EYES, FacePart.BROWS
    nose, nothing = FacePart.NOSE, FacePart.BACKGROUND
    samples = [
        [hair, hair, hair, eyes],
        [hair, brows, eyes, hair],
        [nose, nothing, nothing, nothing],
        [nothing, nose, brows, nothing],
    ]
    assert majority(np.array(samples, np.uint8)).tolist() == [[hair, eyes], [nose, nothing]]


def test_the_truth_can_be_kept_in_a_file_of_plain_arrays(truth, tmp_path):
    spec = intervene(face_spec(3, "happy", "left", 45, difficulty=WHOLE), skin=4)
    seen = truth(spec, SIZE)
    np.savez(tmp_path / "truth.npz", **seen.arrays())
    with np.load(tmp_path / "truth.npz", allow_pickle=False) as kept:
        assert np.array_equal(kept["parts"], seen.parts)
        weights = dict(zip(kept["action_names"], kept["action_weights"], strict=True))
        assert weights == dict(spec.expression.actions)
        assert kept["part_names"][FacePart.MOUTH] == "mouth"
        assert kept["subject"].tolist() == [3, 3, 4, 3]
        assert kept["head"].tolist() == [spec.head.turn, spec.head.nod]
        assert kept["noise"] == spec.nuisance.noise
        knobs = dict(zip(kept["difficulty_names"], kept["difficulty"], strict=True))
        assert knobs == spec.difficulty.values
        where = kept["camera_position"] + 16 * kept["camera_axes"][2]
        assert where == pytest.approx([0, where[1], where[2]], abs=1e-9)


@pytest.mark.parametrize("turn", [20, -15])
def test_a_turned_head_is_seen_as_by_a_camera_that_went_the_other_way(turn, image, truth):
    usual: Any = {"nuisance": Nuisance(noise=0.0), "difficulty": WHOLE}
    held = FaceSpec(1, head=Head(turn=turn), light=Light(turn=turn, dome=0), **usual)
    back = Expression(follow_gaze(-turn), gaze_yaw=-turn)
    seen = FaceSpec(1, back, angle=90 - turn, light=Light(dome=0), **usual)
    assert (np.abs(image(held, SIZE) - image(seen, SIZE)) > 1).mean() < 0.005
    one, other = truth(held, SIZE), truth(seen, SIZE)
    assert (one.parts != other.parts).mean() < 0.003
    assert one.landmarks.points == pytest.approx(other.landmarks.points, abs=1e-3)
    upright = image(FaceSpec(1, light=Light(dome=0), **usual), SIZE)
    assert (np.abs(image(held, SIZE) - upright) > 1).mean() > 0.1


@pytest.mark.parametrize("view", [HEAD, View(face=0.3, eyes=0.4, aspect=1.5)])
@pytest.mark.parametrize("angle", [45, 90])
def test_points_of_a_head_that_is_held_lie_where_turning_them_takes_them(view, angle):
    framing, head = Framing(7.2, 6.1, 0.8), Head(turn=12, nod=-8)
    nuisance = Nuisance((0.02, -0.01), 1.1, 0.1)
    points = np.random.default_rng(0).normal([0, 6.8, 0.9], 0.5, (50, 3))
    height = (framing.eyes - framing.chin) / HEAD.face
    pivot = np.array([0, framing.eyes - (0.5 - HEAD.eyes) * height, framing.depth])
    moved = pivot + (points - pivot) @ head.rotation.T
    held = aim(framing, angle, nuisance, view, head).project(points)
    assert held == pytest.approx(aim(framing, angle, nuisance, view).project(moved), abs=1e-9)


def test_turning_goes_to_the_subjects_left_and_nodding_down(truth):
    spec = intervene(face_spec(3, "neutral"), head=Head())
    heads = (Head(), Head(turn=10), Head(nod=10))
    rest, left, down = (truth(intervene(spec, head=head), SIZE) for head in heads)
    assert point(left, "nose-tip")[0] > point(rest, "nose-tip")[0] + 3
    for name in ("nose-tip", "forehead"):
        assert point(down, name)[1] > point(rest, name)[1] + 3


@pytest.mark.parametrize("head", [Head(turn=15), Head(nod=-12), Head(turn=-10, nod=10)])
@pytest.mark.parametrize("gaze", ["frontal", "left"])
def test_the_eyes_look_where_they_looked_before_the_head_was_held(head, gaze):
    spec = face_spec(2, "neutral", gaze)
    mesh = rendering.renderer(SIZE, 0).mesh
    subject = rendering.sitter(spec, SIZE).subject
    before, after = (pose(mesh, subject, spec.expression, held) for held in (Head(), head))
    gazes = before.eye_rotation[:, 2], head.rotation @ after.eye_rotation[:, 2]
    assert gazes[1] == pytest.approx(gazes[0], abs=1e-6)
    assert np.abs(after.eye_rotation[:, 2] - gazes[0]).max() > 0.1


def test_lids_follow_eyes_that_the_head_leaves_behind():
    ahead = Expression({"jawOpen": 0.3})
    assert held_lids(ahead, 0, 0) is ahead.actions
    moved = {name for name, weight in held_lids(ahead, 13, 0).items() if weight}
    assert moved == {"jawOpen", "eyeLookInLeft", "eyeLookOutRight"}
    averted, out = Expression(follow_gaze(20), gaze_yaw=20), "eyeLookOutLeft"
    assert not any(held_lids(averted, 20, 0).values())
    assert held_lids(averted, 5, 0)[out] == pytest.approx(follow_gaze(15)[out])
    assert held_lids(ahead, 0, 10)["eyeLookUpLeft"] > 0.2
    sad = Expression({"eyeLookDownLeft": 0.1, "eyeLookDownRight": 0.1})
    assert held_lids(sad, 0, -10)["eyeLookDownRight"] > 0.3
    assert max(held_lids(sad, 0, -30).values()) <= 1.35


def test_lamps_and_dome_stay_in_the_room():
    head = Head(turn=25, nod=15)
    plain, held = Illumination(), Illumination(head=head)
    for lamp, other in zip(plain.lamps, held.lamps, strict=True):
        assert head.rotation @ other.direction == pytest.approx(lamp.direction, abs=1e-6)
        assert (lamp.diffuse, lamp.highlight) == (other.diffuse, other.highlight)
    assert head.rotation @ held.up == pytest.approx([0, 1, 0], abs=1e-6)
    assert head.rotation @ held.left == pytest.approx([1, 0, 0], abs=1e-6)
    assert held.sky @ head.rotation.T == pytest.approx(dome_rays(), abs=1e-6)
    assert np.array_equal(plain.sky, dome_rays())


@pytest.mark.parametrize("view", [HEAD, View(face=0.37, eyes=0.4, aspect=1.5)])
def test_a_camera_sees_points_where_its_rays_go(view):
    camera = aim(Framing(7.2, 6.1, 0.8), 60, Nuisance((0.02, -0.01), 1.1, 0.1), view)
    columns, rows = 34, camera.rows(34)
    assert rows == round(34 * view.aspect)
    points = camera.position + 7 * camera.rays(columns).astype(np.float64)
    places = camera.project(points) * (columns, rows) - 0.5
    row, column = np.divmod(np.arange(rows * columns), columns)
    assert np.allclose(places, np.stack([column, row], axis=1), atol=1e-3)
