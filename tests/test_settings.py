"""Settings: known, typed and checked before any work."""

from typing import Any

import pytest

from tinyvgg.errors import UserError
from tinyvgg.training.settings import (
    CHOICES,
    DEFAULTS,
    Design,
    Recipe,
    changed,
    check_settings,
    parse_setting,
)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"epochs": 0}, "epochs 0 is not positive"),
        ({"batch": -1}, "batch -1 is not positive"),
        ({"rate": 0.0}, "rate 0.0 is not positive"),
        ({"rate": float("nan")}, "rate nan is not positive"),
        ({"epochs": 2.5}, "epochs 2.5 is not a whole number"),
        ({"batch": True}, "batch True is not a whole number"),
        ({"optimiser": "lion"}, "optimiser 'lion' is not one of sgd, adam, adagrad"),
    ],
)
def test_settings_that_train_nothing_are_refused(setting: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_settings(setting)


@pytest.mark.parametrize("setting", [{"epochs": 0}, {"rate": -0.1}, {"order": "random"}])
def test_a_recipe_checks_its_settings(setting: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Recipe(**setting)


def test_values_are_typed_as_the_setting_is() -> None:
    assert parse_setting("optimiser=sgd,adam") == ("optimiser", ["sgd", "adam"])
    assert parse_setting("epochs=3") == ("epochs", [3])
    assert parse_setting("rate=0.1, 1") == ("rate", [0.1, 1.0])
    assert parse_setting("scaling=256") == ("scaling", ["256"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("adam", "setting 'adam' is not NAME=VALUE"),
        ("optimiser=", "setting 'optimiser=' is not NAME=VALUE"),
        ("colour=red", "setting 'colour' is not one of epochs, batch, rate"),
        ("epochs=many", "epochs 'many' is not a whole number, such as 100"),
        ("rate=fast", "rate 'fast' is not a number, such as 0.01"),
        ("order=random", "order 'random' is not one of reshuffled, fixed"),
    ],
)
def test_what_cannot_be_set_is_named_with_what_can(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse_setting(text)


def test_the_first_choice_of_each_setting_is_the_usual_one() -> None:
    assert {name: values[0] for name, values in CHOICES.items()} == {
        name: DEFAULTS[name] for name in CHOICES
    }


def test_only_those_that_belong_are_changed() -> None:
    settings = {"rate": 0.5, "scaling": "centred"}
    assert changed(Recipe(), settings) == Recipe(rate=0.5)
    assert changed(Design(), settings) == Design(scaling="centred")
