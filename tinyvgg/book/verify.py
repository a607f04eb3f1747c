"""Whether the analysis is the same on this machine, and whether its networks are as others are.

A training on another machine ends with another network, which no tolerance can foresee. What can be
asked is whether it could be one more of the recorded networks, whose seeds alone differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tinyvgg import files, paper
from tinyvgg.book import records, reproduce
from tinyvgg.book.records import Number, differences
from tinyvgg.book.reproduce import Reproduction
from tinyvgg.chapters.statistics import Networks, chances, networks, of_another, scale_of
from tinyvgg.errors import UserError
from tinyvgg.training.experiments import open_study
from tinyvgg.training.settings import FITTED, RECORDED, SHIPPED, TRAINED

LEVEL = 0.99
ALARM = (1 - LEVEL) / 2
"""Chance of a false alarm of each of the two tests of all numbers together."""


@dataclass(frozen=True)
class Outcome:
    """What a level of verification found: what it shows, one line, and whether it passed."""

    table: pd.DataFrame
    line: str
    passed: bool


def exact() -> Outcome:
    """Analyse the shipped networks here and now, and compare everything with what is committed.

    Other faces end it: no number could then be the same.
    """
    path = records.results_path(RECORDED)
    parameters, committed = records.read_results(path)
    known = files.plain(path)["provenance"].get("faces_fingerprint")
    parameters["networks"] = SHIPPED
    fingerprint = reproduce.prepare(parameters, training=False)["fingerprint"]
    if fingerprint != known:
        faces = pd.DataFrame({"committed": known, "fresh": fingerprint}, index=["faces"])
        return Outcome(faces, "exact: the faces are others; nothing is compared", False)
    made = reproduce.reproduce(parameters, files.build() / "verify", fresh=True)
    table = differences(committed, made.records)
    other = table[~table["same"]].drop(columns="same").set_index("number")
    line = f"exact: {table['same'].sum()} of {len(table)} numbers and verdicts are the same"
    return Outcome(other, line, other.empty)


def known_networks(made: Reproduction) -> Networks:
    """Return the recorded networks that those of a reproduction are compared with."""
    profile, faces, networks_ = (made.parameters[name] for name in ("profile", "faces", "networks"))
    if networks_ == SHIPPED:
        raise UserError(f"the last reproduction has {SHIPPED} networks: 'make reproduce' trains")
    facts = reproduce.prepare({**made.parameters, "networks": TRAINED}, training=False)
    found = networks(profile, facts["fingerprint"], trials=False)
    if len(found) < paper.LEAST:
        raise UserError(
            f"there are {len(found)} of {paper.LEAST} recorded networks of faces {faces!r} at"
            f" {profile}: 'tinyvgg seeds --faces {faces} --profile {profile}' trains more;"
            " 'tinyvgg verify --exact' needs none"
        )
    return found


def in_distribution(made: Reproduction, known: Networks) -> Outcome:
    """Ask whether the networks of a reproduction could be one more of the recorded ones."""
    study = open_study(**{**made.parameters, "networks": TRAINED}, progress=False)
    numbers, broken = made.records.numbers, []
    for task in study.tasks:
        recipe = study.experiment(task).recipe
        clean, epochs = (numbers.get(f"p1.{task}.{name}") for name in ("clean_epochs", "epochs"))
        fitted = clean == Number(FITTED) or epochs == Number(recipe.epochs)
        if recipe.ending == "fitted" and not fitted:
            broken.append(f"training for {task} did not end by its rule")
    return one_more(known.rows, numbers, broken)


def one_more(rows: pd.DataFrame, fresh: Mapping[str, Number], broken: list[str]) -> Outcome:
    """Compare the numbers of a network with those of the recorded ones, a row each and quantity.

    Counts are taken as logarithms, probabilities as log odds. A number other than 0 and 1 that all
    recorded networks share must be theirs; where they share 0 or 1, which is what rare things have
    in common, one more may differ. Text, such as names and sets, is not compared. `broken` has what
    is wrong already.
    """
    values = rows.pivot(index="seed", columns="quantity", values="value")
    values = values.apply(pd.to_numeric, errors="coerce").dropna(axis=1).astype(float)
    broken, shown = list(broken), []
    judged: dict[str, tuple[np.ndarray, float]] = {}
    for key in map(str, values):
        recorded, unit = values[key].to_numpy(), paper.describe(key).unit
        if unit == "name":
            continue
        if key not in fresh:
            broken.append(f"{key} is missing")
            continue
        value = fresh[key].value
        if isinstance(value, str):
            continue
        low = high = float(recorded[0])
        if np.ptp(recorded) > 1e-9 * np.abs(recorded).max():
            scale, back = scale_of(np.append(recorded, value), unit)
            judged[key] = scale(recorded), float(scale(float(value)))
            low, high = map(float, map(back, of_another(judged[key][0]).interval(LEVEL)))
        elif not Number(low).same(Number(float(value))):
            if low in (0, 1):
                judged[key] = recorded, float(value)
            else:
                broken.append(f"{key} is {value:g}, and {low:g} in all recorded networks")
        else:
            continue
        if not low <= value <= high:
            shown.append((key, *(paper.show(each, unit) for each in (value, low, high))))
    every = np.array([numbers for numbers, _ in judged.values()]).reshape(len(judged), -1).T
    alike, furthest = chances(every, np.array([value for _, value in judged.values()]))
    table = pd.DataFrame(shown, columns=["number", "fresh", "from", "to"]).set_index("number")
    line = (
        f"in distribution: {len(shown)} of {len(judged)} numbers lie outside the {LEVEL:.0%}"
        f" prediction intervals of {len(values)} networks; chance of numbers as far out, all"
        f" together {alike:.2g}, of the furthest {furthest:.2g} (an alarm is below {ALARM:g})"
    )
    line = "; ".join([line, *broken])
    return Outcome(table, line, not broken and min(alike, furthest) >= ALARM)
