"""Runs as text: the list, one of them, two of them side by side."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tinyvgg import files as paths
from tinyvgg.columns import age, aligned, counted, megabytes, percent
from tinyvgg.training import runs as run_folder
from tinyvgg.training.runs import COMPLETE, STATES, Entry, read_table
from tinyvgg.training.settings import DEFAULTS

if TYPE_CHECKING:
    from tinyvgg.comparison import Comparison

HEADER = ("run", "profile", "seed", "epochs", "accuracy", "errors", "age", "size", "state")
TO_THE_RIGHT = (2, 3, 4, 5, 6, 7)
LAST_EPOCHS = 3
PARTS = ("train", "validation", "test")
COURSE = ("epoch", *(f"{part}_{what}" for part in PARTS for what in ("loss", "error")))


def listed(entries: Sequence[Entry]) -> str:
    """A row a run and a line of totals."""
    if not entries:
        return (
            f"There are no runs in {paths.runs()}: 'tinyvgg train', 'make reproduce' or a notebook"
            " makes one."
        )
    rows = [HEADER, *(_row(entry) for entry in entries)]
    return f"{aligned(rows, TO_THE_RIGHT)}\n{totals(entries)}"


def totals(entries: Sequence[Entry]) -> str:
    """How many runs there are in each state, and how much room they take."""
    states = Counter(entry.state for entry in entries)
    by_state = ", ".join(f"{states[state]} {state}" for state in STATES if states[state])
    size = megabytes(sum(entry.size for entry in entries))
    return f"{counted(len(entries), 'run')}: {by_state}; {size}"


def shown(entry: Entry) -> str:
    """All that is known of a run."""
    parts = [_about(entry), _configuration(entry), _circumstances(entry), _course(entry)]
    return "\n\n".join([*filter(None, parts), *filter(None, [_gradients(entry)])])


def side_by_side(
    first: Entry,
    second: Entry,
    differing: Sequence[tuple[str, str, str]],
    comparison: "Comparison | None",
    apart: float | None,
) -> str:
    """What differs between two runs, in settings and in what came out."""
    rows = [("", first.name, second.name), *differing]
    settings = aligned(rows) if differing else "The settings and versions are the same."
    if comparison is None:
        unfinished = [entry for entry in (first, second) if entry.state != COMPLETE]
        said = " and ".join(f"{entry.name} is {entry.state}" for entry in unfinished)
        return f"{settings}\n\nThe accuracies cannot be compared: {said}."
    accuracies = f"{percent(first.accuracy)} and {percent(second.accuracy)}"
    return "\n".join(
        [settings, "", f"accuracy: {accuracies}", _difference(comparison), _apart(apart)]
    )


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        entry.name,
        entry.profile or "-",
        "-" if entry.seed is None else str(entry.seed),
        _epochs(entry),
        percent(entry.accuracy),
        "-" if entry.errors is None else str(entry.errors),
        age(time.time() - entry.changed),
        megabytes(entry.size),
        f"{entry.state}: {entry.fault}" if entry.fault else entry.state,
    )


def _epochs(entry: Entry) -> str:
    if entry.planned is None:
        return str(entry.epochs) if entry.epochs else "-"
    done = entry.epochs == entry.planned and entry.state == COMPLETE
    return str(entry.planned) if done else f"{entry.epochs}/{entry.planned}"


def _about(entry: Entry) -> str:
    fault = f", {entry.fault}" if entry.fault else ""
    span = age(time.time() - entry.changed)
    return (
        f"{entry.name}\n{entry.state}{fault}; {span} old, {megabytes(entry.size)} in {entry.folder}"
    )


def _configuration(entry: Entry) -> str:
    if not entry.configuration:
        return ""
    given = entry.configuration
    parts = given.get("images", {})
    images = ", ".join(f"{parts[part]} {part}" for part in PARTS if parts.get(part))
    settings = {**given["recipe"], **given.get("design", {})}
    return _pairs(
        {
            "profile": entry.profile,
            "task": f"{entry.task}, {len(given.get('classes', ()))} classes",
            "source": f"{entry.source}, fingerprint {given.get('fingerprint')}",
            "images": images,
            "seed": str(entry.seed),
            "size": f"{given['size']} pixels",
            "network": f"{given.get('maps')} maps, dense {given.get('dense')}",
            **{name: str(settings[name]) for name in DEFAULTS if name in settings},
        }
    )


def _circumstances(entry: Entry) -> str:
    """Versions, device and times; they are known of complete runs."""
    manifest = entry.manifest
    if not manifest:
        return ""
    versions = ", ".join(
        f"{name} {manifest.get(name)}" for name in ("tinyvgg", "python", "torch", "numpy")
    )
    return _pairs(
        {
            "versions": versions,
            "photographs": _photographs(manifest.get("photographs") or {}),
            "device": str(manifest.get("device")),
            "processes": str(manifest.get("processes")),
            "wall time": _wall_time(manifest.get("seconds")),
            "speed": _speed(entry),
            "accuracy": f"{percent(entry.accuracy)}, {entry.errors} of {entry.tested} wrong",
            "kept": f"the weights of epoch {manifest.get('kept_epoch')}",
            "plateau": _plateau(manifest.get("left_plateau")),
        }
    )


def _photographs(about: Mapping[str, Any]) -> str:
    """How they were cropped, and how many were left out; nothing of synthetic faces."""
    if not about:
        return ""
    left_out = len(about["left_out"])
    return f"crop {about['cropping']['how']}, {counted(left_out, 'file')} left out"


def _wall_time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds:.0f} s ({age(seconds)})"


def _speed(entry: Entry) -> str:
    """Training images a second, over all epochs."""
    timings = read_table(entry.folder / run_folder.TIMINGS, "seconds", "images_per_second")
    seconds = sum(row["seconds"] for row in timings)
    images = sum(row["seconds"] * row["images_per_second"] for row in timings)
    return f"{images / seconds:.0f} images/s" if seconds else "-"


def _plateau(epoch: int | None) -> str:
    return "never left" if epoch is None else f"left in epoch {epoch}"


def _course(entry: Entry) -> str:
    """The last epochs and the one with the fewest errors."""
    if not entry.history:
        return ""
    names = [name for name in COURSE if name in entry.history[-1]]
    judged = "validation_error" if "validation_error" in names else "test_error"
    best = min(entry.history, key=lambda row: row[judged])
    rows = [(*names, ""), *(_epoch(row, names, "") for row in entry.history[-LAST_EPOCHS:])]
    rows.append(_epoch(best, names, f"the lowest {judged}"))
    return aligned(rows, range(len(names)))


def _epoch(row: Mapping[str, float], names: Sequence[str], about: str) -> tuple[str, ...]:
    cells = [percent(row[name]) if "error" in name else f"{row[name]:.4g}" for name in names]
    return (*cells, about)


def _gradients(entry: Entry) -> str:
    """Norms in the first and in the last epoch."""
    rows = read_table(entry.folder / run_folder.GRADIENTS, "epoch")
    if not rows:
        return ""
    first, last = rows[0], rows[-1]
    header = ("gradient norm", f"epoch {first['epoch']:.0f}", f"epoch {last['epoch']:.0f}")
    layers = [
        (name, f"{first[name]:.2g}", f"{last[name]:.2g}") for name in first if name != "epoch"
    ]
    return aligned([header, *layers], (1, 2))


def _difference(found: "Comparison") -> str:
    low, high = (100 * bound for bound in found.interval)
    text = (
        f"difference: {100 * found.difference:+.2f} points, 95 % interval {low:+.2f} to {high:+.2f}"
    )
    paired = found.paired
    if paired is None:
        return f"{text}\n(the test images are not the same, or not known to be: unpaired)"
    return (
        f"{text}, paired on the same test images\n"
        f"wrong: {paired.only_first} by the first alone, {paired.only_second} by the second alone,"
        f" {paired.both} by both; McNemar's exact p = {paired.p:.3g}"
    )


def _apart(apart: float | None) -> str:
    if apart is None:
        return "weights: of other shapes"
    return f"weights: differ by {apart:.3g} at most" if apart else "weights: identical"


def _pairs(values: Mapping[str, str]) -> str:
    return aligned([(name, value) for name, value in values.items() if value])
