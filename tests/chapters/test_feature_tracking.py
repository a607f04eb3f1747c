"""Chapter 6: tracked features, the ink in each region, and the figures of both."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import synthfaces
from synthfaces import FacePart
from tinyvgg import files
from tinyvgg.chapters import feature_tracking as chapter
from tinyvgg.chapters.backtracking import follow_errors
from tinyvgg.chapters.style import strength
from tinyvgg.deconvolution import deconvolve

TASK = "subject"


@pytest.fixture(scope="module")
def tracked(run):
    return chapter.track(run, follow_errors(run))


def folder(faces):
    return replace(faces, source="folder:x")


@pytest.fixture(scope="module")
def seen(tracked):
    """Parts of a face that has all of them, in other places of each image."""
    draw = np.random.default_rng(0)
    return draw.integers(0, len(FacePart), (len(tracked), 16, 16), dtype=np.uint8)


def test_features_of_all_active_pixels_are_the_whole_projection(tracked):
    table = chapter.tracked_table(tracked)
    empty = table.query("set == 'literal' and left == 0")
    np.testing.assert_allclose(empty["strength"].dropna(), 1, atol=1e-6)
    torch.testing.assert_close(tracked.ink["whole"], strength(deconvolve(tracked.trace)))


def test_controls_have_as_many_pixels_as_the_cutoff(tracked):
    counts = {name: pixels.flatten(1).sum(1).tolist() for name, pixels in tracked.pixels.items()}
    assert counts["random"] == counts["cutoff"] == counts["largest"]


def test_even_ink_has_density_one_in_every_region(tracked, seen):
    even = replace(tracked, ink={"cutoff": torch.ones(len(tracked), 16, 16)})
    table = chapter.region_table(even, chapter.by_parts(seen)).query("set == 'cutoff'")
    assert table["image"].nunique() == len(tracked)
    np.testing.assert_allclose(table["density"], 1)
    np.testing.assert_allclose(table["ink"], table["area"])


def test_ink_on_parts_is_that_of_a_loop_over_errors_and_pixels(tracked, seen):
    regions = chapter.by_parts(seen)
    found = chapter.region_numbers(chapter.region_table(tracked, regions))

    def density(ink, parts, wanted):
        on = [ink[y, x] for y, x in np.ndindex(16, 16) if FacePart(parts[y, x]).name in wanted]
        return sum(on) / ink.sum() / (len(on) / 256)

    def densities(name, *wanted):
        inks = tracked.ink[name].double().numpy()
        return np.array([density(i, p, wanted) for i, p in zip(inks, seen, strict=True)])

    four = "EYES", "NOSE", "CHEEKS", "MOUTH"
    cutoff, largest, even = (densities(name, *four) for name in ("cutoff", "largest", "random"))
    expected = {
        "ink_on_features": cutoff,
        "ink_above_largest": cutoff - largest,
        "ink_above_random": cutoff - even,
        "ink_mouth": densities("cutoff", "MOUTH"),
    }
    for name, values in expected.items():
        assert found[name].value == pytest.approx(values.mean())
        assert found[name].error == pytest.approx(values.std(ddof=1) / len(values) ** 0.5)
    background = tracked.ink["cutoff"].double().numpy() * (seen == FacePart.BACKGROUND)
    share = background.sum((1, 2)) / tracked.ink["cutoff"].double().numpy().sum((1, 2))
    assert found["ink_share_background"].value == pytest.approx(share.mean())
    assert found["area_share_face"].value == pytest.approx((seen > 3).mean())


def test_the_background_has_the_share_of_ink_that_is_recorded(tracked, seen):
    table = chapter.region_table(tracked, chapter.by_parts(seen))
    share = chapter.region_numbers(table)["ink_share_background"].value
    assert f"has {share:.0%} of the tracked ink" in chapter.on_background(TASK, table)


def test_the_gradient_is_how_the_predicted_logit_changes_with_a_pixel(run, tracked):
    gradient = chapter.logit_gradient(run.model, tracked.trace)
    model, image, k = deepcopy(run.model).double(), tracked.trace.images[3].double(), 3
    for place in ((0, 2, 3), (2, 15, 0)):
        step = torch.zeros_like(image)
        step[place] = 1e-6
        up, down = (model((image + s)[None])[0, tracked.trace.predicted[k]] for s in (step, -step))
        assert float(up - down) / 2e-6 == pytest.approx(float(gradient[(k, *place)]), rel=1e-3)


def test_numbers_of_tracking_are_those_of_a_loop_over_errors(tracked):
    found = chapter.tracked_numbers(tracked, chapter.tracked_table(tracked))
    left, less = [], []
    for n, maps in enumerate(tracked.trace.maps):
        left.append(bool((maps != 0)[~tracked.pixels["literal"][n]].any()))
        ink = {name: tracked.ink[name][n].double().flatten().numpy() for name in tracked.ink}
        alike = [np.corrcoef(ink[name], ink["whole"])[0, 1] for name in ("random", "cutoff")]
        less.append(alike[0] - alike[1])
    assert found["left_literal"].value == np.mean(left)
    assert found["cutoff_less_like_whole"].value == pytest.approx(np.mean(less), abs=1e-6)


def test_regions_are_known_of_synthetic_faces_only(run, tracked):
    regions = chapter.find_regions(replace(tracked, run=run.having(faces=folder(run.faces))))
    assert not len(regions["face"])
    table = chapter.region_table(tracked, regions)
    assert chapter.region_numbers(table) == {}
    assert chapter.on_background(TASK, table) == ""


def test_synthetic_faces_are_rendered_again_to_find_their_parts(run, tracked, monkeypatch):
    asked = []

    def parts_seen(table, size, difficulty):
        asked.append((table, size, difficulty.source))
        return np.zeros((len(table), size, size), np.uint8)

    monkeypatch.setattr(synthfaces, "parts_seen", parts_seen)
    regions = chapter.find_regions(tracked)
    assert regions["background"].all()
    ((table, *about),) = asked
    assert about == [16, "synthetic"]
    assert table.equals(run.faces.index.table.iloc[run.split.test[run.errors]])


def test_run_without_errors_shows_nothing(run):
    run = run.having(logits=torch.eye(3)[run.labels])
    tracked = chapter.track(run, follow_errors(run))
    for figure in (
        chapter.gallery(tracked, "cutoff"),
        chapter.feature_sets(tracked, np.zeros((0, 16, 16), dtype=np.uint8)),
        chapter.average_features(tracked, chapter.find_regions(tracked)),
    ):
        assert figure is None
    assert len(chapter.tracked_summary({"subject": chapter.tracked_table(tracked)})) == 0


def test_gallery_pages_through_all_errors(tracked):
    total = len(tracked)
    pages = (chapter.gallery(tracked, "cutoff", page, total - 1) for page in range(3))
    first, last, beyond = pages
    assert f"errors 1 to {total - 1} of {total}" in first.axes[0].get_title()
    assert f"errors {total} to {total} of {total}" in last.axes[0].get_title()
    assert len(first.axes[0].texts) == total - 1
    assert beyond is None


def test_faces_of_one_angle_are_averaged_and_carry_the_regions(tracked, seen):
    alike = np.repeat(seen[:1], len(seen), axis=0)
    axes = chapter.average_features(tracked, chapter.by_parts(alike)).axes
    assert [ax.get_title() for ax in axes if ax.get_title()] == ["45°", "90°"]
    assert all(len(ax.collections) > 0 for ax in axes[:2])


def test_each_crop_is_judged_by_its_own_networks(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "results", lambda: tmp_path)
    means = {
        "synthetic": {"ink_on_features": 1.5, "ink_above_largest": 0.3},
        "synthetic:crop=head": {"ink_on_features": 0.5, "ink_above_largest": 0.3},
    }
    rows = [
        {"faces": faces, "profile": "quick", "seed": seed, "quantity": f"f8.subject.{name}"}
        | {"value": mean + 0.01 * seed, "error": 0.01}
        for faces, numbers in means.items()
        for name, mean in numbers.items()
        for seed in range(6)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "seeds.csv", index=False)
    table = chapter.crop_table("quick")
    assert table.loc["verdict on F8"].tolist() == ["supported", "contradicted"]
    density, above_largest, above_random = table.iloc[1:4].to_numpy()
    ends = [(cell.partition(" (")[0], cell.partition("), ")[2]) for cell in density]
    assert ends == [("1.525", "above 1 in 6 of 6"), ("0.525", "above 1 in 0 of 6")]
    assert all(cell.endswith("above 0 in 6 of 6") for cell in above_largest)
    assert set(above_random) == {"not measured"}
    assert chapter.crop_table("smoke").empty
