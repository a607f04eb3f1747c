"""Explorers: every choice shows what was computed for it."""

import base64
import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.helpers import pages
from tinyvgg.chapters import explorers
from tinyvgg.chapters.cases import RULES, pixel_sets
from tinyvgg.chapters.explorers import CHOICES, Bench, explorer, static_explorer, verdict
from tinyvgg.chapters.style import strength
from tinyvgg.errors import UserError
from tinyvgg.tracking import rescore, track_features


@pytest.fixture(scope="module")
def bench(run, pairs):
    return Bench(run, pairs.only(pairs.cases[:3]))


@pytest.fixture(scope="module")
def page(bench):
    return static_explorer(bench, "test")


@pytest.mark.parametrize("rule", RULES)
def test_scenes_show_the_sets_of_the_pair(bench, rule):
    for place in range(len(bench)):
        pair = bench.pair(place)
        sets = pixel_sets(pair, RULES[rule])
        shown = {"all": sets.wrong, "common": sets.common, "unique": sets.unique}
        for choice, pixels in {"nothing": sets.wrong & False, **shown}.items():
            scene = bench.scene(place, choice, rule)
            assert scene.pixels == int(pixels.sum())
            expected = rescore(pair.wrong, pixels).softmax(1)[0]
            np.testing.assert_allclose(scene.after, expected, rtol=1e-6)
            ink = strength(track_features(pair.wrong, pixels))[0]
            np.testing.assert_allclose(scene.features, ink)
        counts = {choice: bench.scene(place, choice, rule).pixels for choice in CHOICES}
        assert counts["random"] == counts["unique"] >= counts["contrastive"]


def test_live_explorer_follows_its_controls_and_no_errors_make_a_sentence(bench):
    widget = explorer(bench)
    assert repr(widget) == "Explorer of 3 errors"
    before = widget.images[2].value
    widget.rule.value, widget.choice.value, widget.error.value = "literal", "all", 2
    scene = bench.scene(2, "all", "literal")
    assert f"{scene.pixels:,} pixels suppressed" in widget.result.value
    assert f"{scene.after[bench.pairs.cases[2].true]:.3f}" in widget.result.value
    assert widget.images[2].value != before
    shown = np.asarray(Image.open(BytesIO(widget.images[0].value)))
    np.testing.assert_array_equal(shown, bench.images(2)[0])
    none = Bench(bench.run, bench.pairs.only([]))
    assert explorer(none) == explorers.NO_ERRORS
    assert explorers.NO_ERRORS in static_explorer(none, "none").html


HOSTILE = ("<b>a</b>", "</script><script>document.title = 'bad'</script>", "&lt;{{ 7 * 7 }}")


def test_names_of_classes_stay_text(bench, tmp_path):
    experiment = replace(bench.run.experiment, classes=HOSTILE)
    hostile = Bench(bench.run.having(experiment=experiment), bench.pairs)
    page = static_explorer(hostile, "test")
    pages.read(page.html)
    titles = [case["title"] for case in pages.embedded(page.html)["cases"]]
    assert titles == [hostile.title(place) for place in range(len(hostile))]
    widget = explorer(hostile)
    for html in (pages.shown(page.html, tmp_path), widget.result.value):
        assert "<b>" not in html
        assert "bad'</script>" not in html
        assert "&lt;b&gt;a&lt;/b&gt;" in html
        assert "&amp;lt;{{ 7 * 7 }}" in html


def test_embedded_numbers_are_the_computed_ones(bench, page):
    pages.read(page.html)
    assert len(page.html) < explorers.LIMIT
    data = pages.embedded(page.html)
    assert len(data["cases"]) == len(bench)
    for place, case in enumerate(data["cases"]):
        labels = bench.shown(place)
        for rule, by in case["scenes"].items():
            assert list(by) == list(CHOICES)
            for choice, shown in by.items():
                scene = bench.scene(place, choice, rule)
                assert shown["pixels"] == scene.pixels
                assert shown["after"] == [f"{scene.after[label]:.3f}" for label in labels]
                assert shown["result"] == verdict(scene, bench.run.classes)
        assert case["before"] == [f"{scene.before[label]:.3f}" for label in labels]


def test_embedded_features_are_ink_on_the_scale_of_all_pixels(bench, page):
    data = pages.embedded(page.html)
    shown = data["cases"][0]["scenes"]["literal"]
    nothing, everything = (
        np.asarray(Image.open(BytesIO(base64.b64decode(source.split(",")[1]))))
        for source in (data["features"][shown[c]["features"]] for c in ("nothing", "all"))
    )
    assert (nothing == 255).all()
    features = bench.scene(0, "all", "literal").features
    ink = np.round(255 * (1 - features / features.max())).astype(np.uint8)
    np.testing.assert_array_equal(everything, ink)


def test_two_explorers_share_no_id_and_the_same_bench_makes_the_same_page(bench, page):
    first, second = pages.read(page.html), pages.read(static_explorer(bench, "other").html)
    assert not set(first.ids) & set(second.ids)
    assert static_explorer(Bench(bench.run, bench.pairs), "test").html == page.html


def test_names_that_are_no_ids_and_too_many_errors_are_refused(bench, monkeypatch):
    with pytest.raises(UserError, match="name 'No id' is no id"):
        static_explorer(bench, "No id")
    monkeypatch.setattr(explorers, "LIMIT", 100)
    with pytest.raises(UserError, match="3 errors make .* characters of HTML"):
        static_explorer(bench, "test")


CHOOSE = """
<script>
document.getElementById("explorer-test-rule-literal").click();
document.getElementById("explorer-test-choice-all").click();
const error = document.getElementById("explorer-test-error");
error.value = "1";
error.dispatchEvent(new Event("change", {bubbles: true}));
</script>
"""
DARK = """
<style>figcaption, legend, label, td, th, p { color: rgb(206, 214, 221) }</style>
<script>
const read = "#explorer-test :is(figcaption, legend, label, td, th, p)";
for (const shown of document.querySelectorAll(read))
  document.body.append("[" + getComputedStyle(shown).color + "]");
</script>
"""


def test_a_browser_shows_the_numbers_of_what_is_clicked_dark_whatever_is_around(
    bench, page, tmp_path
):
    first, clicked = (pages.shown(page.html + extra, tmp_path) for extra in (DARK, CHOOSE))
    for text, scene in (
        (first, bench.scene(0, "nothing", "cutoff")),
        (clicked, bench.scene(1, "all", "literal")),
    ):
        assert verdict(scene, bench.run.classes) in text
        for label in bench.shown(bench.pairs.cases.index(scene.case)):
            assert f"<td>{scene.before[label]:.3f}</td>" in text
            assert f"<td>{scene.after[label]:.3f}</td>" in text
    colours = re.findall(r"\[(rgb[^\]]+)\]", first)
    assert len(colours) > 3
    assert set(colours) == {"rgb(26, 26, 26)"}
