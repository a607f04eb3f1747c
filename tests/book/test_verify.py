"""Networks that could be one more of the recorded ones pass; others, and broken rules, fail."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tinyvgg import files
from tinyvgg.book import verify
from tinyvgg.book.records import Number, Records
from tinyvgg.book.reproduce import Reproduction
from tinyvgg.chapters import statistics
from tinyvgg.chapters.statistics import Networks
from tinyvgg.errors import UserError
from tinyvgg.training.settings import Recipe

KINDS = 40
"""Counts and shares, each, that follow from three things that seeds change."""


def drawn(networks=10, seed=0):
    """Return made-up numbers of networks, most of which go up and down together."""
    loads = np.random.default_rng(9).normal(0, 1, (3, 2 * KINDS))
    generator = np.random.default_rng(seed)
    normal = generator.normal(0, 1, (networks, 3)) @ loads
    normal += generator.normal(0, 0.4, normal.shape)
    counts, shares = np.exp(4 + normal[:, :KINDS] / 6).round(), 0.5 + normal[:, KINDS:] / 40
    found = {f"m1.subject.errors_{k}": column.astype(int) for k, column in enumerate(counts.T)}
    found |= {f"s4.emotion.share_{k}": column for k, column in enumerate(shares.T)}
    same = {"t1.subject.parameters": 2_818_659, "p1.both.rate": 0.01, "t3.emotion.rare": 0}
    same["f9.subject.taken_for"] = 2
    return [
        {key: Number(column[k].item()) for key, column in found.items()}
        | {key: Number(value) for key, value in same.items()}
        | {"a1.subject.set": Number(f"{k:016x}")}
        for k in range(networks)
    ]


def as_rows(networks):
    rows = [
        (seed, key, str(n.value)) for seed, one in enumerate(networks) for key, n in one.items()
    ]
    return pd.DataFrame(rows, columns=["seed", "quantity", "value"])


def judge(networks, fresh, broken=()):
    return verify.one_more(as_rows(networks), fresh, list(broken))


@pytest.mark.parametrize("size", [2, 80])
def test_the_rate_of_false_alarms_is_the_nominal_one_however_numbers_are_correlated(
    monkeypatch, size
):
    monkeypatch.setattr(statistics, "DRAWS", 2000)
    generator = np.random.default_rng(3)
    loads = generator.normal(0, 1, (3, size))
    alarms, times = 0, 600
    for _ in range(times):
        values = generator.normal(0, 1, (11, 3)) @ loads + generator.normal(0, 0.2, (11, size))
        alarms += min(statistics.chances(values[1:], values[0])) < verify.ALARM
    assert alarms <= 15  # a binomial count of 600 with a rate of 1 % is larger in 0.1 % of cases


def test_each_recorded_network_could_be_one_more_of_the_others_and_is_one_of_all():
    networks = drawn()
    alone = [judge(networks[:k] + networks[k + 1 :], one) for k, one in enumerate(networks)]
    assert sum(not outcome.passed for outcome in alone) <= 1
    assert all(judge(networks, one).passed for one in networks)
    assert judge(networks, drawn(1, seed=7)[0]).passed


def changed(one, name, change):
    return {
        key: Number(change(n.value)) if name in key and not isinstance(n.value, str) else n
        for key, n in one.items()
    }


def test_each_network_of_the_committed_table_could_be_one_more_of_the_others():
    rows = pd.read_csv(files.project() / "results" / "seeds.csv", dtype=str)
    rows = rows[rows["faces"] == "synthetic"]
    assert rows["seed"].nunique() >= 10
    alarms = 0
    for seed, mine in rows.groupby("seed"):
        values = pd.to_numeric(mine.set_index("quantity")["value"], errors="coerce").dropna()
        numbers = {key: Number(value) for key, value in values.items()}
        alarms += not verify.one_more(rows[rows["seed"] != seed], numbers, []).passed
    assert alarms <= 1


def test_probabilities_are_compared_as_log_odds():
    networks, (fresh,), key = drawn(), drawn(1, seed=7), "s2.subject.right_after_true"
    for k, one in enumerate([*networks, fresh]):
        one[key] = Number(10.0 ** -(2 + k % 3))
    assert judge(networks, fresh).passed
    for value in (1e-5, 0.03, 0.9):
        outside = judge(networks, {**fresh, key: Number(value)}).table.index
        assert (key in outside) == (value == 0.9)


def test_what_no_seed_explains_fails():
    networks, (fresh,) = drawn(), drawn(1, seed=7)
    others = {
        "stopped early": changed(fresh, "errors", lambda count: 3 * count),
        "shuffled": changed(fresh, ".", lambda value: value * 5),
        "one number": changed(fresh, "share_3", lambda share: share + 5),
    }
    for name, other in others.items():
        assert not judge(networks, other).passed, name
    for key in ("t1.subject.parameters", "p1.both.rate"):
        outcome = judge(networks, changed(fresh, key, lambda value: 2 * value))
        assert not outcome.passed
        assert f"{key} is" in outcome.line
    del fresh["s4.emotion.share_3"]
    assert "share_3 is missing" in judge(networks, fresh).line
    assert not judge(networks, fresh).passed


def test_what_is_rare_or_a_name_may_be_otherwise_in_one_more_network():
    networks, (fresh,) = drawn(), drawn(1, seed=7)
    for key in ("taken_for", "rare"):
        assert judge(networks, changed(fresh, key, lambda value: value + 1)).passed
    rare = changed(fresh, "rare", lambda value: 1)
    assert "t3.emotion.rare" in judge(networks, rare).table.index


def test_a_training_that_did_not_end_by_its_rule_fails(monkeypatch):
    networks, (fresh,) = drawn(), drawn(1, seed=7)
    recipe = Recipe(epochs=100, batch=12, rate=0.01, ending="fitted")
    study = SimpleNamespace(
        tasks=("class",), experiment=lambda task: SimpleNamespace(recipe=recipe)
    )
    monkeypatch.setattr(verify, "open_study", lambda **_: study)
    for clean, epochs, passed in ((5, 31, True), (0, 100, True), (4, 31, False), (None, 31, False)):
        ends = {"p1.class.clean_epochs": clean, "p1.class.epochs": epochs}
        ends = {key: Number(value) for key, value in ends.items() if value is not None}
        monkeypatch.setattr(Reproduction, "records", Records({**fresh, **ends}))
        known = Networks(as_rows(networks))
        outcome = verify.in_distribution(Reproduction({}, Path()), known)
        assert outcome.passed is passed
        assert ("did not end by its rule" in outcome.line) is not passed


def test_too_few_recorded_networks_are_one_line_with_the_way_out(workshop, prepared):
    made = {"profile": "quick", "faces": "synthetic", "seed": 0, "networks": "trained"}
    for networks, said in (("trained", "0 of 5 recorded.*seeds"), ("shipped", "make reproduce")):
        asked = Reproduction({**made, "networks": networks}, Path())
        with pytest.raises(UserError, match=said):
            verify.known_networks(asked)
