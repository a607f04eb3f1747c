"""How few pixels repair an error: tables, numbers and figures, on small runs."""

import pytest
import torch

from tinyvgg.chapters import repairs as findings
from tinyvgg.chapters.cases import RULES, suppression_table
from tinyvgg.contribution import contributions
from tinyvgg.repairs import repair
from tinyvgg.tracking import rescore


@pytest.fixture(scope="module")
def found(pairs):
    return repair(pairs.wrong, pairs.labels)


def best(scores: torch.Tensor, count: int) -> list[int]:
    """Return the places of the largest positive scores of one image, by sorting in Python."""
    flat = scores.flatten().tolist()
    order = sorted(range(len(flat)), key=lambda place: -flat[place])
    return [place for place in order[:count] if flat[place] > 0]


def test_curves_are_what_suppressing_the_first_of_a_ranking_does(pairs, found):
    table = findings.curve_table(pairs, found, seed=0)
    for row in table[table["chosen"] == findings.SET].to_dict("records"):
        assert row["repaired"] == int((found.repaired & (found.size <= row["pixels"])).sum())
    drawn = findings.rankings(pairs, seed=0)["random"] > 0
    assert torch.equal(drawn, pairs.wrong.maps > 0)
    scores = {
        "contrastive": contributions(pairs.wrong, None, against=pairs.labels),
        "contribution": contributions(pairs.wrong),
        "largest": pairs.wrong.maps,
    }
    for name, of_all in scores.items():
        for count in (1, 4, 16):
            repaired = 0
            for place, label in enumerate(pairs.labels.tolist()):
                pixels = torch.zeros_like(of_all[place], dtype=torch.bool).flatten()
                pixels[best(of_all[place], count)] = True
                gone = pixels.reshape(of_all[place : place + 1].shape)
                repaired += int(rescore(pairs.wrong[place], gone).argmax()) == label
            row = table[(table["chosen"] == name) & (table["pixels"] == count)]
            assert row["repaired"].item() == repaired
            assert row["low"].item() <= row["share"].item() <= row["high"].item()


def test_the_papers_sets_repair_what_the_case_studies_say(pairs):
    points = findings.set_points(pairs).set_index("chosen")
    table = suppression_table(pairs, RULES["cutoff"], draws=1)
    for name in ("unique", "common"):
        part, row = table[table["set"] == name], points.loc[name]
        assert row["repaired"] == part["repaired"].sum()
        assert row["pixels"] == pytest.approx(part["pixels"].mean())


def test_without_a_repaired_error_no_example_is_drawn(run, pairs):
    none = pairs.only([])
    assert findings.examples_figure(run, none, repair(none.wrong, none.labels)) is None
    assert findings.set_points(none)["share"].isna().all()


def test_examples_come_smallest_first_with_their_classes(run, pairs, found):
    figure = findings.examples_figure(run, pairs, found, most=4)
    titles = [ax.get_title() for ax in figure.axes]
    sizes = [int(title.split()[0]) for title in titles if title.endswith(("cell", "cells"))]
    assert sizes == sorted(found.size[found.repaired].tolist())[:4]
    first = int(found.size.masked_fill(~found.repaired, 10**6).argmin())
    assert titles[0] == f"taken for\n{run.classes[pairs.cases[first].predicted]}"
    assert "synthetic faces" in figure.get_suptitle()
