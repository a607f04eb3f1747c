"""The live studio: each control is one intervention, and quick ones are drawn once."""

import asyncio
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from synthfaces import STRONGEST, FaceError, FaceSpec, Light, face_spec, intervene, render_face
from tinyvgg import files as paths
from tinyvgg.chapters import own_face as studio
from tinyvgg.chapters.own_face import (
    CAUSES,
    FaceStudio,
    Later,
    compare,
    difference_picture,
    parts_picture,
    see,
)
from tinyvgg.errors import UserError

SIZE = 16


@pytest.fixture(autouse=True)
def kept_anatomy(anatomy_folder, monkeypatch):
    monkeypatch.setattr(paths, "faces_cache", lambda: anatomy_folder)


@pytest.fixture
def live():
    return FaceStudio(FaceSpec(1), SIZE)


def shown(widget):
    return np.asarray(Image.open(BytesIO(widget.value)))


@pytest.mark.parametrize(("name", "cause"), CAUSES.items(), ids=CAUSES)
def test_a_cause_changes_what_it_reads_and_no_other(name, cause):
    spec = face_spec(3, "happy")
    brows = ("browUp", "browInnerUp", "browOuterUp")
    for value in cause.limits:
        changed = cause.change(spec, value)
        assert cause.read(changed) == pytest.approx(value)
        others = [other for other in CAUSES if other != name and not {name, other} <= {*brows}]
        assert all(CAUSES[other].read(changed) == CAUSES[other].read(spec) for other in others)


def test_sliders_are_interventions_that_add_up(live):
    live.sliders["mouthSmile"].value = 0.8
    live.sliders["angle"].value = 60
    live.sliders["key"].value = 2
    live.sliders["turn"].value = 30
    smiling = intervene(FaceSpec(1), actions={"mouthSmile": 0.8})
    expected = intervene(intervene(smiling, angle=60.0), light=Light(key=2.0, turn=30.0))
    assert live.spec == expected
    np.testing.assert_array_equal(live.image, render_face(expected, SIZE, paths.faces_cache()))
    np.testing.assert_array_equal(shown(live.pictures[0]), live.image)


def test_an_expression_moves_the_sliders_and_a_slider_takes_its_name_away(live):
    live.sliders["gaze"].value = 20
    live.emotions["whole"].value = "surprised"
    as_in_set = face_spec(1, "surprised").expression
    assert live.spec.expression.actions["browInnerUp"] == as_in_set.actions["browInnerUp"]
    assert live.sliders["jawOpen"].value == pytest.approx(as_in_set.actions["jawOpen"])
    assert live.spec.expression.gaze_yaw == 20
    before = live.spec
    live.sliders["dome"].value = 0.5
    assert live.emotions["whole"].value == ""
    assert live.spec == intervene(before, light=Light(dome=0.5))
    live.emotions["whole"].value = "surprised"
    assert live.emotions["whole"].value == "surprised"


def test_halves_of_the_face_follow_their_own_lists(live):
    live.emotions["upper"].value = "fearful"
    live.emotions["lower"].value = "happy"
    expected = intervene(intervene(FaceSpec(1), upper="fearful"), lower="happy")
    assert live.spec == expected
    assert live.emotions["upper"].value == ""


def test_another_subject_does_and_is_lit_as_the_one_before(live):
    live.sliders["eyeBlink"].value = 1
    live.sliders["fill"].value = 0
    before = live.spec
    live.subject.value = 9
    assert live.spec == replace(before, subject=9)
    assert repr(live) == "FaceStudio of subject 9"


def test_the_second_picture_is_the_difference_or_the_parts(live):
    live.sliders["jawOpen"].value = 0.7
    change = compare(see(FaceSpec(1), SIZE), see(live.spec, SIZE))
    np.testing.assert_array_equal(shown(live.pictures[1]), difference_picture(change.levels))
    assert f"{change.equal:.1%} of all pixels are the same" in live.sentence.value
    assert f"differs by {change.most.max()} of 255 levels" in live.sentence.value
    live.view.value = "parts"
    expected = parts_picture(live.image, see(live.spec, SIZE).parts)
    np.testing.assert_array_equal(shown(live.pictures[1]), expected)


def test_what_is_compared_with_can_be_chosen_and_gone_back_to(live):
    live.sliders["jawOpen"].value = 0.7
    chosen = live.spec
    live.pinning.click()
    assert "100.0% of all pixels" in live.sentence.value
    live.sliders["jawOpen"].value = 0.1
    assert "100.0% of all pixels" not in live.sentence.value
    live.back.click()
    assert live.spec == chosen
    assert live.sliders["jawOpen"].value == pytest.approx(0.7)


def test_any_shot_can_be_shown_and_keeps_what_has_no_slider(live):
    sad = face_spec(4, "sad", gaze="left", angle=45)
    live.show(sad)
    assert live.spec == sad
    assert (live.subject.value, live.sliders["angle"].value) == (4, 45)
    live.sliders["angle"].value = 46
    assert live.spec == intervene(sad, angle=46.0)


def test_what_cannot_be_rendered_is_said_in_one_line_and_leaves_the_last_shot(live, monkeypatch):
    def refuse(spec, size):
        raise UserError("wheel <anny> is missing")

    with pytest.raises(FaceError, match="size 4"):
        FaceStudio(size=4)
    jaw, before = live.sliders["jawOpen"], live.spec
    jaw.max = 9
    for value, message in (
        (5, f"jawOpen 5.0 is not a number from 0 to {STRONGEST}"),
        (0.7, "&lt;"),
    ):
        jaw.value = value
        assert message in live.sentence.value
        assert (live.spec, jaw.value) == (before, 0)
        monkeypatch.setattr(studio, "see", refuse)


def test_quick_requests_are_one_piece_of_work():
    done = []

    async def ask():
        later = Later(lambda: done.append(len(done)))
        for _ in range(20):
            later.request()
        assert done == []
        await asyncio.sleep(0.1)
        assert done == [0]
        later.request()
        later.finish()
        later.finish()
        assert done == [0, 1]
        await asyncio.sleep(0.1)
        assert done == [0, 1]

    asyncio.run(ask())
    Later(done.clear).request()  # where nothing can wait it is done at once
    assert done == []


def test_a_slider_that_is_drawn_along_renders_its_last_value_alone(live, monkeypatch):
    rendered = []

    def watched(spec, size):
        rendered.append(spec.angle)
        return see(spec, size)

    monkeypatch.setattr(studio, "see", watched)

    async def draw_along():
        for angle in range(91, 120):
            live.sliders["angle"].value = angle
        await asyncio.sleep(0.1)

    asyncio.run(draw_along())
    assert rendered == [119]


def test_the_shot_asked_for_is_there_in_the_same_cell(live):
    async def cell():
        live.sliders["angle"].value = 100
        return live.spec.angle

    assert asyncio.run(cell()) == 100
