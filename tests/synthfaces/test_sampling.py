"""Where a picture is traced and shaded, and light that is asked for in parts."""

import numpy as np
import pytest

from synthfaces.camera import Camera
from synthfaces.lighting import Visibility
from synthfaces.maths import passed, scaled
from synthfaces.mesh import FINE, NOTHING, SMOOTH, STRANDS
from synthfaces.photograph import SUPERSAMPLING, Studio
from synthfaces.specification import face_spec
from synthfaces.tracing import Places, between, places_met, plain_kind, rays_of_pixels

SIZE = 96
NARROW = 0.01
LONG_HAIR = 9


@pytest.fixture(scope="module")
def view(studio_of) -> tuple[Studio, Camera]:
    spec = face_spec(LONG_HAIR, "happy", "frontal", 45)
    studio = studio_of(spec, SIZE)
    return studio, spec.camera(studio.subject.framing)


def kinds(picture: np.ndarray, depth: np.ndarray | None = None):
    """`plain_kind` of a picture that is given ray by ray, as a picture of pixels."""
    rows, columns = (side // SUPERSAMPLING for side in picture.shape)
    ends = rays_of_pixels(rows, columns, SUPERSAMPLING)[:, [0, -1]]
    depth = np.zeros(picture.shape, np.float32) if depth is None else depth
    kind = plain_kind(picture.ravel()[ends], depth.ravel()[ends], columns, NARROW)
    return kind.reshape(rows, columns)


def test_a_ray_that_is_not_traced_is_judged_by_those_around_it():
    picture = np.full((6, 6), SMOOTH)
    picture[2, 2] = NOTHING  # the first ray of the pixel in the middle
    expected = np.full((3, 3), SMOOTH)
    expected[1, 1] = FINE
    expected[0, 1] = expected[1, 0] = FINE  # whose ray is below, and at the right of, the other two
    assert np.array_equal(kinds(picture), expected)
    assert np.array_equal(kinds(picture[::-1, ::-1]), expected[::-1, ::-1])


def test_no_outline_gets_through_between_the_rays_that_are_traced():
    for column in range(2, 10):
        picture = np.full((12, 12), SMOOTH)
        picture[:, column:] = STRANDS
        pixels = picture.reshape(6, 2, 6, 2)
        differ = (pixels != pixels[:, :1, :, :1]).any(axis=(1, 3))
        assert (kinds(picture)[differ] == FINE).all()


def test_steep_skin_is_fine_and_level_skin_is_not():
    across = np.arange(12, dtype=np.float32) / SUPERSAMPLING
    picture = np.full((12, 12), SMOOTH)
    for slope, kind in ((0.5, SMOOTH), (3.0, FINE)):
        depth = np.broadcast_to(across * np.float32(slope * NARROW), (12, 12)).copy()
        assert (kinds(picture, depth) == kind).all()
        assert (kinds(picture, depth.T) == kind).all()
        assert (kinds(np.full((12, 12), STRANDS), depth) == STRANDS).all()


def test_a_plain_pixel_meets_one_kind_with_all_its_rays(view):
    studio, camera = view
    sight = studio.geometry.look(camera, 2 * SIZE, SUPERSAMPLING)
    found = studio.geometry.meet(camera, sight.rays)
    head = len(studio.mesh.triangles)
    hits = {
        SMOOTH: (found["primID"] >= 0) & (found["primID"] < head),
        STRANDS: found["primID"] >= head,
        NOTHING: found["primID"] < 0,
    }
    for kind, hit in hits.items():
        through = sight.of(kind)
        assert len(through) > 0.1 * len(sight.pixels)
        assert hit[through].mean() > 0.995
        assert not sight.lash[through].any()


def test_rays_meet_the_same_whether_others_are_traced_or_not(view):
    studio, camera = view
    sight = studio.geometry.look(camera, SIZE, SUPERSAMPLING)
    all_rays = studio.geometry.meet(camera, sight.rays)
    traced = np.zeros(len(sight.rays), bool)
    traced[sight.pixels[:, [0, -1]]] = True
    traced[sight.of(FINE)] = True
    assert 0.5 < traced.mean() < 0.9
    for name, values in sight.found.items():
        shown = traced & (all_rays["primID"] >= 0)
        assert np.array_equal(values[shown], all_rays[name][shown])
    assert (sight.found["primID"][~traced] == -1).all()
    single = studio.geometry.look(camera, SIZE, 1)  # with one ray a pixel all are traced
    assert (single.kind == FINE).all()
    found = studio.geometry.meet(camera, single.rays)
    assert np.array_equal(single.found["primID"], found["primID"])


def test_places_interpolate_between_the_corners_of_what_was_met():
    triangles = np.array([[0, 1, 2], [2, 1, 3]], np.int32)
    found = {
        "primID": np.array([-1, 7, 6], np.int32),
        "u": np.array([0, 0.25, 1], np.float32),
        "v": np.array([0, 0.5, 0], np.float32),
        "tfar": np.array([9, 2, 4], np.float32),
    }
    rays = np.eye(3, dtype=np.float32)
    fields = np.array([[0, 1], [4, 1], [8, 1], [16, 1]], np.float32)
    places = places_met(found, rays, np.array([1, 2]), triangles, first=6)
    assert places.interpolate(fields).tolist() == [[11, 1], [4, 1]]
    assert places.depth.tolist() == [2, 4]
    assert np.array_equal(places.rays, rays[1:])
    halfway = between(places[:1], places[1:])
    assert isinstance(halfway, Places)
    assert halfway.interpolate(fields).tolist() == [[7.5, 1]]
    assert halfway.depth.tolist() == [3]


def test_what_is_passed_can_be_scaled_afterwards():
    share = np.linspace(0, 1.2, 50, dtype=np.float32)
    assert passed(share)[:, 1] == pytest.approx(share)
    assert (passed(share)[1:40, 0] > passed(share)[1:40, 2]).all(), "red gets further"
    assert scaled(passed(share), 0.5) == pytest.approx(passed(share * np.float32(0.5)), abs=1e-6)


def test_light_asked_for_in_parts_is_that_asked_for_at_once(view):
    studio, _ = view
    of_shot = (studio.mesh, studio.pose, studio.geometry.scene, studio.illumination)
    count, rng = len(studio.mesh.template), np.random.default_rng(0)
    whole = Visibility(*of_shot).at(np.ones(count, bool)).copy()
    assert len(np.unique(whole)) > 1000
    parts, known = Visibility(*of_shot), np.zeros(count, bool)
    for share in (0.001, 0.02, 0.3):
        wanted = rng.random(count) < share
        known |= wanted
        assert np.array_equal(parts.at(wanted)[known], whole[known])
    assert not np.array_equal(parts.at(wanted), whole), "the rest is not traced"
    assert np.array_equal(parts.at(np.ones(count, bool)), whole)
