"""How often Tiny VGG errs on the synthetic faces: what their difficulty was tuned by.

``tools/measure_difficulty.py`` trains the networks and writes the report that is read here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tinyvgg import paper
from tinyvgg.difficulty import difficulty_of
from tinyvgg.faces import synthetic
from tinyvgg.findings.reports import missing, read_report, report_path
from tinyvgg.metrics import Interval, confusion, mean_interval, proportion_interval
from tinyvgg.paper import TASK_NAMES
from tinyvgg.runs import Run

FILE, TOOL = "difficulty.json", "tools/measure_difficulty.py"
ASKED: Mapping[str, Interval] = {
    "subject": Interval(0.01, 0.05),
    "emotion": Interval(0.06, 0.13),
}
"""Between which error rates the default was to lie, about where the paper's are."""

Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Measured:
    """One network's errors on its test images.

    Attributes:
        task: ``subject`` or ``emotion``.
        profile: whose recipe trained it.
        size: of the images, pixels; not always the profile's own.
        seed: of split, initial weights and batch order.
        fingerprint: of the images.
        test_images: how many.
        errors: how many of them are misclassified.
        confusion: images by true class and class they were taken for; what is zero is left out.
        by_angle: of each camera angle, ``images`` and ``errors``.
    """

    task: str
    profile: str
    size: int
    seed: int
    fingerprint: str
    test_images: int
    errors: int
    confusion: Counts
    by_angle: Counts

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What tells it from other networks."""
        return self.task, self.profile, self.size, self.seed

    def check(self) -> None:
        """Refuse counts that contradict each other.

        Raises:
            ValueError: they do.
        """
        images = [count for row in self.confusion.values() for count in row.values()]
        right = sum(row.get(name, 0) for name, row in self.confusion.items())
        angles = pd.DataFrame(
            {int(angle): counts for angle, counts in self.by_angle.items()}
        ).T.sum()
        if not (sum(images) == self.test_images == angles["images"] > 0):
            raise ValueError(f"{self.key} has contradicting numbers of images")
        if not (self.test_images - right == self.errors == angles["errors"]):
            raise ValueError(f"{self.key} has contradicting numbers of errors")


@dataclass(frozen=True)
class Tuning:
    """All networks that were trained on one source of faces.

    Attributes:
        source: of the faces, as it is typed.
        runs: sorted by task, profile, size and seed.
    """

    source: str
    runs: tuple[Measured, ...]

    def plain(self) -> dict[str, Any]:
        """As plain data, for a file."""
        return {"source": self.source, "runs": [asdict(run) for run in self.runs]}


def measure(run: Run, profile: str) -> Measured:
    """The errors of a trained network, by class and by camera angle.

    Args:
        run: trained on faces with angles.
        profile: whose recipe trained it.
    """
    counts = confusion(run.labels, run.predicted, len(run.classes))
    angles = run.faces.index.table["angle"].to_numpy()[run.split.test]
    wrong = run.predicted != run.labels
    return Measured(
        task=run.task,
        profile=profile,
        size=run.experiment.size,
        seed=run.experiment.seed,
        fingerprint=run.experiment.fingerprint,
        test_images=len(run.labels),
        errors=len(run.errors),
        confusion={
            true: {
                run.classes[taken]: int(counts[row, taken]) for taken in np.flatnonzero(counts[row])
            }
            for row, true in enumerate(run.classes)
        },
        by_angle={
            str(angle): {
                "images": int((angles == angle).sum()),
                "errors": int(wrong[angles == angle].sum()),
            }
            for angle in np.unique(angles)
        },
    )


def merged(source: str, old: Tuning | None, new: Iterable[Measured]) -> Tuning:
    """New networks beside those of an earlier report that are still of the same images."""
    found = {run.key: run for run in (old.runs if old and old.source == source else ())}
    kept = {key: run for key, run in found.items() if is_current(source, run)}
    return Tuning(source, _sorted({**kept, **{run.key: run for run in new}}.values()))


def is_current(source: str, run: Measured) -> bool:
    """Whether a network's images are those that the renderer makes of their source now."""
    return run.fingerprint == synthetic.fingerprint(run.size, 0, difficulty_of(source))


def _sorted(runs: Iterable[Measured]) -> tuple[Measured, ...]:
    order = list(ASKED)
    return tuple(sorted(runs, key=lambda run: (order.index(run.task), *run.key[1:])))


def read_tuning(path: Path | None = None) -> Tuning | None:
    """The committed report, or another; None where there is none.

    Raises:
        UserError: the file is damaged.
    """
    return read_report(path or report_path(FILE), _parse, TOOL)


def _parse(content: Any) -> Tuning:
    runs = [Measured(**run) for run in content["runs"]]
    for run in runs:
        run.check()
    source = str(content["source"])
    if source.partition(":")[0] != "synthetic":
        raise ValueError(f"{source!r} is no synthetic source")
    return Tuning(difficulty_of(source).source, _sorted(runs))


def tuning_sentence(tuning: Tuning | None) -> str:
    """What was trained on which faces, and whether they are those of now."""
    if tuning is None:
        return missing(FILE, TOOL)
    if not tuning.runs:
        return f"No network was trained on `{tuning.source}` yet; `{TOOL}` trains them."
    old = sum(not is_current(tuning.source, run) for run in tuning.runs)
    changed = (
        f" The set has changed since {old} of them were trained: their numbers are of an earlier "
        "version."
        if old
        else ""
    )
    inside = sum(
        ASKED[run.task].low <= run.errors / run.test_images <= ASKED[run.task].high
        for run in tuning.runs
    )
    return (
        f"Measured with {len(tuning.runs)} networks on the faces `{tuning.source}`: {inside} have "
        f"an error rate in the range asked for.{changed}"
    )


def rates_table(tuning: Tuning) -> pd.DataFrame:
    """Error rate of each network, and the mean over seeds, beside what was asked for; may be empty.

    The interval of a network is Wilson's over its test images, that of a mean Student's over seeds.
    """
    rows: list[dict[str, object]] = []
    for (task, profile, size), runs in _groups(tuning).items():
        place = {"task": TASK_NAMES[task], "recipe": profile, "pixels": size}
        rates = np.array([run.errors / run.test_images for run in runs])
        for run, rate in zip(runs, rates.tolist(), strict=True):
            interval = proportion_interval(run.errors, run.test_images)
            counts = f"{run.errors:,} of {run.test_images:,}"
            rows.append({**place, "seed": str(run.seed), **_row(task, counts, rate, interval)})
        if len(runs) > 1:
            low, high = mean_interval(rates)
            interval = Interval(max(0.0, low), min(1.0, high))
            mean = _row(task, paper.NOTHING, float(rates.mean()), interval)
            rows.append({**place, "seed": "mean", **mean})
    return _table(rows, "task", "recipe", "pixels", "seed")


def _groups(tuning: Tuning) -> dict[tuple[str, str, int], list[Measured]]:
    """Networks that differ in their seeds alone."""
    found: dict[tuple[str, str, int], list[Measured]] = {}
    for run in tuning.runs:
        found.setdefault((run.task, run.profile, run.size), []).append(run)
    return found


def _row(task: str, counts: str, rate: float, interval: Interval) -> dict[str, str]:
    asked = ASKED[task]
    return {
        "errors": counts,
        "error rate": paper.show(rate, "percent"),
        "95 % interval": paper.show_interval(interval, "percent"),
        "asked for": f"{100 * asked.low:.0f} to {asked.high:.0%}",
        "within": "yes" if asked.low <= rate <= asked.high else "no",
        "paper": paper.show(papers_rate(task), "percent"),
    }


def papers_rate(task: str) -> float:
    """The paper's error rate."""
    return 1 - paper.number(f"t2.{task}.accuracy")


def emotion_confusions(tuning: Tuning) -> pd.DataFrame:
    """The emotions that are confused most."""
    return confusions_table(tuning, "emotion")


def subject_confusions(tuning: Tuning) -> pd.DataFrame:
    """The subjects that are confused most."""
    return confusions_table(tuning, "subject")


def confusions_table(tuning: Tuning, task: str, most: int = 6) -> pd.DataFrame:
    """The most frequent confusions of a task, over all of its networks."""
    runs = [run for run in tuning.runs if run.task == task]
    errors: dict[tuple[str, str], int] = {}
    shown: dict[str, int] = {}
    for run in runs:
        for true, row in run.confusion.items():
            shown[true] = shown.get(true, 0) + sum(row.values())
            for taken, times in row.items():
                if taken != true:
                    errors[true, taken] = errors.get((true, taken), 0) + times
    whole = sum(errors.values())
    worst = sorted(errors.items(), key=lambda item: (-item[1], item[0]))[:most]
    return pd.DataFrame(
        [
            {
                "true": true,
                "taken for": taken,
                "so often": times,
                "of all errors": paper.show(times / whole, "percent"),
                "of its images": paper.show(times / shown[true], "percent"),
            }
            for (true, taken), times in worst
        ]
    )


def angles_table(tuning: Tuning) -> pd.DataFrame:
    """Error rates by camera angle, over the seeds of each task, recipe and size."""
    rows: list[dict[str, object]] = []
    for (task, profile, size), runs in _groups(tuning).items():
        row: dict[str, object] = {"task": TASK_NAMES[task], "recipe": profile, "pixels": size}
        for angle in sorted({int(angle) for run in runs for angle in run.by_angle}):
            counts = [run.by_angle[str(angle)] for run in runs if str(angle) in run.by_angle]
            errors, images = (sum(count[name] for count in counts) for name in ("errors", "images"))
            interval = paper.show_interval(proportion_interval(errors, images), "percent")
            row[f"{angle}°"] = f"{paper.show(errors / images, 'percent')} ({interval})"
        rows.append(row)
    return _table(rows, "task", "recipe", "pixels").fillna(paper.NOTHING)


def _table(rows: list[dict[str, object]], *index: str) -> pd.DataFrame:
    return pd.DataFrame(rows).set_index(list(index)) if rows else pd.DataFrame()
