"""The explorer of faces without a kernel: every step shows the image that was rendered for it."""

import base64
import json
import re
import zlib
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from synthfaces import FacePart, FaceSpec, render_face
from tests.helpers import pages
from tinyvgg import files as paths
from tinyvgg.chapters.own_face import (
    OFFERED,
    Album,
    Seen,
    album,
    compare,
    difference_picture,
    express,
    outwards,
    pack,
    pack_steps,
    parts_picture,
    static_faces,
)
from tinyvgg.errors import UserError
from tinyvgg.training.settings import PROFILES

SIZE = 16


@pytest.fixture(scope="module")
def small(anatomy_folder):
    """An album of two subjects and three causes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "faces_cache", lambda: anatomy_folder)
        causes = {name: OFFERED[name].coarse() for name in ("jawOpen", "gaze", "dome")}
        yield Album((1, 4), SIZE, causes)


@pytest.fixture(scope="module")
def page(small):
    return static_faces(small, "test")


def unpacked(text):
    """(frames, 4, s, s) as packed."""
    content = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    return content.reshape(-1, 4, SIZE, SIZE)


def image_of(layers):
    red, green, blue, _ = layers
    return np.stack([red + green, green, blue + green], axis=-1)


# --- causes


@pytest.mark.parametrize("cause", OFFERED.values(), ids=OFFERED)
def test_a_cause_makes_another_shot_with_words_of_its_own_at_every_place_but_that_of_rest(cause):
    spec = FaceSpec(9)
    shots = [cause.spec(spec, place) for place in range(len(cause.values))]
    assert shots[cause.rest] is spec
    assert len(set(shots)) == len(shots)
    same = {"expression": spec.expression, "angle": 90, "light": spec.light, "head": spec.head}
    assert all(replace(shot, **same) == spec for shot in shots)
    assert len({cause.text(place) for place in range(len(cause.values))}) == len(cause.values)
    numbers = [value for value in cause.values if not isinstance(value, str)]
    assert all(one < other for one, other in pairwise(numbers))


@pytest.mark.parametrize("name", [name for name in OFFERED if name != "expression"])
def test_rest_changes_nothing_also_where_its_value_is_set(name, anatomy_folder):
    cause, spec = OFFERED[name], FaceSpec(1)
    value = cause.change(spec, cause.values[cause.rest])
    one, other = (render_face(each, SIZE, anatomy_folder) for each in (spec, value))
    np.testing.assert_array_equal(one, other)


def test_words_name_sides_as_the_subject_has_them():
    gaze, lamps = OFFERED["gaze"], OFFERED["turn"]
    assert gaze.text(0) == "30° to the subject's right"
    assert gaze.spec(FaceSpec(1), 0).expression.gaze_yaw == -30
    assert lamps.text(6) == "90° to the subject's left"
    assert lamps.spec(FaceSpec(1), 6).light.turn == 90
    assert (gaze.text(3), lamps.text(3)) == ("straight ahead", "as in the set")


def test_coarse_causes_keep_both_ends_and_rest():
    gaze, jaw = OFFERED["gaze"].coarse(), OFFERED["jawOpen"].coarse()
    assert (gaze.values, gaze.rest) == ((-30, 0, 30), 1)
    assert (jaw.values, jaw.rest) == ((0.0, 1.0), 0)


def test_an_expression_leaves_gaze_light_and_nuisance_as_they_are():
    spec = OFFERED["gaze"].spec(FaceSpec(1), 0)
    happy = express(spec, "happy")
    assert happy.expression.actions["mouthSmileLeft"] > 0.5
    assert happy.expression.gaze_yaw == spec.expression.gaze_yaw
    assert replace(happy, expression=spec.expression) == spec


# --- albums


def test_an_album_holds_what_the_causes_render(small, anatomy_folder):
    jaw = small.causes["jawOpen"]
    seen = small.changed(4, jaw, 1)
    assert seen.spec == jaw.spec(FaceSpec(4), 1)
    np.testing.assert_array_equal(seen.image, render_face(seen.spec, SIZE, anatomy_folder))
    assert small.changed(4, jaw, jaw.rest) is small.at_rest(4)


def test_the_album_of_the_tests_is_small_and_no_other_lacks_a_cause():
    albums = {name: album(profile) for name, profile in PROFILES.items()}
    assert len(albums["smoke"].subjects) == 1
    assert sum(len(cause.values) for cause in albums["smoke"].causes.values()) < 40
    for name in ("quick", "paper"):
        assert albums[name].causes == OFFERED
        assert len(albums[name].subjects) > 1
        assert albums[name].size == 96
    assert list(albums["smoke"].causes) == list(OFFERED)


# --- packing


def random_seen(rng):
    image = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    return Seen(FaceSpec(1), image, rng.integers(0, 11, (SIZE, SIZE), dtype=np.uint8))


@pytest.mark.parametrize("rest", [0, 2, 4])
def test_packed_images_are_the_same_to_the_byte(rest):
    rng = np.random.default_rng(0)
    steps = [random_seen(rng) for _ in range(5)]
    found = {rest: unpacked(pack(steps[rest]))[0]}
    assert outwards(5, 2) == [(3, 2), (4, 3), (1, 2), (0, 1)]
    order = outwards(5, rest)
    for (place, inner), added in zip(order, unpacked(pack_steps(steps, rest)), strict=True):
        found[place] = found[inner] + added
    for place, step in enumerate(steps):
        np.testing.assert_array_equal(image_of(found[place]), step.image)
        np.testing.assert_array_equal(found[place][3], step.parts)


# --- the page


def test_page_parses_with_a_name_for_every_slider_and_nothing_from_outside(page, small):
    reader = pages.read(page.html)
    assert set(reader.inputs) - set(reader.targets) == {
        "faces-test-person-0", "faces-test-person-1",
        "faces-test-view-difference", "faces-test-view-parts",
    }  # fmt: skip
    assert {f"faces-test-{name}" for name in small.causes} <= set(reader.inputs)
    assert repr(page) == "an explorer of synthetic faces, in HTML"


def test_numbers_of_the_page_are_the_computed_ones(page, small):
    data = pages.embedded(page.html)
    titles = [person["title"] for person in data["people"]]
    assert titles == ["woman (subject 1)", "girl (subject 4)"]
    for subject, person in zip(small.subjects, data["people"], strict=True):
        rest = small.at_rest(subject)
        assert sum(person["pixels"]) == SIZE**2
        assert person["pixels"] == np.bincount(rest.parts.ravel(), minlength=11).tolist()
        for cause, steps in zip(small.causes.values(), person["steps"], strict=True):
            for place in range(len(cause.values)):
                change = compare(rest, small.changed(subject, cause, place))
                assert steps["changed"][place] == change.changed.tolist()
                assert steps["most"][place] == change.most.tolist()
            assert sum(steps["changed"][cause.rest]) == 0


def test_the_same_album_makes_the_same_page_and_another_name_other_ids(page, small):
    again = Album(small.subjects, small.size, small.causes)
    assert static_faces(again, "test").html == page.html
    other = static_faces(small, "other").html
    assert not set(pages.read(other).ids) & set(pages.read(page.html).ids)


def test_names_that_are_no_ids_and_albums_that_are_too_large_are_refused(small, monkeypatch):
    with pytest.raises(UserError, match="name 'No id' is no id"):
        static_faces(small, "No id")
    monkeypatch.setattr("tinyvgg.chapters.own_face.LIMIT", 1000)
    with pytest.raises(UserError, match=r"make [\d,]+ characters of HTML and 1,000 are allowed"):
        static_faces(small, "test")


SLIDE = """
<script>
const set = (name, place) => {
  const slider = document.getElementById("faces-test-" + name);
  slider.value = place;
  slider.dispatchEvent(new Event("input", {bubbles: true}));
};
%s
const root = document.getElementById("faces-test");
new MutationObserver(() => {
  if (root.dataset.shown !== "%s") return;
  const canvas = document.getElementById("faces-test-third"), step = canvas.width / %d;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const seen = [];
  for (let y = step / 2; y < canvas.height; y += step)
    for (let x = step / 2; x < canvas.width; x += step)
      seen.push([...data.slice(4 * (y * canvas.width + x)).slice(0, 3)]);
  document.body.append("PIXELS" + JSON.stringify(seen) + "END");
}).observe(root, { attributes: true });
</script>
"""


def third_picture(page, act, shown, folder):
    """The page after some actions, and its third picture, a pixel each of the image."""
    text = pages.shown(page.html + SLIDE % (act, shown, SIZE), folder)
    pixels = json.loads(re.search(r"PIXELS(\[\[.*?)END", text)[1])
    return text, np.uint8(pixels).reshape(SIZE, SIZE, 3)


def test_a_browser_shows_the_difference_that_a_slider_makes(page, small, tmp_path):
    gaze = small.causes["gaze"]
    act = 'set("jawOpen", 1); set("gaze", 0);'
    text, seen = third_picture(page, act, "0 gaze 0 difference", tmp_path)
    change = compare(small.at_rest(1), small.changed(1, gaze, 0))
    np.testing.assert_array_equal(seen, difference_picture(change.levels))
    assert "Gaze, 30° to the subject's right: " in text
    assert f"the most different one differs by {change.most.max()} of 255 levels" in text
    eyes = change.most[FacePart.EYES]
    assert re.search(
        rf"eyes</th><td>{change.pixels[FacePart.EYES]}</td><td>[^<]+</td><td>{eyes}</td>", text
    )
    jaw = re.search(r'id="faces-test-jawOpen"[^>]*aria-valuetext="([^"]+)"', text)
    assert jaw[1] == "at rest"


def test_a_browser_shows_the_parts_of_another_subject(page, small, tmp_path):
    act = """
    document.getElementById("faces-test-person-1").click();
    document.getElementById("faces-test-view-parts").click();
    set("dome", 0); set("jawOpen", 1);"""
    text, seen = third_picture(page, act, "1 jawOpen 1 parts", tmp_path)
    shot = small.changed(4, small.causes["jawOpen"], 1)
    expected = parts_picture(shot.image, shot.parts).astype(int)
    assert np.abs(seen.astype(int) - expected).max() <= 1
    assert 'aria-label="girl (subject 4): Open the jaw, 1"' in text


def test_a_browser_takes_everything_back_to_rest(page, tmp_path):
    act = 'set("dome", 0); document.getElementById("faces-test-back").click();'
    text, seen = third_picture(page, act, "0 dome 1 difference", tmp_path)
    assert (seen == 255).all()
    assert "nothing is changed, all pixels are equal" in text
