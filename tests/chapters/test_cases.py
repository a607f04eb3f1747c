"""Errors, their look-alikes, the pixels that a pair shares, and what suppressing these does."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tests.helpers import small_runs
from tinyvgg.chapters import cases
from tinyvgg.chapters.cases import RULES, counted, find_cases, pixel_sets, record_pairs
from tinyvgg.chapters.statistics import bootstrap_interval, proportion_interval
from tinyvgg.contribution import contributions
from tinyvgg.training.runs import Run

RULE = RULES["literal"]


def hand_made(run: Run, wrong: list[int], images: np.ndarray | None = None) -> Run:
    """Return the run with answers set by hand: right but for the rows in `wrong`."""
    labels = torch.from_numpy(run.faces.index.labels(run.task))
    answers = labels.clone()
    answers[wrong] = (answers[wrong] + 1) % len(run.classes)
    logits = torch.nn.functional.one_hot(answers, len(run.classes)).float()
    faces = run.faces if images is None else replace(run.faces, images=images)
    return run.having(logits=logits, faces=faces)


def slow_lookalike(run: Run, row: int) -> int | None:
    """Read the definition literally: loop over all test images."""
    index, labels = run.faces.index, run.faces.index.labels(run.task)
    for columns in (["angle", "subject"], ["angle"]):
        known = index.table[[column for column in columns if index.has(column)]]
        near = []
        for place, other in enumerate(run.split.test):
            if run.predicted[place] != labels[other] or labels[other] != labels[row]:
                continue
            if other != row and known.iloc[other].equals(known.iloc[row]):
                a, b = (run.faces.images[i].astype(float).ravel() for i in (row, other))
                near.append((float(((a - b) ** 2).sum()), int(other)))
        if near:
            return min(near)[1]
    return None


@pytest.mark.parametrize("task", ["subject", "emotion", "class"])
def test_lookalike_is_the_nearest_by_the_definition_read_literally(task):
    run = small_runs.run(task)
    found = find_cases(run)
    assert len(found) == len(run.errors) > 3
    assert [case.row for case in found] == run.split.test[run.errors].tolist()
    assert [case.lookalike for case in found] == [slow_lookalike(run, case.row) for case in found]


def test_equally_near_images_go_to_the_lower_row_at_their_root_mean_square_distance(run):
    images = np.zeros_like(run.faces.images)
    images[4] += 51
    table = run.faces.index.table
    (case,) = find_cases(hand_made(run, [4], images))
    alike = (table.subject == 1) & (table.emotion == "angry") & (table.angle == table.angle[4])
    assert case.lookalike == min(set(np.flatnonzero(alike)) - {4}) < 4
    assert case.distance == pytest.approx(0.2)


def test_an_error_without_right_image_of_its_class_and_angle_has_no_lookalike(run):
    table = run.faces.index.table
    lost = np.flatnonzero((table.emotion == "sad") & (table.angle == 90)).tolist()
    wrong = hand_made(run, lost)
    found = find_cases(wrong)
    assert [case.lookalike for case in found] == [None] * len(lost)
    assert all(np.isnan(case.distance) for case in found)
    assert len(record_pairs(wrong, found)) == 0
    assert cases.closest(found) == []


def test_a_run_without_errors_has_no_cases_and_no_pairs(run):
    perfect = hand_made(run, [])
    pairs = record_pairs(perfect, find_cases(perfect))
    assert (find_cases(perfect), len(pairs), len(pairs.wrong), len(pairs.right)) == ([], 0, 0, 0)
    assert pixel_sets(pairs, RULES["literal"]).common.shape[0] == 0


def test_controls_compare_the_lookalike_with_another_right_image(run):
    controls = cases.find_controls(run, find_cases(run))
    assert controls
    recorded = record_pairs(run, controls.values()).cases
    assert [case.lookalike for case in controls] == [case.row for case in recorded]
    for case, control in controls.items():
        assert control.row == case.lookalike
        assert control.lookalike not in (None, case.lookalike, case.row)
        assert control.true == control.predicted == case.true
        assert control.lookalike == slow_lookalike(run, control.row)


def test_pairs_record_errors_and_lookalikes_in_order(pairs):
    assert len(pairs) > 3
    assert pairs.labels.tolist() == [case.true for case in pairs.cases]
    assert pairs.wrong.predicted.tolist() == [case.predicted for case in pairs.cases]
    assert pairs.right.predicted.tolist() == [case.true for case in pairs.cases]
    chosen = pairs.only([pairs.cases[2], pairs.cases[0]])
    assert torch.equal(chosen.wrong.maps, pairs.wrong.maps[[2, 0]])


def test_pairs_whose_recorded_answer_is_another_are_left_out(run, pairs):
    first, *others = pairs.cases
    changed = replace(first, predicted=3 - first.true - first.predicted)
    assert record_pairs(run, [changed, *others]).cases == tuple(others)


def test_reversed_pairs_swap_the_sides_and_ask_for_the_predicted_class(pairs):
    turned = pairs.reversed()
    assert torch.equal(turned.wrong.images, pairs.right.images)
    assert turned.labels.tolist() == [case.predicted for case in pairs.cases]
    assert turned.reversed().cases == pairs.cases


def test_closest_prefers_the_wanted_class_where_it_has_a_pair():
    made = [cases.Case(0, 0, 1, 5, 0.1), cases.Case(1, 1, 0, 6, 0.3), cases.Case(2, 1, 2, 7, 0.2)]
    made.append(cases.Case(3, 2, 0, None, float("nan")))
    assert cases.closest(made) == [made[0]]
    assert cases.closest(made, true=1) == [made[2]]
    assert cases.closest(made, true=2) == [made[0]]


@pytest.fixture(scope="module")
def table(pairs):
    return cases.suppression_table(pairs, RULE, draws=3)


def test_random_controls_have_equal_counts_of_active_pixels(pairs):
    sets = pixel_sets(pairs, RULE)
    drawn, again = (cases.random_sets(pairs, sets, seed) for seed in (0, 1))
    for found in (drawn, again):
        assert torch.equal(counted(found["random"]), counted(sets.unique))
        assert torch.equal(counted(found["random_common"]), counted(sets.common))
        assert not bool((found["random"] & (pairs.wrong.maps <= 0)).any())
    assert not torch.equal(again["random"], drawn["random"])


def test_every_active_pixel_is_drawn_equally_often_and_all_where_more_are_wanted():
    maps = torch.tensor([[[[1.0, 0.0], [2.0, 0.0]]]])
    assert torch.equal(cases.random_pixels(maps, torch.tensor([9]), 0), maps > 0)
    assert counted(cases.random_pixels(maps, torch.tensor([0]), 0)).tolist() == [0]
    maps = torch.ones(1, 1, 2, 5)
    drawn = sum(cases.random_pixels(maps, torch.tensor([3]), seed).double() for seed in range(200))
    assert drawn.sum() == 600
    assert drawn.min() > 35
    assert drawn.max() < 85


def test_contrastive_pixels_add_most_to_the_wrong_class(pairs):
    sets = pixel_sets(pairs, RULE)
    chosen = cases.fixed_sets(pairs, sets)["contrastive"]
    shares = contributions(pairs.wrong, None, against=pairs.labels)
    for pixels, share, unique in zip(chosen, shares, sets.unique, strict=True):
        positive = share[share > 0].sort(descending=True).values
        found = share[pixels].sort(descending=True).values
        assert torch.equal(found, positive[: int(unique.sum())])


def slow_other(run: Run, case: cases.Case) -> int:
    """Read the definition of a third class's image literally: loop over all test images."""
    labels, table = run.faces.index.labels(run.task), run.faces.index.table
    near = [(np.inf, case.row)]
    for place, other in enumerate(run.split.test):
        right = run.predicted[place] == labels[other]
        angle = not run.faces.index.has("angle") or table.angle[other] == table.angle[case.row]
        if right and angle and labels[other] not in (case.true, case.predicted):
            a, b = (run.faces.images[i].astype(float) for i in (case.row, other))
            near.append((float(((a - b) ** 2).sum()), int(other)))
    return min(near)[1]


@pytest.mark.parametrize("task", ["subject", "emotion", "class"])
def test_image_of_a_third_class_is_the_nearest_by_the_definition_read_literally(task):
    run = small_runs.run(task)
    errors = find_cases(run)
    found = cases.find_others(run, errors).tolist()
    assert found == [slow_other(run, case) for case in errors]
    two = hand_made(run, np.flatnonzero(run.faces.index.labels(task) == 2).tolist())
    alone = [c for c in find_cases(two) if {c.true, c.predicted} == {0, 1}]
    assert cases.find_others(two, alone).tolist() == [case.row for case in alone]


@pytest.mark.parametrize("rule", RULES)
def test_controls_have_as_many_pixels_and_those_that_a_loop_finds(pairs, rule):
    sets = pixel_sets(pairs, RULES[rule])
    found = {**cases.fixed_sets(pairs, sets), **cases.random_sets(pairs, sets, 0)}
    assert set(found) == set(cases.SETS)
    assert torch.equal(counted(found["largest_common"]), counted(sets.common))
    for name in ("excess", "largest", "subset", "other", "random"):
        assert torch.equal(counted(found[name]), counted(sets.unique))
    assert not bool(((found["subset"] | found["other"]) & ~sets.wrong).any())
    for place in range(len(pairs)):
        wrong, right = (t.maps[place].flatten().tolist() for t in (pairs.wrong, pairs.right))
        count, most = int(sets.unique[place].sum()), int(sets.common[place].sum())
        excess = sorted(range(len(wrong)), key=lambda i: -(wrong[i] - right[i]))[:count]
        assert set(found["excess"][place].flatten().nonzero()[:, 0].tolist()) == set(excess)
        largest = sorted(range(len(wrong)), key=lambda i: -wrong[i])
        for name, size in (("largest", count), ("largest_common", most)):
            assert set(found[name][place].flatten().nonzero()[:, 0].tolist()) == set(largest[:size])
        apart = sets.wrong[place] & ~sets.other[place]
        chosen = int((found["other"][place] & apart).sum())
        assert chosen == min(count, int(apart.sum()))


def test_sets_found_once_are_those_of_parts_and_of_reversed_pairs(pairs):
    pixel_sets(pairs, RULE)
    some = pairs.only(pairs.cases[1:3])
    for part in (some, some.reversed()):
        fresh = replace(part, sets={})
        for kept, found in zip(pixel_sets(part, RULE), pixel_sets(fresh, RULE), strict=True):
            assert torch.equal(kept, found)


@pytest.fixture(scope="module")
def filled(run, pairs):
    fills = cases.fill_values(run, pairs)
    fills["resampled"] = fills["resampled"][:2]
    names = ["nothing", "common", "unique", "random"]
    return fills, cases.suppression_table(pairs, RULE, names, fills, draws=3)


def test_fills_are_means_and_values_of_right_images_and_of_the_lookalike(run, pairs):
    fills = cases.fill_values(run, pairs)
    right = run.split.test[run.predicted == run.labels]
    maps = cases.record(run.model, run.tensor(right)).maps
    assert fills["zero"] == [0.0]
    torch.testing.assert_close(fills["mean"][0].flatten(), maps.mean((0, 2, 3)))
    assert len(fills["resampled"]) == cases.DRAWS // 2
    for drawn in fills["resampled"]:
        apart = (drawn[:, None] - maps[None]).flatten(2).abs().amax(2).amin(1)
        assert float(apart.max()) < 1e-5
    everything = torch.ones_like(pairs.wrong.maps, dtype=torch.bool)
    patched = cases.rescore(pairs.wrong, everything, fills["patched"][0])
    assert torch.equal(patched, pairs.right.logits)


def test_outcomes_under_each_fill_are_those_of_one_pair_at_a_time(pairs, filled):
    fills, table = filled
    sets = pixel_sets(pairs, RULE)
    for fill, values in fills.items():
        for name in ("common", "unique"):
            pixels = getattr(sets, name)
            for place, case in enumerate(pairs.cases):
                outcomes = []
                for value in values:
                    many = isinstance(value, torch.Tensor) and value.ndim == 4
                    own = value[place : place + 1] if many else value
                    maps = pairs.wrong.maps[place : place + 1].clone()
                    chosen = pixels[place : place + 1]
                    maps[chosen] = torch.as_tensor(own).expand_as(maps)[chosen]
                    answer = int(pairs.wrong[place].with_maps(maps).predicted)
                    outcomes.append(answer == case.true)
                found = cases.by_pair(table)[name, fill][place]
                assert found == pytest.approx(np.mean(outcomes))


def test_nothing_harms_nothing_and_own_values_harm_nobody(filled):
    _, table = filled
    assert not table[table["set"] == "nothing"][["changed", "harmed"]].any(axis=None)
    assert not table[table["fill"] == "patched"]["harmed"].any()
    counts = table.groupby(["fill", "set"], observed=True).size() / table["pair"].nunique()
    assert counts["resampled"].to_dict() == {"nothing": 2, "common": 2, "unique": 2, "random": 3}


def test_advantage_is_the_mean_of_differences_by_pair(filled):
    _, table = filled
    means = {
        name: [part["changed"].mean() for _, part in table[rows].groupby("pair")]
        for name in ("common", "random")
        for rows in [(table["set"] == name) & (table["fill"] == "mean")]
    }
    apart = np.array(means["common"]) - np.array(means["random"])
    found = cases.advantage(table, "common", "random", "changed", "mean")
    assert found == pytest.approx((apart.mean(), apart.std(ddof=1) / len(apart) ** 0.5))
    shown = cases.fills_table(table, "changed", ["common"])
    assert shown.loc["common", "zero"].startswith(
        f"{100 * cases.by_pair(table, 'changed')['common', 'zero'].mean():.1f}% ± "
    )


def test_outcomes_are_those_of_the_head_run_on_changed_maps(pairs, table):
    common = pixel_sets(pairs, RULE).common
    head = [layer.module for layer in pairs.wrong.network.dense]
    part = table[table["set"] == "common"].reset_index(drop=True)
    for place, case in enumerate(pairs.cases):
        values = (pairs.wrong.maps[place] * ~common[place]).flatten()
        for depth, layer in enumerate(head):
            values = layer(values if depth == 0 else values.relu())
        chances = values.softmax(0)
        row = part.loc[place]
        assert row["pair"] == place
        assert row["repaired"] == (int(values.argmax()) == case.true)
        assert row["changed"] == (int(values.argmax()) != case.predicted)
        assert row["p_true"] == pytest.approx(float(chances[case.true]), rel=1e-4)
        assert row["p_predicted"] == pytest.approx(float(chances[case.predicted]), rel=1e-4)


def test_only_random_sets_are_drawn_more_than_once_and_the_empty_one_changes_nothing(pairs, table):
    draws = table.groupby("set", observed=False).size() / len(pairs)
    assert draws.to_dict() == {name: 3 if name in cases.DRAWN else 1 for name in cases.SETS}
    nothing = table[table["set"] == "nothing"]
    assert not nothing[["pixels", "changed", "repaired", "harmed"]].any(axis=None)


def outcomes(**sets: list[list[int]]) -> pd.DataFrame:
    """Make a table of repairs by hand: for each set a list of draws, each a list of cases."""
    rows = [
        {"pair": pair, "set": name, "fill": "zero", "pixels": 4, "repaired": value}
        for name, draws in sets.items()
        for values in draws
        for pair, value in enumerate(values)
    ]
    return pd.DataFrame(rows).astype({"set": "category", "fill": "category"})


def test_summary_counts_and_intervals_of_a_hand_made_table():
    unique, first, second = [1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 1, 0]
    found = cases.summarise(outcomes(unique=[unique], random=[first, second]))
    row = found.loc["unique"]
    assert (row["cases"], row["count"], row["rate"], row["pixels"]) == (4, 3, 0.75, 4)
    assert (row["low"], row["high"]) == pytest.approx(proportion_interval(3, 4))
    differences = np.array([0.5, 1.0, 0.5, 0.0])
    assert row["difference"] == pytest.approx(0.5)
    bounds = (row["difference_low"], row["difference_high"])
    assert bounds == pytest.approx(bootstrap_interval(differences))
    drawn = found.loc["random"]
    assert drawn["count"] == pytest.approx(1.0)
    assert (drawn["low"], drawn["high"]) == pytest.approx(proportion_interval(1, 4))


def test_control_is_not_compared_with_itself_and_never_that_certain():
    found = cases.summarise(outcomes(unique=[[1, 1, 1]], random=[[0, 0, 0], [0, 0, 0]]))
    control = found.loc["random"]
    assert control["rate"] == control["low"] == 0
    assert 0.5 < control["high"] < 0.6
    assert control[["difference", "difference_low", "difference_high"]].isna().all()


def test_difference_is_paired_by_case():
    """Equal outcomes in the same cases differ by nothing for sure; in other cases they do not."""
    same, other = [1, 0] * 10, [0, 1] * 10
    paired = cases.summarise(outcomes(unique=[same], random=[same])).loc["unique"]
    assert (paired["difference_low"], paired["difference_high"]) == (0, 0)
    crossed = cases.summarise(outcomes(unique=[same], random=[other])).loc["unique"]
    assert crossed["difference"] == 0
    assert crossed["difference_low"] < -0.2 < 0.2 < crossed["difference_high"]


def test_pairs_that_share_a_lookalike_count_as_pairs_and_there_may_be_none(pairs):
    turned = pairs.reversed()
    assert len({case.row for case in turned.cases}) < len(turned)  # or this tests nothing
    shared = cases.summarise(cases.suppression_table(turned, RULE, draws=2), "changed")
    assert (shared["cases"] == len(turned)).all()
    found = cases.summarise(cases.suppression_table(pairs.only([]), RULE, draws=2))
    assert list(found.index) == list(cases.SETS)
    assert (found["cases"] == 0).all()
    assert found["rate"].isna().all()


def test_relu_makes_negative_logits_equal():
    logits = torch.tensor([[-1.0, -2.0, 3.0, -0.5], [1.0, 2.0, 3.0, -1.0]])
    assert cases.equal_smallest(logits.softmax(1)).tolist() == [1, 1]
    assert cases.equal_smallest(logits.relu().softmax(1)).tolist() == [3, 1]


@pytest.mark.parametrize("rule", RULES)
def test_overlap_counts_and_values_by_loops(pairs, rule):
    found = cases.overlap_table(pairs, RULES[rule])
    sets = pixel_sets(pairs, RULES[rule])
    for place, common in enumerate(sets.common):
        first, second = (t.maps[place][common].numpy() for t in (pairs.right, pairs.wrong))
        right = set(sets.right[place].flatten().nonzero()[:, 0].tolist())
        wrong = set(sets.wrong[place].flatten().nonzero()[:, 0].tolist())
        row = found.iloc[place]
        assert row["common"] == len(right & wrong) == len(first)
        assert row["unique"] == len(wrong - right)
        if right | wrong:
            assert row["jaccard"] == pytest.approx(len(right & wrong) / len(right | wrong))
        if len(first) > 2:
            assert row["correlation"] == pytest.approx(np.corrcoef(first, second)[0, 1], abs=1e-5)
            relative = np.abs(first - second).mean() / ((first + second) / 2).mean()
            assert row["difference"] == pytest.approx(relative, rel=1e-4)


def test_chance_is_the_overlap_of_sets_drawn_from_the_active_pixels(pairs):
    pair = pairs.only(pairs.cases[:1])
    row = cases.overlap_table(pair, RULES["cutoff"]).iloc[0]
    draws = []
    for seed in range(100):
        a = cases.random_pixels(pair.wrong.maps, torch.tensor([int(row["wrong"])]), 2 * seed)
        b = cases.random_pixels(pair.right.maps, torch.tensor([int(row["right"])]), 2 * seed + 1)
        draws.append(int((a & b).sum()) / int((a | b).sum()))
    assert row["chance"] == pytest.approx(np.mean(draws), abs=0.05)
