import numpy as np
import pytest

from synthfaces import FaceError
from synthfaces.camera import draw_nuisance
from synthfaces.expressions import draw_expression, draw_temperament
from synthfaces.maths import stream
from synthfaces.parameters import EMOTIONS, SUBJECTS
from synthfaces.people import design


def test_the_whole_design_has_the_papers_4824_images():
    table = design()
    assert len(table) == 4824
    assert (table.groupby(["subject", "angle"]).size() == 24).all()
    assert (table.groupby(["emotion", "angle"]).size() == 201).all()


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


def test_files_are_named_as_the_database_names_them():
    row = design(1, angles=(90,)).iloc[0]
    assert row["path"] == "Rafd090_01_Caucasian_female_angry_frontal.jpg"
    assert design()["path"].is_unique


@pytest.mark.parametrize("subjects", [0, 68])
def test_an_impossible_number_of_subjects_is_refused(subjects):
    with pytest.raises(FaceError, match=rf"subjects {subjects} is not a number from 1 to 67"):
        design(subjects)


def test_streams_differ_in_every_label_and_repeat_otherwise():
    names = [(0, 1, "a"), (0, 1, "b"), (0, 2, "a"), (1, 1, "a"), (0, 1), (0, 11, "a"), (0, "1a")]
    draws = [stream(*name).random() for name in names]
    assert len(set(draws)) == len(names)
    assert draws == [stream(*name).random() for name in names]


@pytest.fixture(scope="module")
def nuisances():
    table = design(angles=(0, 45, 90, 135, 180))
    keys = table[["subject", "emotion", "gaze", "angle"]].itertuples(index=False)
    drawn = [draw_nuisance(0, *key) for key in keys]
    for name in ("scale", "roll", "exposure", "grain"):
        table[name] = [getattr(nuisance, name) for nuisance in drawn]
    table["right"], table["up"] = zip(*(nuisance.shift for nuisance in drawn), strict=True)
    return table


@pytest.mark.parametrize("value", ["scale", "roll", "exposure", "grain", "right", "up"])
def test_no_two_images_share_a_nuisance(nuisances, value):
    assert nuisances[value].is_unique


@pytest.mark.parametrize("value", ["scale", "roll", "exposure", "right", "up"])
@pytest.mark.parametrize("label", ["emotion", "gaze", "angle", "subject"])
def test_nuisances_are_distributed_alike_whatever_is_shown(nuisances, value, label):
    whole = nuisances[value]
    groups = nuisances.groupby(label)[value]
    deviation = (groups.mean() - whole.mean()) / (whole.std() / np.sqrt(groups.size()))
    assert deviation.abs().max() < 4.5
    spread = np.log(groups.std() / whole.std()) * np.sqrt(2 * groups.size())
    assert spread.abs().max() < 4.5


def test_nuisances_of_two_emotions_are_uncorrelated_over_subjects(nuisances):
    shot = nuisances[(nuisances["gaze"] == "frontal") & (nuisances["angle"] == 90)]
    rolls = shot.pivot_table(index="subject", columns="emotion", values="roll")
    correlation = np.corrcoef(rolls.to_numpy().T) - np.eye(len(EMOTIONS))
    assert np.abs(correlation).max() < 4.5 / np.sqrt(len(SUBJECTS))


@pytest.fixture
def temperament():
    return draw_temperament(np.random.default_rng(0), ("mouthSmileLeft", "mouthSmileRight"))


def test_contempt_is_lopsided_towards_the_subjects_near_side(temperament):
    contempt = draw_expression("contemptuous", "frontal", temperament, np.random.default_rng(1))
    far = "Right" if temperament.near == "Left" else "Left"
    assert contempt.actions[f"mouthSmile{temperament.near}"] > 0.2
    assert f"mouthSmile{far}" not in contempt.actions
