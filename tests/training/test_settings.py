"""Settings: known, typed and checked before any work."""

import numpy as np
import pytest

from tinyvgg.errors import UserError
from tinyvgg.training import settings
from tinyvgg.training.settings import CHOICES, DEFAULTS, Design, Recipe, changed


def test_values_are_typed_as_the_setting_is_and_taken_once_each() -> None:
    given = ["optimiser=sgd,adam", "epochs=3", "rate=0.1, 1,1e-1", "scaling=256"]
    typed = settings.parse_settings(given)
    assert (typed["optimiser"], typed["epochs"]) == (["sgd", "adam"], [3])
    assert (typed["rate"], typed["scaling"]) == ([0.1, 1.0], ["256"])


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["adam"], "setting 'adam' is not NAME=VALUE"),
        (["colour=red"], "setting 'colour' is not one of epochs, batch, rate"),
        (["epochs=0"], "epochs 0 is not positive"),
        (["rate=nan"], "rate nan is not positive"),
        (["epochs=2.5"], "epochs '2.5' is not a whole number"),
        (["rate=fast"], "rate 'fast' is not a number"),
        (["ending=soon"], "ending 'soon' is not one of epochs, fitted"),
        (["order=random"], "order 'random' is not one of reshuffled, fixed"),
        (["rate=0.1", "epochs=3", "rate=0.2"], "setting 'rate' is given twice"),
    ],
)
def test_what_cannot_be_set_is_named_with_what_can(texts: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        settings.parse_settings(texts)
    with pytest.raises(UserError, match="batch True is not a whole number"):
        settings.check_settings({"batch": True})


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0", [0]), ("0-4", [0, 1, 2, 3, 4]), ("2, 0,1", [2, 0, 1]), ("0-2,7,1", [0, 1, 2, 7])],
)
def test_seeds_are_numbers_and_ranges(text: str, seeds: list[int]) -> None:
    assert settings.parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-1", "seeds '-1' are not whole numbers"),
        ("0,,1", "seeds '' are not whole numbers"),
        ("4-0", "seeds '4-0' run backwards"),
        ("0-99999999999999999999", "seeds '0-99999999999999999999' are too many"),
    ],
)
def test_what_is_no_seed_is_named(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        settings.parse_seeds(text)


def test_the_first_choice_of_each_setting_is_the_usual_one() -> None:
    assert {name: values[0] for name, values in CHOICES.items()} == {
        name: DEFAULTS[name] for name in CHOICES
    }


IMAGES = 30


def slow_ending(wrong: list[int], epochs: int, fitted: bool) -> int:
    """Return the number of epochs that are trained, of those with so many training errors."""
    without, fewest, since = 0, IMAGES, 0
    for done, errors in enumerate(wrong, start=1):
        without = without + 1 if errors == 0 else 0
        fewest, since = (errors, 0) if errors < fewest else (fewest, since + 1)
        stalled = since >= 20 and fewest <= IMAGES / 20
        if done == epochs or (fitted and (without == 5 or stalled)):
            return done
    raise AssertionError("the made-up history is too short")


@pytest.mark.parametrize("ending", ["epochs", "fitted"])
def test_a_training_ends_by_its_rule_and_no_sooner(ending: str) -> None:
    generator = np.random.default_rng(1)
    histories = (generator.random((300, 40)) < generator.uniform(0, 0.5, (300, 1))).astype(int)
    ends = set()
    histories[::3] += 1  # some never come to zero
    for number, wrong in enumerate(histories.tolist()):
        recipe = Recipe(epochs=1 + number % 40, ending=ending)
        last = next(n for n in range(len(wrong) + 1) if recipe.ended(wrong[:n], IMAGES))
        assert last == slow_ending(wrong, recipe.epochs, ending == "fitted")
        ends.add(recipe.ended(wrong[:last], IMAGES).partition(", ")[2][:11])
    assert len(ends) == (1 if ending == "epochs" else 3)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([3, 0, 0, 0, 0], ""),
        ([3, 0, 0, 0, 0, 0], "after 6 epochs, the last 5 without a training error"),
        ([0, 0, 0, 0, 1, 0, 0, 0, 0], ""),
        ([0] * 5, "after 5 epochs, the last 5 without a training error"),
        ([2] * 9 + [1], "after 10 epochs, the most that its recipe allows, with 1 training error"),
        ([5, 1, *[2] * 19], ""),
        (
            [5, 1, *[2] * 20],
            "after 22 epochs, the last 20 without fewer training errors than before, 1",
        ),
        ([5, 3, *[4] * 30], ""),
    ],
)
def test_the_end_of_a_training_is_said_in_one_sentence(wrong: list[int], said: str) -> None:
    found = Recipe(epochs=10 if len(wrong) <= 10 else 99, ending="fitted").ended(wrong, IMAGES)
    assert found.startswith(said) if said else not found
    assert Recipe(epochs=1).ended([7], IMAGES) == "after 1 epoch, as its recipe says"


def test_every_epoch_that_may_be_among_the_last_is_tested() -> None:
    generator = np.random.default_rng(2)
    tested = set()
    for wrong in (generator.random((200, 40)) < generator.uniform(0, 0.3, (200, 1))).astype(int):
        recipe = Recipe(epochs=40, ending="fitted")
        last = next(n for n in range(41) if recipe.ended(wrong[:n].tolist(), 1))
        if "fewer" in recipe.ended(wrong[:last].tolist(), 1):
            continue  # of these the last epoch alone is sure to be tested, by the run itself
        tests = [recipe.tests(n, int(errors)) for n, errors in enumerate(wrong[:last], start=1)]
        assert all(tests[-5:])
        assert all(any(tests[n : n + 5]) for n in range(last - 4))
        tested.add(sum(tests) < last)
    assert tested == {True, False}
    assert not Recipe(ending="fitted").tests(2, 1)
    assert Recipe(ending="fitted", selection="test").tests(2, 1)
    assert not Recipe(ending="fitted", selection="validation").tests(2, 1)
    assert [n for n in range(1, 16) if Recipe(epochs=15).tests(n, 0)] == [5, 10, *range(11, 16)]


def test_only_those_that_belong_are_changed() -> None:
    chosen = {"rate": 0.5, "scaling": "standardised"}
    assert changed(Recipe(), chosen) == Recipe(rate=0.5)
    assert changed(Design(), chosen) == Design(scaling="standardised")
