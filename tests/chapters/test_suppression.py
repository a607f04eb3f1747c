"""Suppression, its controls of equal size, and their intervals."""

import numpy as np
import pandas as pd
import pytest
import torch

from tests.helpers import small_runs
from tinyvgg import paper
from tinyvgg.chapters.cases import (
    RULES,
    SETS,
    Pairs,
    counted,
    equal_smallest,
    find_cases,
    fixed_sets,
    overlap_table,
    pixel_sets,
    random_pixels,
    random_sets,
    rates_table,
    record_pairs,
    summarise,
    suppression_table,
)
from tinyvgg.chapters.statistics import bootstrap_interval, proportion_interval
from tinyvgg.contribution import contributions

RULE = RULES["literal"]


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    run = small_runs.run()
    return record_pairs(run, find_cases(run))


@pytest.fixture(scope="module")
def table(pairs: Pairs) -> pd.DataFrame:
    return suppression_table(pairs, RULE, draws=3)


def test_random_controls_have_equal_counts_of_active_pixels(pairs: Pairs) -> None:
    sets = pixel_sets(pairs, RULE)
    drawn = random_sets(pairs, sets, seed=0)
    assert torch.equal(counted(drawn["random"]), counted(sets.unique))
    assert torch.equal(counted(drawn["random_common"]), counted(sets.common))
    assert not bool((drawn["random"] & (pairs.wrong.maps <= 0)).any())
    again = random_sets(pairs, sets, seed=1)["random"]
    assert bool((counted(again) == counted(drawn["random"])).all())
    assert not torch.equal(again, drawn["random"])


def test_random_pixels_are_all_active_ones_where_more_are_wanted() -> None:
    maps = torch.tensor([[[[1.0, 0.0], [2.0, 0.0]]]])
    assert torch.equal(random_pixels(maps, torch.tensor([9]), 0), maps > 0)
    assert counted(random_pixels(maps, torch.tensor([0]), 0)).tolist() == [0]


def test_every_active_pixel_is_drawn_equally_often() -> None:
    maps = torch.ones(1, 1, 2, 5)
    drawn = sum(random_pixels(maps, torch.tensor([3]), seed).double() for seed in range(200))
    assert drawn.sum() == 600
    assert drawn.min() > 35
    assert drawn.max() < 85


def test_contrastive_pixels_add_most_to_the_mistake(pairs: Pairs) -> None:
    sets = pixel_sets(pairs, RULE)
    chosen = fixed_sets(pairs, sets)["contrastive"]
    shares = contributions(pairs.wrong, None, against=pairs.labels)
    for pixels, share, unique in zip(chosen, shares, sets.unique, strict=True):
        positive = share[share > 0].sort(descending=True).values
        assert (
            sorted(share[pixels].tolist(), reverse=True) == positive[: int(unique.sum())].tolist()
        )


def test_suppression_of_nothing_changes_nothing(table: pd.DataFrame) -> None:
    part = table[table["set"] == "nothing"]
    assert (part["pixels"] == 0).all()
    assert not part[["changed", "repaired", "harmed"]].any(axis=None)


def test_outcomes_are_those_of_the_head_run_on_changed_maps(
    pairs: Pairs, table: pd.DataFrame
) -> None:
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


def test_only_random_sets_are_drawn_more_than_once(pairs: Pairs, table: pd.DataFrame) -> None:
    draws = table.groupby("set", observed=False).size() / len(pairs)
    assert draws.to_dict() == {name: 3 if name.startswith("random") else 1 for name in SETS}


def outcomes(**sets: list[list[bool]]) -> pd.DataFrame:
    """A table of repairs by hand: for each set a list of draws, each a list of cases."""
    rows = [
        {"pair": pair, "set": name, "pixels": 4, "repaired": value}
        for name, draws in sets.items()
        for values in draws
        for pair, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_summary_counts_and_intervals_of_a_hand_made_table() -> None:
    unique, first, second = [1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 1, 0]
    found = summarise(outcomes(unique=[unique], random=[first, second]))
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


def test_control_is_not_compared_with_itself_and_never_that_certain() -> None:
    found = summarise(outcomes(unique=[[1, 1, 1]], random=[[0, 0, 0], [0, 0, 0]]))
    control = found.loc["random"]
    assert control["rate"] == control["low"] == 0
    assert 0.5 < control["high"] < 0.6
    assert control[["difference", "difference_low", "difference_high"]].isna().all()
    share, difference = rates_table(found, ["random"]).iloc[0].tolist()[2:]
    assert share.startswith("0.0% (0.0 to 5")
    assert difference == paper.NOTHING
    assert rates_table(found, ["unique"]).iloc[0].tolist()[3] == f"+100.0 ({paper.NOTHING})"


def test_difference_is_paired_by_case() -> None:
    """Equal outcomes in the same cases differ by nothing for sure; in other cases they do not."""
    same, other = [1, 0] * 10, [0, 1] * 10
    paired = summarise(outcomes(unique=[same], random=[same])).loc["unique"]
    assert (paired["difference_low"], paired["difference_high"]) == (0, 0)
    crossed = summarise(outcomes(unique=[same], random=[other])).loc["unique"]
    assert crossed["difference"] == 0
    assert crossed["difference_low"] < -0.2 < 0.2 < crossed["difference_high"]


def test_pairs_that_share_a_lookalike_count_as_pairs_and_there_may_be_none(pairs: Pairs) -> None:
    turned = pairs.reversed()
    assert len({case.row for case in turned.cases}) < len(turned)  # or this tests nothing
    shared = summarise(suppression_table(turned, RULE, draws=2), "changed")
    assert (shared["cases"] == len(turned)).all()
    found = summarise(suppression_table(pairs.only([]), RULE, draws=2))
    assert list(found.index) == list(SETS)
    assert (found["cases"] == 0).all()
    assert found["rate"].isna().all()


def test_relu_makes_negative_logits_equal() -> None:
    logits = torch.tensor([[-1.0, -2.0, 3.0, -0.5], [1.0, 2.0, 3.0, -1.0]])
    assert equal_smallest(logits.softmax(1)).tolist() == [1, 1]
    assert equal_smallest(logits.relu().softmax(1)).tolist() == [3, 1]


@pytest.mark.parametrize("rule", RULES)
def test_overlap_counts_and_values_by_loops(pairs: Pairs, rule: str) -> None:
    found = overlap_table(pairs, RULES[rule])
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


def test_chance_is_the_overlap_of_sets_drawn_from_the_active_pixels(pairs: Pairs) -> None:
    pair = pairs.only(pairs.cases[:1])
    row = overlap_table(pair, RULES["cutoff"]).iloc[0]
    draws = []
    for seed in range(100):
        a = random_pixels(pair.wrong.maps, torch.tensor([int(row["wrong"])]), 2 * seed)
        b = random_pixels(pair.right.maps, torch.tensor([int(row["right"])]), 2 * seed + 1)
        draws.append(int((a & b).sum()) / int((a | b).sum()))
    assert row["chance"] == pytest.approx(np.mean(draws), abs=0.05)
