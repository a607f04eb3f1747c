"""Causes of a face, where they change its image, and what they read and change."""

import numpy as np
import pytest

import synthfaces
from synthfaces import (
    CAUSES,
    FacePart,
    FaceSpec,
    Light,
    face_spec,
    ground_truth,
    intervene,
    render_face,
)
from tinyvgg.chapters import own_face
from tinyvgg.chapters.own_face import OFFERED, Seen, see

SIZE = 16
SPEC = FaceSpec(1)


@pytest.mark.parametrize("cause", OFFERED.values(), ids=OFFERED)
def test_a_cause_makes_another_shot_with_words_of_its_own_at_every_place_but_that_of_rest(cause):
    places = range(len(cause.values))
    shots = [cause.spec(SPEC, place) for place in places]
    assert shots[cause.rest] is SPEC
    assert len(set(shots)) == len({cause.text(place) for place in places}) == len(places)


@pytest.mark.parametrize(("name", "cause"), CAUSES.items(), ids=CAUSES)
def test_a_cause_changes_what_it_reads_and_no_other(name, cause):
    spec = face_spec(3, "happy")
    brows = {"browUp", "browInnerUp", "browOuterUp"}
    others = [other for other in CAUSES if other != name and not {name, other} <= brows]
    for value in cause.limits:
        changed = cause.change(spec, value)
        assert cause.read(changed) == pytest.approx(value)
        assert all(CAUSES[other].read(changed) == CAUSES[other].read(spec) for other in others)


def test_rest_changes_nothing_also_where_its_value_is_set():
    at_rest = render_face(SPEC, SIZE)
    for cause in OFFERED.values():
        if cause.label != "Expression":
            value = cause.change(SPEC, cause.values[cause.rest])
            np.testing.assert_array_equal(render_face(value, SIZE), at_rest)


def test_words_name_sides_as_the_subject_has_them_and_coarse_causes_keep_both_ends_and_rest():
    gaze, lamps = OFFERED["gaze"], OFFERED["turn"]
    assert gaze.text(0) == "30° to the subject's right"
    assert gaze.spec(SPEC, 0).expression.gaze_yaw == -30
    assert lamps.text(6) == "90° to the subject's left"
    assert (gaze.text(3), lamps.text(3)) == ("straight ahead", "as in the set")
    assert (gaze.coarse().values, gaze.coarse().rest) == ((-30, 0, 30), 1)
    assert OFFERED["jawOpen"].coarse().values == (0.0, 1.0)


def made_up(value: int, *changed: tuple[int, int]) -> Seen:
    """Return two rows of forehead over two of chin, gray, but for some pixels that are redder."""
    image = np.full((4, 4, 3), 100, np.uint8)
    for place in changed:
        image[place] = (value, 101, 100)
    parts = np.repeat(np.uint8([FacePart.FOREHEAD, FacePart.CHIN]), 8).reshape(4, 4)
    return Seen(SPEC, image, parts)


def test_a_shot_is_seen_as_it_is_rendered_with_its_parts():
    spec = intervene(intervene(SPEC, actions={"jawOpen": 0.5}), head=synthfaces.Head(turn=15))
    seen = see(spec, SIZE)
    np.testing.assert_array_equal(seen.image, render_face(spec, SIZE))
    np.testing.assert_array_equal(seen.parts, ground_truth(spec, SIZE).parts)
    assert seen.spec == spec


def test_a_change_counts_pixels_by_the_part_that_they_had_before():
    before, after = made_up(100), made_up(90, (0, 0), (0, 1), (3, 3))
    moved = Seen(SPEC, after.image, np.full((4, 4), FacePart.HAIR, np.uint8))
    change, parts = before.change(moved), [FacePart.FOREHEAD, FacePart.CHIN, FacePart.HAIR]
    assert change.pixels[parts].tolist() == [8, 8, 0]
    assert change.changed[parts].tolist() == [2, 1, 0]
    assert change.most[parts].tolist() == [10, 10, 0]
    assert np.count_nonzero(change.levels == 10) == np.count_nonzero(change.levels) == 3
    assert change.equal == 13 / 16
    one, other = made_up(0, (1, 1)), made_up(255, (1, 1))
    assert one.change(other).levels[1, 1] == other.change(one).levels[1, 1] == 255


def test_a_difference_is_white_where_there_is_none_and_darker_where_there_is_more():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    brightness = own_face.RAMP[levels].reshape(256, 3).astype(int).sum(axis=1)
    assert brightness[0] == 3 * 255 > brightness[1] + 60
    assert (np.diff(brightness) <= 0).all()


def test_parts_are_tinted_each_in_its_own_colour():
    image = np.full((1, len(FacePart), 3), 100, np.uint8)
    tinted = own_face.parts_picture(image, np.arange(len(FacePart), dtype=np.uint8)[None])[0]
    for part in FacePart:
        colour = bytes.fromhex(own_face.PART_COLOURS[part][1:])
        expected = (100 + np.frombuffer(colour, np.uint8).astype(float)) / 2
        np.testing.assert_allclose(tinted[part], expected, atol=0.5)
    assert len(set(own_face.PART_COLOURS.values())) == len(FacePart)


def test_causes_add_up_and_read_what_they_changed():
    spec, values = SPEC, {"mouthSmile": 0.8, "angle": 60, "key": 2, "turn": 30}
    for name, value in values.items():
        spec = CAUSES[name].change(spec, value)
    smiling = intervene(SPEC, actions={"mouthSmile": 0.8})
    assert spec == intervene(intervene(smiling, angle=60.0), light=Light(key=2.0, turn=30.0))
    assert {name: CAUSES[name].read(spec) for name in values} == values
    rest = {name: cause.read(SPEC) for name, cause in CAUSES.items()}
    assert all(low <= rest[name] <= high for name, (low, high) in limits().items())


def limits():
    return {name: cause.limits for name, cause in CAUSES.items()}
