"""The knobs of the synthetic set: ranges, strings, and where a source carries them."""

import pickle

import numpy as np
import pytest

from synthfaces import KNOBS, USUAL, Difficulty, FaceError, difficulty_of
from tinyvgg.faces.sources import absolute, check_task, named, tasks_of
from tinyvgg.training.runs import Experiment
from tinyvgg.training.settings import Recipe, check_study


@pytest.mark.parametrize("name", USUAL.values)
def test_a_knob_out_of_range_is_named_with_its_range(name):
    low, high = KNOBS[name]
    assert low <= getattr(USUAL, name) <= high
    for value in (low - 0.1, high + 0.1, float("nan")):
        with pytest.raises(FaceError, match=rf"{name} {value} .* from {low} to {high}"):
            Difficulty(**{name: value})


def test_a_truth_value_is_no_number_and_intensity_never_falls_below_zero():
    with pytest.raises(FaceError, match="intensity True is not a number from 0.0 to 1.35"):
        Difficulty(intensity=True)
    with pytest.raises(FaceError, match="intensity_spread 0.2 exceeds intensity 0.1; lower it"):
        Difficulty(intensity=0.1, intensity_spread=0.2)
    assert Difficulty(intensity=0.1, intensity_spread=0.1).intensity == 0.1


def test_the_same_knobs_are_the_same_however_they_are_written():
    one = difficulty_of("synthetic:noise=0.02110, roll=1.25")
    other = Difficulty(roll=np.float64(1.25), noise=2.11e-2)
    assert one == other == pickle.loads(pickle.dumps(one)) == difficulty_of(one.source)
    assert hash(one) == hash(other)
    assert one.source == other.source == "synthetic:roll=1.25,noise=0.0211"
    assert Difficulty(noise=-0.0).source == Difficulty(noise=0).source == "synthetic:noise=0.0"
    assert difficulty_of("synthetic") == difficulty_of(f"synthetic:noise={USUAL.noise}") == USUAL
    assert USUAL.source == "synthetic"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("synthetic:", "difficulty '' is not NAME=VALUE, such as intensity=0.7"),
        ("synthetic:noise=0.1,", "difficulty '' is not NAME=VALUE"),
        ("synthetic:grain=1", "difficulty 'grain' is not one of intensity, intensity_spread, "),
        ("synthetic:noise=much", "noise 'much' is not a number from 0.0 to 0.3"),
        ("synthetic:noise=inf", "noise inf is not a number from 0.0 to 0.3"),
        ("synthetic:noise=0.1,noise=0.2", "difficulty 'noise' is given twice"),
        ("synthetic:intensity=0.1,intensity_spread=0.2", "0.2 exceeds intensity 0.1"),
    ],
)
def test_a_source_with_a_bad_knob_is_refused(source, said):
    for refuse in (tasks_of, lambda faces: check_study("smoke", faces, 0)):
        with pytest.raises(FaceError, match=said):
            refuse(source)


def test_a_source_with_knobs_is_one_of_synthetic_faces():
    source = "synthetic:noise=0.0211,intensity=.713"
    assert check_task(None, source) == "subject"
    assert absolute(source) == named(absolute(source)) == "synthetic:intensity=0.713,noise=0.0211"


def test_an_experiment_records_its_knobs_and_is_called_after_the_kind_of_its_faces():
    def experiment(source: str) -> Experiment:
        return Experiment("emotion", source, "f", ("a", "b"), 32, 4, (8,), Recipe(), 0)

    plain, hard = experiment("synthetic"), experiment("synthetic:noise=0.0211")
    assert plain.configuration["source"] == "synthetic"
    assert hard.configuration["source"] == "synthetic:noise=0.0211"
    assert experiment("synthetic:noise=2.11e-2").name == hard.name != plain.name
    assert experiment(f"synthetic:roll={USUAL.roll}").name == plain.name
    assert hard.name.startswith("emotion-synthetic-32px-seed0-")
    assert hard.knobs == Difficulty(noise=0.0211).values
    assert experiment("folder:/some/where").knobs is None
    assert experiment("folder:/some/where").configuration["source"] == "folder"
