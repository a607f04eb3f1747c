"""A head that is turned and nodded: seen from elsewhere, in light and with eyes that stay."""

from collections.abc import Callable

import numpy as np
import pytest

from synthfaces import rendering
from synthfaces.camera import SQUARE, Nuisance, View, aim
from synthfaces.expressions import Expression, Head, follow_gaze, held_lids
from synthfaces.lighting import Illumination, Light, dome_rays
from synthfaces.rendering import ground_truth, render_face
from synthfaces.specification import FaceSpec, face_spec, intervene
from synthfaces.subjects import Framing, pose
from synthfaces.truth import Truth

SIZE = 96
LAMPS = Light(dome=0)


@pytest.fixture(scope="module")
def truth(anatomy_folder) -> Callable[[FaceSpec], Truth]:
    kept: dict[FaceSpec, Truth] = {}

    def found(spec: FaceSpec) -> Truth:
        if spec not in kept:
            kept[spec] = ground_truth(spec, SIZE, anatomy_folder)
        return kept[spec]

    return found


def point(truth: Truth, name: str) -> np.ndarray:
    return truth.landmarks.points[truth.landmarks.names.index(name)]


@pytest.mark.parametrize("turn", [20, -15])
def test_a_turned_head_is_seen_as_by_a_camera_that_went_the_other_way(turn, anatomy_folder, truth):
    quiet = Nuisance(noise=0.0)
    held = FaceSpec(1, head=Head(turn=turn), light=Light(turn=turn, dome=0), nuisance=quiet)
    back = Expression(follow_gaze(-turn), gaze_yaw=-turn)
    seen = FaceSpec(1, back, angle=90 - turn, light=LAMPS, nuisance=quiet)
    images = [render_face(spec, SIZE, anatomy_folder).astype(int) for spec in (held, seen)]
    difference = np.abs(images[0] - images[1])
    assert (difference > 1).mean() < 0.005
    assert (truth(held).parts != truth(seen).parts).mean() < 0.003
    assert truth(held).landmarks.points == pytest.approx(truth(seen).landmarks.points, abs=1e-3)
    upright = render_face(FaceSpec(1, light=LAMPS, nuisance=quiet), SIZE, anatomy_folder)
    assert (np.abs(images[0] - upright) > 1).mean() > 0.1


@pytest.mark.parametrize("view", [SQUARE, View(face=0.3, eyes=0.4, aspect=1.5)])
@pytest.mark.parametrize("angle", [45, 90])
def test_points_of_a_head_that_is_held_lie_where_turning_them_takes_them(view, angle):
    framing, head = Framing(7.2, 6.1, 0.8), Head(turn=12, nod=-8)
    nuisance = Nuisance((0.02, -0.01), 1.1, 0.1)
    points = np.random.default_rng(0).normal([0, 6.8, 0.9], 0.5, (50, 3))
    height = (framing.eyes - framing.chin) / SQUARE.face
    pivot = np.array([0, framing.eyes - (0.5 - SQUARE.eyes) * height, framing.depth])
    moved = pivot + (points - pivot) @ head.rotation.T
    held = aim(framing, angle, nuisance, view, head).project(points)
    assert held == pytest.approx(aim(framing, angle, nuisance, view).project(moved), abs=1e-9)


def test_left_is_the_subjects_left_and_nodding_goes_down(truth):
    spec = intervene(face_spec(3, "neutral"), head=Head())
    rest = truth(spec)
    left, down = (
        truth(intervene(spec, head=Head(turn=10))),
        truth(intervene(spec, head=Head(nod=10))),
    )
    assert point(left, "nose-tip")[0] > point(rest, "nose-tip")[0] + 3
    assert point(down, "nose-tip")[1] > point(rest, "nose-tip")[1] + 3
    assert point(down, "forehead")[1] > point(rest, "forehead")[1] + 3


@pytest.mark.parametrize("head", [Head(turn=15), Head(nod=-12), Head(turn=-10, nod=10)])
@pytest.mark.parametrize("gaze", ["frontal", "left"])
def test_the_eyes_look_where_they_looked_before_the_head_was_held(head, gaze, anatomy_folder):
    spec = face_spec(2, "neutral", gaze)
    mesh = rendering.renderer(SIZE, 0, anatomy_folder).mesh
    subject = rendering.sitter(spec, SIZE, anatomy_folder).subject
    before, after = (pose(mesh, subject, spec.expression, held) for held in (Head(), head))
    gazes = before.eye_rotation[:, 2], head.rotation @ after.eye_rotation[:, 2]
    assert gazes[1] == pytest.approx(gazes[0], abs=1e-6)
    assert np.abs(after.eye_rotation[:, 2] - gazes[0]).max() > 0.1


def test_lids_follow_eyes_that_the_head_leaves_behind():
    ahead = Expression({"jawOpen": 0.3})
    assert held_lids(ahead, 0, 0) is ahead.actions
    to_left = held_lids(ahead, 13, 0)
    assert {name for name, weight in to_left.items() if weight} == {
        "jawOpen",
        "eyeLookInLeft",
        "eyeLookOutRight",
    }
    averted = Expression(follow_gaze(20), gaze_yaw=20)
    assert not any(held_lids(averted, 20, 0).values())
    assert held_lids(averted, 5, 0)["eyeLookOutLeft"] == pytest.approx(
        follow_gaze(15)["eyeLookOutLeft"]
    )
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


@pytest.mark.parametrize("view", [SQUARE, View(face=0.37, eyes=0.4, aspect=1.5)])
def test_a_camera_sees_points_where_its_rays_go(view):
    camera = aim(Framing(7.2, 6.1, 0.8), 60, Nuisance((0.02, -0.01), 1.1, 0.1), view)
    columns, rows = 34, camera.rows(34)
    assert rows == round(34 * view.aspect)
    points = camera.position + 7 * camera.rays(columns).astype(np.float64)
    places = camera.project(points) * (columns, rows) - 0.5
    row, column = np.divmod(np.arange(rows * columns), columns)
    assert np.allclose(places, np.stack([column, row], axis=1), atol=1e-3)
