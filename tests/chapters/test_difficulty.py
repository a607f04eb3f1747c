"""The knobs of the synthetic set: ranges, strings, and where a source carries them."""

import dataclasses
import pickle

import numpy as np
import pytest

from synthfaces import KNOBS, USUAL, Difficulty, FaceError, difficulty_of
from tinyvgg.faces.sources import absolute, check_study, check_task, named, tasks_of
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import Experiment
from tinyvgg.training.settings import Recipe
from tinyvgg.training.sweeps import plan

NAMES = [knob.name for knob in dataclasses.fields(Difficulty)]


def test_every_knob_has_a_range_that_holds_its_default() -> None:
    assert list(KNOBS) == NAMES
    for name, (low, high) in KNOBS.items():
        assert low <= getattr(USUAL, name) <= high


@pytest.mark.parametrize("name", NAMES)
def test_a_knob_out_of_range_is_named_with_its_range(name: str) -> None:
    low, high = KNOBS[name]
    for value in (low - 0.1, high + 0.1, float("nan")):
        with pytest.raises(
            FaceError, match=rf"{name} {value} is not a number from {low} to {high}"
        ):
            Difficulty(**{name: value})


def test_a_truth_value_is_no_number() -> None:
    with pytest.raises(FaceError, match="intensity True is not a number from 0.0 to 1.35"):
        Difficulty(intensity=True)


def test_intensity_never_falls_below_zero() -> None:
    with pytest.raises(FaceError, match="intensity_spread 0.2 exceeds intensity 0.1; lower it"):
        Difficulty(intensity=0.1, intensity_spread=0.2)
    assert Difficulty(intensity=0.1, intensity_spread=0.1).intensity == 0.1


def test_the_same_knobs_are_the_same_however_they_are_written() -> None:
    one = difficulty_of("synthetic:noise=0.02110, roll=1.25")
    other = Difficulty(roll=np.float64(1.25), noise=2.11e-2)
    assert one == other
    assert hash(one) == hash(other)
    assert one.source == other.source == "synthetic:roll=1.25,noise=0.0211"
    assert difficulty_of(one.source) == one
    assert pickle.loads(pickle.dumps(one)) == one
    assert Difficulty(noise=-0.0).source == Difficulty(noise=0).source == "synthetic:noise=0.0"


def test_the_usual_knobs_need_not_be_named() -> None:
    assert difficulty_of("synthetic") == USUAL
    assert USUAL.source == "synthetic"
    assert difficulty_of(f"synthetic:noise={USUAL.noise}").source == "synthetic"
    assert list(USUAL.values) == NAMES


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("synthetic:", "difficulty '' is not NAME=VALUE, such as intensity=0.7"),
        ("synthetic:0.7", "difficulty '0.7' is not NAME=VALUE, such as intensity=0.7"),
        ("synthetic:noise=0.1,", "difficulty '' is not NAME=VALUE"),
        ("synthetic:grain=1", "difficulty 'grain' is not one of intensity, intensity_spread, "),
        ("synthetic:noise=much", "noise 'much' is not a number from 0.0 to 0.3"),
        ("synthetic:noise=1", "noise 1.0 is not a number from 0.0 to 0.3"),
        ("synthetic:noise=inf", "noise inf is not a number from 0.0 to 0.3"),
        ("synthetic:noise=0.1,noise=0.2", "difficulty 'noise' is given twice"),
        ("synthetic:intensity=0.1,intensity_spread=0.2", "0.2 exceeds intensity 0.1; lower it"),
    ],
)
def test_a_source_with_a_bad_knob_is_refused_in_one_line(source: str, said: str) -> None:
    for refuse in (tasks_of, lambda faces: check_study("smoke", faces, 0)):
        with pytest.raises(FaceError, match=said) as refused:
            refuse(source)
        assert "\n" not in str(refused.value)


def test_a_source_with_knobs_is_one_of_synthetic_faces() -> None:
    source = "synthetic:noise=0.0211,intensity=.713"
    check_study("quick", source, 0)
    assert check_task(None, source) == "subject"
    assert absolute(source) == "synthetic:intensity=0.713,noise=0.0211"
    assert named(absolute(source)) == "synthetic:intensity=0.713,noise=0.0211"
    (job, _) = plan(open_study("smoke", source), [], [0], {}, [])
    assert job.faces == absolute(source)


def experiment(source: str, fingerprint: str = "f") -> Experiment:
    return Experiment("emotion", source, fingerprint, ("a", "b"), 32, 4, (8,), Recipe(), 0)


def test_an_experiment_records_its_knobs_and_is_called_after_the_kind_of_its_faces() -> None:
    plain, hard = experiment("synthetic"), experiment("synthetic:noise=0.0211")
    assert plain.configuration["source"] == "synthetic"
    assert hard.configuration["source"] == "synthetic:noise=0.0211"
    assert experiment("synthetic:noise=2.11e-2").name == hard.name != plain.name
    assert experiment(f"synthetic:roll={USUAL.roll}").name == plain.name
    assert hard.name.startswith("emotion-synthetic-32px-seed0-")
    assert hard.knobs == Difficulty(noise=0.0211).values
    assert experiment("folder:/some/where").knobs is None
    assert experiment("folder:/some/where").configuration["source"] == "folder"
