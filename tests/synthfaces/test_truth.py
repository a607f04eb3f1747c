from collections.abc import Callable

import numpy as np
import pytest

from synthfaces import rendering, texture
from synthfaces.appearance import FALLING
from synthfaces.camera import aim
from synthfaces.expressions import Expression
from synthfaces.mesh import Part
from synthfaces.photograph import SUPERSAMPLING
from synthfaces.rendering import ground_truth
from synthfaces.specification import FaceSpec, face_spec, intervene
from synthfaces.subjects import own_looks
from synthfaces.truth import FacePart, Truth, face_parts, majority

SIZE = 96
PEOPLE = (1, 3, 4, 9)


@pytest.fixture(scope="module")
def truth(anatomy_folder) -> Callable[[FaceSpec], Truth]:
    kept: dict[FaceSpec, Truth] = {}

    def found(spec: FaceSpec) -> Truth:
        if spec not in kept:
            kept[spec] = ground_truth(spec, SIZE, anatomy_folder)
        return kept[spec]

    return found


def height(truth: Truth, part: FacePart) -> float:
    """The mean row of a part."""
    return float(np.nonzero(truth.parts == part)[0].mean())


def point(truth: Truth, name: str) -> np.ndarray:
    return truth.landmarks.points[truth.landmarks.names.index(name)]


def visible(truth: Truth, name: str) -> bool:
    return bool(truth.landmarks.visible[truth.landmarks.names.index(name)])


@pytest.mark.parametrize("number", PEOPLE)
def test_parts_lie_above_each_other_as_in_a_face(number, truth):
    seen = truth(FaceSpec(number))
    order = ("HAIR", "FOREHEAD", "BROWS", "EYES", "NOSE", "MOUTH", "CHIN", "NECK")
    falls = own_looks(number, 0).style.cut in FALLING
    heights = [height(seen, FacePart[name]) for name in order if name != "HAIR" or not falls]
    assert heights == sorted(heights)
    assert set(np.unique(seen.parts)) == set(FacePart)


@pytest.mark.parametrize("number", PEOPLE)
def test_a_frontal_face_is_alike_on_both_sides(number, truth):
    parts = truth(FaceSpec(number)).parts
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
def test_the_background_is_where_no_ray_meets_the_head(angle, truth, anatomy_folder):
    spec = face_spec(4, "fearful", angle=angle)
    studio = rendering.renderer(SIZE, 0, anatomy_folder).studio(
        rendering.sitter(spec, SIZE, anatomy_folder), spec
    )
    camera = aim(studio.subject.framing, angle, spec.nuisance, head=spec.head)
    rays = camera.rays(SIZE * SUPERSAMPLING)
    found = studio.geometry.meet(camera, rays)
    depth = np.where(found["primID"] >= 0, found["tfar"], np.inf).astype(np.float32)
    met = (found["primID"] >= 0) | (studio.geometry.lashes.meet(camera, rays).before(depth) > 0)
    hits = met.reshape(SIZE, SUPERSAMPLING, SIZE, SUPERSAMPLING).sum(axis=(1, 3))
    background = truth(spec).parts == FacePart.BACKGROUND
    assert background[hits == 0].all()
    assert not background[hits > SUPERSAMPLING**2 / 2].any()


@pytest.mark.parametrize("number", PEOPLE)
def test_landmarks_lie_in_their_parts(number, truth):
    seen = truth(FaceSpec(number))
    marks = seen.landmarks
    assert marks.visible.all()
    assert len(marks.names) == 28
    for name, (x, y), part in zip(marks.names, marks.points, marks.parts, strict=True):
        assert seen.parts[int(y), int(x)] == part, name


def test_left_is_the_subjects_left(truth):
    seen = truth(FaceSpec(3))
    for name in seen.landmarks.names:
        side, _, what = name.partition("-")
        if side == "left":
            assert point(seen, name)[0] > point(seen, f"right-{what}")[0], name


def test_landmarks_follow_what_the_face_does(truth):
    rest = truth(FaceSpec(3))
    opened = truth(FaceSpec(3, Expression({"jawOpen": 1.0})))
    assert point(opened, "lower-lip")[1] > point(rest, "lower-lip")[1] + 2
    assert np.array_equal(point(opened, "left-brow-middle"), point(rest, "left-brow-middle"))
    to_left = truth(intervene(FaceSpec(3), gaze="left"))
    for side in ("left", "right"):
        assert point(to_left, f"{side}-pupil")[0] > point(rest, f"{side}-pupil")[0] + 1
    assert np.array_equal(point(to_left, "nose-tip"), point(rest, "nose-tip"))


def test_what_is_hidden_is_not_visible(truth):
    from_the_right = truth(FaceSpec(3, angle=0))
    assert visible(from_the_right, "right-pupil")
    assert visible(from_the_right, "right-cheek")
    assert not visible(from_the_right, "left-pupil")
    assert not visible(from_the_right, "left-cheek")
    asleep = truth(FaceSpec(3, Expression({"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0})))
    assert not visible(asleep, "left-pupil")
    assert visible(asleep, "left-upper-lid")


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
    spec = intervene(face_spec(3, "happy", "left", 45), skin=4)
    seen = truth(spec)
    np.savez(tmp_path / "truth.npz", **seen.arrays())
    with np.load(tmp_path / "truth.npz", allow_pickle=False) as kept:
        assert np.array_equal(kept["parts"], seen.parts)
        weights = dict(zip(kept["action_names"], kept["action_weights"], strict=True))
        assert weights == dict(spec.expression.actions)
        assert kept["part_names"][FacePart.MOUTH] == "mouth"
        assert kept["subject"].tolist() == [3, 3, 4, 3]
        where = kept["camera_position"] + 16 * kept["camera_axes"][2]
        assert where == pytest.approx([0, where[1], where[2]], abs=1e-9)
