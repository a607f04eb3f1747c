"""The factorial design, and draws that are distributed alike whatever is shown."""

import numpy as np
import pandas as pd
import pytest

from synthfaces.expressions import draw_expression, draw_temperament
from synthfaces.maths import stream
from synthfaces.parameters import EMOTIONS, SUBJECTS, Difficulty
from synthfaces.people import design
from synthfaces.specification import face_specs

OF_IMAGES = ("scale", "roll", "exposure", "right", "up")
OF_SHOTS = ("light_turn", "light_key", "light_fill", "light_dome", "head_turn", "head_nod")


def test_the_whole_design_has_the_papers_4824_images():
    table = design()
    assert len(table) == 4824
    assert (table.groupby(["subject", "angle"]).size() == 24).all()
    assert (table.groupby(["emotion", "angle"]).size() == 201).all()
    assert table["path"].is_unique
    row = design(1, angles=(90,)).iloc[0]
    assert row["path"] == "Rafd090_01_Caucasian_female_angry_frontal.jpg"


def test_subjects_carry_the_databases_numbers_and_groups():
    people = design().drop_duplicates("subject")
    assert tuple(people["subject"]) == SUBJECTS
    assert set(range(1, 74)) - set(SUBJECTS) == {6, 13, 17, 34, 62, 66}
    assert people.groupby(["group", "sex"]).size().to_dict() == {
        ("Caucasian", "female"): 19,
        ("Caucasian", "male"): 20,
        ("Kid", "female"): 6,
        ("Kid", "male"): 4,
        ("Moroccan", "male"): 18,
    }


@pytest.mark.parametrize(("subjects", "groups"), [(3, 2), (4, 3), (8, 3)])
def test_few_subjects_are_spread_over_the_groups(subjects, groups):
    people = design(subjects).drop_duplicates("subject")
    assert len(people) == subjects
    assert people["group"].nunique() == groups
    assert people["sex"].nunique() == 2


def test_streams_differ_in_every_label_and_repeat_otherwise():
    names = [(0, 1, "a"), (0, 1, "b"), (0, 2, "a"), (1, 1, "a"), (0, 1), (0, 11, "a"), (0, "1a")]
    draws = [stream(*name).random() for name in names]
    assert len(set(draws)) == len(names)
    assert draws == [stream(*name).random() for name in names]


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    """What is drawn for each image of two cameras."""
    knobs = Difficulty(head_turn=5, head_nod=4, light_turn=20, light_strength=0.2)
    table = design(angles=(45, 90))
    specs = list(face_specs(table, difficulty=knobs))
    for name in ("scale", "roll", "exposure", "grain"):
        table[name] = [getattr(spec.nuisance, name) for spec in specs]
    table["right"], table["up"] = zip(*(spec.nuisance.shift for spec in specs), strict=True)
    for name in OF_SHOTS:
        cause, _, value = name.partition("_")
        table[name] = [getattr(getattr(spec, cause), value) for spec in specs]
    return table


@pytest.mark.parametrize("value", [*OF_IMAGES, *OF_SHOTS])
def test_causes_are_distributed_alike_whatever_is_shown(drawn, value):
    table = drawn[drawn["angle"] == 90] if value in OF_SHOTS else drawn
    whole = table[value]
    assert whole.nunique() > 0.99 * len(whole)
    for label in ("emotion", "gaze", "angle", "subject"):
        groups = table.groupby(label)[value]
        deviation = (groups.mean() - whole.mean()) / (whole.std() / np.sqrt(groups.size()))
        assert deviation.abs().max() < 4.5
        spread = np.log(groups.std() / whole.std()) * np.sqrt(2 * groups.size())
        assert spread.abs().max() < 4.5
    shots = table[(table["gaze"] == "frontal") & (table["angle"] == 90)]
    by_subject = shots.pivot_table(index="subject", columns="emotion", values=value)
    correlation = np.corrcoef(by_subject.to_numpy().T) - np.eye(len(EMOTIONS))
    assert np.abs(correlation).max() < 4.5 / np.sqrt(len(SUBJECTS))


@pytest.mark.parametrize("value", [*OF_IMAGES, "grain"])
def test_no_two_images_share_a_nuisance(drawn, value):
    assert drawn[value].is_unique


def test_contempt_is_lopsided_towards_the_subjects_near_side():
    smile = ("mouthSmileLeft", "mouthSmileRight")
    temperament = draw_temperament(np.random.default_rng(0), smile)
    contempt = draw_expression("contemptuous", "frontal", temperament, np.random.default_rng(1))
    far = "Right" if temperament.near == "Left" else "Left"
    assert contempt.actions[f"mouthSmile{temperament.near}"] > 0.2
    assert f"mouthSmile{far}" not in contempt.actions
