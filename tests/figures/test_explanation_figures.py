"""Chapters on backtracking, deconvolution and tracking: what their figures and tables show."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.helpers import networks
from tests.helpers.made_up import sentence
from tinyvgg.chapters import backtracking as back
from tinyvgg.chapters import backtracking as back_figures
from tinyvgg.chapters import deconvolution as deconv
from tinyvgg.chapters import deconvolution as deconv_figures
from tinyvgg.chapters import feature_tracking as track_figures
from tinyvgg.chapters import feature_tracking as tracking
from tinyvgg.chapters import style
from tinyvgg.chapters.backtracking import averages, bias_table, example, follow_errors, kept_table
from tinyvgg.deconvolution import deconvolve
from tinyvgg.trace import record


@pytest.fixture(scope="module")
def run():
    return networks.run()


@pytest.fixture(scope="module")
def right():
    return networks.run(wrong=False)


@pytest.fixture(scope="module")
def followed(run):
    return follow_errors(run)


@pytest.fixture(scope="module")
def tracked(run, followed):
    return tracking.track(run, followed)


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def verdict(found, claim):
    return next(each for each in found if each.claim == claim)


# backtracking


def test_step_three_never_fits_layers_of_different_sizes(run):
    table = back.step3_table(example(run))
    assert table.index.tolist() == [3, 2, 1]
    assert table["elements of a_j"].tolist() == [12, 16, 20]
    assert table["rows of W_j"].tolist() == [16, 20, 24]
    assert not table["step 3 fits"].any()


def test_equations_hold_on_the_network_and_are_found_broken_on_another(run):
    trace = record(run.model, run.faces.tensor(run.split.test))
    found = back.equation_verdicts({"subject": trace}, {"subject": bias_table(trace)})
    assert verdict(found, "E2").verdict == "holds"
    broken = replace(trace, logits=trace.logits + 1)
    found = back.equation_verdicts({"subject": broken}, {"subject": bias_table(trace)})
    assert verdict(found, "F6").verdict == "does not hold"


def test_pixel_numbers_are_means_and_shares_over_the_errors(followed):
    numbers = back.pixel_numbers({"subject": followed})
    counts = followed.pixels("literal").flatten(1).sum(1).float()
    assert numbers["b1.subject.pixels_literal"] == pytest.approx(float(counts.mean()))
    assert numbers["b1.subject.total"] == 24
    share = numbers["b1.subject.share_literal"]
    assert share == pytest.approx(float(counts.mean()) / 24)


def test_identity_draws_on_more_pixels_only_where_it_does(followed):
    other = follow_errors(networks.run("emotion"))
    found = back.algorithm_verdicts(
        {"subject": followed, "emotion": other}, back.step3_table(followed.trace), True
    )
    low, _ = back.difference_interval(
        back.pixel_counts(followed, "literal"), back.pixel_counts(other, "literal")
    )
    assert ("✓ literal" in verdict(found, "B1").reason) == (low > 0)
    assert "✗ step 3" in verdict(found, "A1").reason


def test_claims_about_both_tasks_are_not_tested_on_one(followed):
    step3 = back.step3_table(followed.trace)
    found = back.algorithm_verdicts({"class": followed}, step3, True)
    assert verdict(found, "B1").verdict == "cannot be tested here"
    assert verdict(found, "A1").verdict != "cannot be tested here"


def test_cutoff_is_compared_with_the_largest_activations(followed):
    found = back.largest_numbers({"subject": followed})["a1.subject.cutoff_in_largest"]
    assert np.isnan(found) or 0 <= found <= 1


def test_run_without_errors_says_so_in_every_figure_and_verdict(right):
    followed = follow_errors(right)
    step3 = back.step3_table(example(right))
    found = back.algorithm_verdicts({"subject": followed}, step3, True)
    assert {each.verdict for each in found} == {"cannot be tested here"}
    empty = averages(kept_table(followed), ["rule", "layer"], "share")
    tracked = tracking.track(right, followed)
    for figure in (
        back_figures.kept_by_layer({"subject": empty}),
        back_figures.maps_without_pixels(back_figures.panels(right, followed)),
        back_figures.pixel_histograms({"subject": followed}, {}),
        track_figures.gallery(tracked, "cutoff"),
        track_figures.feature_sets(tracked),
        track_figures.average_features(tracked),
    ):
        assert sentence(figure).startswith("No image of this run is misclassified")
    assert len(back.kept_summary({"subject": followed})) == 0
    tables = {"subject": tracking.tracked_table(tracked)}
    assert len(tracking.tracked_summary(tables)) == 0
    found = tracking.verdicts({"subject": tracked}, tables, True)
    assert {each.verdict for each in found} == {"cannot be tested here"}


def test_last_layers_figure_shows_the_terms_it_draws(run):
    image = example(run)
    figure = back_figures.last_layers(image, run.classes, neurons=5)
    shown = " ".join(texts(figure))
    assert f"{float(image.logits.amax()):.3f}" in shown
    assert shown.count("$i$ =") == 5


def test_the_legend_of_the_histograms_lies_beside_them(followed):
    means = {("subject", rule): 1.0 for rule in followed.found}
    figure = back_figures.pixel_histograms({"subject": followed}, means)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert not any(ax.get_legend() for ax in figure.axes)
    box = legend.get_window_extent()
    assert not any(box.overlaps(ax.get_window_extent()) for ax in figure.axes)


def test_montage_lays_maps_out_row_by_row_with_gaps():
    sheet = back_figures.montage(np.arange(12.0).reshape(3, 2, 2), columns=2, gap=-1.0)
    assert sheet.shape == (5, 5)
    assert sheet[0].tolist() == [0, 1, -1, 4, 5]
    assert sheet[2].tolist() == [-1] * 5
    assert sheet[3].tolist() == [8, 9, -1, -1, -1]


# deconvolution


def test_sizes_come_back_exactly_where_the_stride_divides():
    table = deconv.size_table(range(4, 12))
    assert (table["formula_back"] == table["torch_back"]).all()
    assert ((table["torch_back"] == table["i"]) == table["whole"]).all()
    assert (table["formula"] == table["size"])[table["whole"]].all()
    assert table["formula"].isna().equals(~table["whole"])


def test_counterparts_and_adjoints_belong_to_every_convolution(run):
    trace = example(run)
    layers = deconv.counterparts(trace)
    assert (layers["restores"] == layers["input"]).all()
    assert layers["layer"].tolist().count("max-pooling") == 3
    gaps = deconv.adjoint_gaps(trace)
    assert len(gaps) == 6
    assert max(gaps) < deconv.EXACT


def test_projection_is_not_claimed_to_restore_the_image(run):
    trace = example(run)
    layers, gaps = deconv.counterparts(trace), deconv.adjoint_gaps(trace)
    sizes = deconv.size_table(range(4, 8))
    unlike, alike = np.full(9, 0.2), np.full(9, 0.95)
    for correlations, expected in ((unlike, "holds in part"), (alike, "holds")):
        found = deconv.verdicts(sizes, {"toy": 0.0}, layers, gaps, correlations)
        assert verdict(found, "F3").verdict == expected
    assert verdict(deconv.verdicts(sizes, {"toy": 0.5}, layers, gaps, alike), "F4").verdict == (
        "does not hold"
    )


def test_correlations_are_pearsons_over_each_image():
    draw = torch.Generator().manual_seed(0)
    first, second = torch.rand(2, 3, 4, 5, generator=draw), torch.rand(2, 3, 4, 5, generator=draw)
    found = deconv.correlations(first, second)
    for one, a, b in zip(found, first, second, strict=True):
        expected = np.corrcoef(a.flatten().numpy(), b.flatten().numpy())[0, 1]
        assert float(one) == pytest.approx(expected, abs=1e-6)
    assert torch.isnan(deconv.correlations(first, torch.ones_like(second))).all()


def test_untrained_network_has_the_shape_but_not_the_weights(run):
    trace = example(run)
    other = deconv.untrained(run, trace.images, seed=0)
    assert other.maps.shape == trace.maps.shape
    own = run.model.features[0].weight
    assert not torch.equal(other.network.body[0].module.weight, own)
    own_table = deconv.similarity_table(trace, trace)
    same = own_table[own_table["with"] == "random weights, same image"]["correlation"]
    np.testing.assert_allclose(same, 1, atol=1e-6)


def test_toy_figure_frames_the_maxima():
    x = torch.tensor([[1.0, 2, 0, 0], [3, 4, 0, 9], [5, 5, 1, 1], [5, 5, 1, 0]])
    figure = deconv_figures.toy_pooling(x)
    before, pooled, switches, after = figure.axes
    framed = [text.get_text() for text in before.texts if text.get_bbox_patch() is not None]
    assert framed == ["4", "9", "5", "1"]
    assert [text.get_text() for text in pooled.texts] == ["4", "9", "5", "1"]
    assert [text.get_text() for text in switches.texts] == ["5", "7", "8", "10"]
    assert sum(text.get_text() != "0" for text in after.texts) == 4


def test_zero_is_mid_gray_and_the_strongest_maps_come_first():
    image = torch.zeros(3, 2, 2)
    image[0, 0, 0] = -2.0
    shown = deconv_figures.signed(image)
    assert shown[0, 0].tolist() == [0, 0.5, 0.5]
    maps = torch.arange(12.0).reshape(1, 3, 2, 2)
    assert deconv.strongest_maps(maps[0], 2) == [2, 1]


# tracking


def test_features_of_all_active_pixels_are_the_whole_projection(tracked):
    table = tracking.tracked_table(tracked)
    literal = table[table["set"] == "literal"]
    empty = literal[literal["left"] == 0]
    np.testing.assert_allclose(empty["strength"].dropna(), 1, atol=1e-6)
    whole = deconv.ink(deconvolve(tracked.trace))
    torch.testing.assert_close(tracked.ink["whole"], whole)


def test_controls_have_as_many_pixels_as_the_cutoff(tracked):
    counts = {name: pixels.flatten(1).sum(1).tolist() for name, pixels in tracked.pixels.items()}
    assert counts["random"] == counts["cutoff"] == counts["largest"]


def test_area_of_ink_counts_the_fewest_pixels_that_hold_it():
    strengths = torch.zeros(2, 2, 5)
    strengths[0, 0, 0] = 1.0
    strengths[1] = 1.0
    assert tracking.area_of_ink(strengths).tolist() == [0.1, 0.9]
    assert torch.isnan(tracking.area_of_ink(torch.zeros(1, 2, 2))).all()


def test_even_ink_has_density_one_in_every_region(run, tracked):
    even = replace(tracked, ink={"cutoff": torch.ones(len(tracked), 16, 16)})
    table = tracking.region_table(even)
    assert table["image"].nunique() == int(tracking.frontal(tracked).sum()) > 0
    np.testing.assert_allclose(table["density"], 1)


def test_regions_are_known_for_synthetic_frontal_faces_only():
    photographs = networks.run(kind="folder:x")
    of = tracking.track(photographs, follow_errors(photographs))
    assert not tracking.frontal(of).any()
    assert len(tracking.region_summary(tracking.region_table(of))) == 0
    assert sentence(track_figures.region_plot({"cutoff": {}})) == tracking.NO_REGIONS
    tables = {"subject": tracking.tracked_table(of)}
    found = tracking.verdicts({"subject": of}, tables, True)
    assert verdict(found, "F8").verdict == "cannot be tested here"
    assert "known of cropped faces only" in verdict(found, "F8").reason


def test_published_display_keeps_whole_levels_and_wraps_around(tracked):
    shown, difference = tracking.published_display(tracked.trace, tracked.pixels["literal"])
    expected = 255 - (np.floor(difference).astype(int) * 38) % 256
    assert (shown == expected).all()
    assert (shown[difference < 1] == 255).all()


def test_gallery_pages_through_all_errors(tracked):
    total = len(tracked)
    first = track_figures.gallery(tracked, "cutoff", page=0, size=total - 1)
    last = track_figures.gallery(tracked, "cutoff", page=1, size=total - 1)
    beyond = track_figures.gallery(tracked, "cutoff", page=2, size=total - 1)
    assert f"errors 1 to {total - 1} of {total}" in first.axes[0].get_title()
    assert f"errors {total} to {total} of {total}" in last.axes[0].get_title()
    assert len(texts(first)) == total - 1
    assert sentence(beyond) == f"All {total} misclassified images are shown above."


def test_long_names_of_classes_are_shortened_beside_images(tracked):
    classes = tuple(f"{name}_with_a_long_name" for name in tracked.run.classes)
    experiment = replace(tracked.run.experiment, classes=classes)
    long = replace(tracked, run=replace(tracked.run, experiment=experiment))
    rows = [ax.get_ylabel() for ax in track_figures.feature_sets(long).axes if ax.get_ylabel()]
    assert rows
    for line in "\n".join([*rows, *texts(track_figures.gallery(long, "cutoff"))]).split("\n"):
        assert all(len(part) <= 8 for part in line.removeprefix("> ").split(" > "))


def test_the_last_of_several_is_drawn_and_never_the_first_again():
    assert style.second(style.Missing, ["first", "last"]) == style.Missing("last")
    assert "single" in sentence(style.second(style.Missing, ["first"]))


def test_pairs_stand_side_by_side_with_ink_as_darkness():
    images = np.full((1, 12, 12, 3), 7, dtype=np.uint8)
    ink = torch.zeros(1, 12, 12)
    ink[0, 0, 0] = 2.0
    sheet = track_figures.pairs_sheet(images, ink, columns=1)
    assert (sheet[2:14, :12] == 7).all()
    assert sheet[2, 12].tolist() == [0, 0, 0]
    assert (sheet[3:14, 13:24] == 255).all()
