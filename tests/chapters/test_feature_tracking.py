"""Chapter 6: tracked features, the ink in each region, and the figures of both."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.helpers import small_runs
from tests.helpers.made_up import sentence
from tinyvgg.chapters import feature_tracking as chapter
from tinyvgg.chapters.backtracking import follow_errors
from tinyvgg.chapters.statistics import averages
from tinyvgg.chapters.style import strength
from tinyvgg.deconvolution import deconvolve


@pytest.fixture(scope="module")
def run():
    return small_runs.run("subject")


@pytest.fixture(scope="module")
def tracked(run):
    return chapter.track(run, follow_errors(run))


def weighed(tracked):
    tables = {"subject": chapter.tracked_table(tracked)}
    densities = averages(chapter.region_table(tracked), ["set", "region"], "density")
    return chapter.verdicts({"subject": tracked}, tables, densities, True)


def test_features_of_all_active_pixels_are_the_whole_projection(tracked):
    table = chapter.tracked_table(tracked)
    empty = table.query("set == 'literal' and left == 0")
    np.testing.assert_allclose(empty["strength"].dropna(), 1, atol=1e-6)
    torch.testing.assert_close(tracked.ink["whole"], strength(deconvolve(tracked.trace)))


def test_controls_have_as_many_pixels_as_the_cutoff(tracked):
    counts = {name: pixels.flatten(1).sum(1).tolist() for name, pixels in tracked.pixels.items()}
    assert counts["random"] == counts["cutoff"] == counts["largest"]


def test_area_of_ink_counts_the_fewest_pixels_that_hold_it():
    strengths = torch.zeros(2, 2, 5)
    strengths[0, 0, 0] = 1.0
    strengths[1] = 1.0
    assert chapter.area_of_ink(strengths).tolist() == [0.1, 0.9]
    assert torch.isnan(chapter.area_of_ink(torch.zeros(1, 2, 2))).all()


def test_even_ink_has_density_one_in_every_region(tracked):
    even = replace(tracked, ink={"cutoff": torch.ones(len(tracked), 16, 16)})
    table = chapter.region_table(even)
    assert table["image"].nunique() == int(tracked.frontal.sum()) > 0
    np.testing.assert_allclose(table["density"], 1)


@pytest.mark.parametrize(("mouth", "expected"), [(1.0, "holds"), (0.0, "holds in part")])
def test_features_spread_where_every_region_has_its_share(tracked, mouth, expected):
    spread = torch.ones(len(tracked), 16, 16)
    spread[:, torch.from_numpy(chapter.region_mask("mouth", 16, 16))] = mouth
    found = weighed(replace(tracked, ink=dict.fromkeys(chapter.SETS, spread)))
    assert [each.verdict for each in found if each.claim == "F8"] == [expected]


def test_regions_are_known_of_framed_faces_only(run):
    run = run.having(faces=replace(run.faces, source="folder:x"))
    tracked = chapter.track(run, follow_errors(run))
    assert not tracked.frontal.any()
    densities = averages(chapter.region_table(tracked), ["set", "region"], "density")
    assert sentence(chapter.region_plot(densities)) == chapter.NO_REGIONS
    (found,) = [each for each in weighed(tracked) if each.claim == "F8"]
    assert found.verdict == "cannot be tested here"
    assert "known of cropped faces only" in found.reason


def test_run_without_errors_says_so_in_every_figure_and_verdict(run):
    run = run.having(logits=torch.eye(3)[run.labels])
    tracked = chapter.track(run, follow_errors(run))
    for figure in (
        chapter.gallery(tracked, "cutoff"),
        chapter.feature_sets(tracked, np.zeros((0, 16, 16), dtype=np.uint8)),
        chapter.average_features(tracked),
    ):
        assert sentence(figure).startswith("No image of this run is misclassified")
    assert len(chapter.tracked_summary({"subject": chapter.tracked_table(tracked)})) == 0
    assert {each.verdict for each in weighed(tracked)} == {"cannot be tested here"}


def test_gallery_pages_through_all_errors(tracked):
    total = len(tracked)
    pages = (chapter.gallery(tracked, "cutoff", page, total - 1) for page in range(3))
    first, last, beyond = pages
    assert f"errors 1 to {total - 1} of {total}" in first.axes[0].get_title()
    assert f"errors {total} to {total} of {total}" in last.axes[0].get_title()
    assert len(first.axes[0].texts) == total - 1
    assert sentence(beyond) == f"All {total} misclassified images are shown above."


def test_faces_of_one_angle_are_averaged_and_frontal_ones_carry_the_regions(tracked):
    axes = chapter.average_features(tracked).axes
    columns = [ax.get_title() for ax in axes if ax.get_title()]
    assert columns == ["45°", "90°"]
    assert [len(ax.patches) for ax in axes[:2]] == [0, 5]
