"""The explorer of faces without a kernel: every step shows the image that was rendered for it."""

import base64
import json
import re
import zlib
from html import unescape

import numpy as np
import pytest

from synthfaces import FacePart, FaceSpec
from tests.helpers import pages
from tinyvgg.chapters import own_face
from tinyvgg.chapters.own_face import OFFERED, Album, Seen, static_faces
from tinyvgg.errors import UserError

SIZE = 16


@pytest.fixture(scope="module")
def small():
    """An album of two subjects and three causes."""
    causes = {name: OFFERED[name].coarse() for name in ("jawOpen", "gaze", "dome")}
    return Album((1, 4), SIZE, causes)


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


@pytest.mark.parametrize("rest", [0, 2, 4])
def test_packed_images_are_the_same_to_the_byte(rest):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)
    parts = rng.integers(0, 11, (5, SIZE, SIZE), dtype=np.uint8)
    steps = [Seen(FaceSpec(1), *both) for both in zip(images, parts, strict=True)]
    found = {rest: unpacked(own_face.pack(steps[rest]))[0]}
    order = [(place, place - 1) for place in range(rest + 1, 5)]  # outwards
    order += [(place, place + 1) for place in reversed(range(rest))]
    packed = unpacked(own_face.pack_steps(steps, rest))
    for (place, inner), added in zip(order, packed, strict=True):
        found[place] = found[inner] + added
    for place, step in enumerate(steps):
        np.testing.assert_array_equal(image_of(found[place]), step.image)
        np.testing.assert_array_equal(found[place][3], step.parts)


def test_page_parses_with_a_name_for_every_slider_and_nothing_from_outside(page, small):
    reader = pages.read(page.data)
    assert set(reader.inputs) - set(reader.targets) == {
        "faces-test-person-0", "faces-test-person-1",
        "faces-test-view-difference", "faces-test-view-parts",
    }  # fmt: skip
    assert {f"faces-test-{name}" for name in small.causes} <= set(reader.inputs)


def test_numbers_of_the_page_are_the_computed_ones(page, small):
    data = pages.embedded(page.data)
    titles = [person["title"] for person in data["people"]]
    assert titles == ["woman (subject 1)", "girl (subject 4)"]
    for subject, person in zip(small.subjects, data["people"], strict=True):
        rest = small.at_rest(subject)
        assert person["pixels"] == np.bincount(rest.parts.ravel(), minlength=11).tolist()
        for cause, steps in zip(small.causes.values(), person["steps"], strict=True):
            for place in range(len(cause.values)):
                change = rest.change(small.changed(subject, cause, place))
                assert steps["changed"][place] == change.changed.tolist()
                assert steps["most"][place] == change.most.tolist()
            assert sum(steps["changed"][cause.rest]) == 0


def test_the_same_album_makes_the_same_page_and_another_name_other_ids(page, small):
    again = Album(small.subjects, small.size, small.causes)
    assert static_faces(again, "test").data == page.data
    other = static_faces(small, "other").data
    assert not set(pages.read(other).ids) & set(pages.read(page.data).ids)


def test_names_that_are_no_ids_are_refused(small):
    with pytest.raises(UserError, match="name 'No id' is no id"):
        static_faces(small, "No id")


SCRIPT = """
<script>
const root = document.getElementById("faces-test"), found = [];
const at = (name) => document.getElementById("faces-test-" + name);
const set = (name, place) => {
  at(name).value = place;
  at(name).dispatchEvent(new Event("input", {bubbles: true}));
};
const steps = [
  ["0 gaze 0 difference", () => { set("jawOpen", 1); set("gaze", 0); }],
  ["1 jawOpen 1 parts", () => {
    at("person-1").click(); at("view-parts").click(); set("dome", 0); set("jawOpen", 1);
  }],
  ["0 dome 1 difference", () => {
    at("person-0").click(); at("view-difference").click(); set("dome", 0); at("back").click();
  }],
];
const look = () => {
  const canvas = at("third"), step = canvas.width / SIZE, pixels = [];
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let y = step / 2; y < canvas.height; y += step)
    for (let x = step / 2; x < canvas.width; x += step)
      pixels.push([...data.slice(4 * (y * canvas.width + x)).slice(0, 3)]);
  const rows = [...at("rows").rows].map((row) => [...row.cells].map((cell) => cell.textContent));
  const [label, jaw] = [at("changed").ariaLabel, at("jawOpen").ariaValueText];
  return { pixels, rows, label, jaw, result: at("result").textContent };
};
new MutationObserver(() => {
  if (root.dataset.shown !== steps[found.length]?.[0]) return;
  found.push(look());
  if (found.length < steps.length) steps[found.length][1]();
  else document.body.append("FOUND" + JSON.stringify(found) + "END");
}).observe(root, { attributes: true });
steps[0][1]();
</script>
"""


@pytest.fixture(scope="module")
def shown(page, tmp_path_factory):
    """What a browser shows after each step of the script."""
    html = page.data + SCRIPT.replace("SIZE", str(SIZE))
    text = pages.shown(html, tmp_path_factory.mktemp("page"))
    return json.loads(unescape(re.search(r"FOUND(\[.*?)END", text)[1]))


def third_picture(step):
    return np.uint8(step["pixels"]).reshape(SIZE, SIZE, 3)


def test_a_browser_shows_the_difference_that_a_slider_makes(shown, small):
    step, change = shown[0], small.at_rest(1).change(small.changed(1, small.causes["gaze"], 0))
    difference = own_face.RAMP[change.levels]
    np.testing.assert_array_equal(third_picture(step), difference)
    assert step["result"].startswith("Gaze, 30° to the subject's right: ")
    assert f"the most different one differs by {change.most.max()} of 255" in step["result"]
    (eyes,) = [row for row in step["rows"] if row[0] == "eyes"]
    assert eyes[1] == str(change.pixels[FacePart.EYES])
    assert eyes[3] == str(change.most[FacePart.EYES])
    assert step["jaw"] == "at rest"


def test_a_browser_shows_the_parts_of_another_subject(shown, small):
    shot = small.changed(4, small.causes["jawOpen"], 1)
    expected = own_face.parts_picture(shot.image, shot.parts).astype(int)
    assert np.abs(third_picture(shown[1]).astype(int) - expected).max() <= 1
    assert shown[1]["label"] == "girl (subject 4): Open the jaw, 1"


def test_a_browser_takes_everything_back_to_rest(shown):
    assert (third_picture(shown[2]) == 255).all()
    assert "nothing is changed, all pixels are equal" in shown[2]["result"]
