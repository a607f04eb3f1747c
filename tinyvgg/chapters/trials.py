"""Chapter 15: claims that take networks of their own: optimisers, depth, layers, augmentation.

A trial trains what a claim takes, and measures it; `make` runs it and keeps its record. Whatever
interrupts a trial, the same call goes on from there.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from tinyvgg import files
from tinyvgg.chapters import augmentation, style
from tinyvgg.chapters.deconvolution import correlations, edges, signed
from tinyvgg.chapters.feature_tracking import by_parts
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import SYNTHETIC, synthfaces
from tinyvgg.training import sweeps
from tinyvgg.training.experiments import Study, open_study
from tinyvgg.training.runs import Run
from tinyvgg.training.settings import RECORDED, Recipe
from tinyvgg.training.sweeps import Job, Row

Do: TypeAlias = Callable[[Sequence[Job]], list[Row]]
Numbers: TypeAlias = dict[str, dict[int, float]]
"""A value a seed under each key."""

RATES: Mapping[str, tuple[float, ...]] = {
    "sgd": (0.003, 0.01, 0.03),
    "adam": (1e-4, 3e-4, 1e-3),
    "adagrad": (1e-3, 3e-3, 1e-2),
}
"""The learning rates that each optimiser may choose from (P2)."""
CHOOSING = 100
"""The seed of the networks by which the rates are chosen; no other network has it."""
DEEP = (("subject", "vgg16"), ("emotion", "vgg16"), ("emotion", "vgg19"))
"""Task and architecture of the networks that P3 trains from each kind of weights, by seed."""
DEEP_EPOCHS = 15
DIVERGED = "the loss is"
"""What the error says if a loss is no number any more, which is an outcome of P3."""
LAYERS = ("tinyvgg", "average", "inception")
PROJECTED = 96
"""Test images whose projections are measured (P4)."""
SHOWN = 4
"""Of these, the ones whose projections are kept as pictures."""


@dataclass(frozen=True)
class Found:
    """What a trial found: a row a network, the numbers that claims are judged by, and pictures."""

    networks: list[Row]
    numbers: Numbers
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)


def optimisers(study: Study, do: Do) -> Found:
    """Choose each optimiser's rate on a validation part, then train five networks with it (P2)."""
    seeds, rates = range(5), RATES
    if study.profile.name == "smoke":
        seeds, rates = range(1), {name: known[1:] for name, known in RATES.items()}

    def jobs(tasks: Sequence[str], numbers: Sequence[int], **settings: Sequence[Any]) -> list[Job]:
        return sweeps.plan(study, tasks, numbers, settings, ())

    choice = {"selection": ["validation"]}
    tried = do(
        [
            job
            for name, known in rates.items()
            for job in jobs((), [CHOOSING], optimiser=[name], rate=known, **choice)
        ]
    )
    best: dict[tuple[str, str], Row] = {}
    for row in sorted(tried, key=lambda row: (row["validation_errors"][-1], row["rate"])):
        best.setdefault((row["task"], row["optimiser"]), row)
    final = do(
        [
            job
            for (task, optimiser), row in best.items()
            for job in jobs([task], seeds, optimiser=[optimiser], rate=[row["rate"]])
        ]
    )
    numbers: Numbers = {}
    for row in final:
        of = f"p2.{row['task']}.{row['optimiser']}"
        for name, value in (("errors", row["errors"]), ("epochs", row["last_epoch"])):
            numbers.setdefault(f"{of}_{name}", {})[row["seed"]] = value
    for task in study.tasks:
        for other in ("adam", "adagrad"):
            first, second = (numbers[f"p2.{task}.{name}_errors"] for name in (other, "sgd"))
            numbers[f"p2.{task}.{other}_ratio"] = ratios(first, second)
    return Found([*tried, *final], numbers)


def ratios(first: Mapping[int, float], second: Mapping[int, float]) -> dict[int, float]:
    """Return the ratio of two counts of errors for each seed, each with one half added."""
    return {seed: (first[seed] + 0.5) / (second[seed] + 0.5) for seed in first}


def depth(study: Study, do: Do) -> Found:
    """Train VGG-16 and VGG-19 from three kinds of initial weights (P3)."""
    small = study.profile.name == "smoke"
    tasks = [(task, name) for task, name in DEEP if task in study.tasks][: 1 if small else None]
    epochs: dict[str, Sequence[Any]] = {
        "ending": ["epochs"],
        "epochs": [1 if small else DEEP_EPOCHS],
        "rate": [Recipe().rate],
    }
    jobs = []
    for kind in ("glorot", "he", "torch"):
        for seed, (task, name) in enumerate(tasks):
            kinds = {"architecture": [name], "initialisation": [kind]}
            jobs += sweeps.plan(study, [task], [seed], {**epochs, **kinds}, ())
    networks, numbers = do(jobs), dict[str, dict[int, float]]()
    for row in networks:
        key = f"p3.both.{row['initialisation']}_learns"
        numbers.setdefault(key, {})[row["seed"]] = float(row.get("left_plateau") is not None)
    return Found(networks, numbers)


def layers(study: Study, do: Do) -> Found:
    """Train Tiny VGG with other layers, and measure what is deconvolved through them (P4)."""
    seeds = range(1 if study.profile.name == "smoke" else 3)
    networks = do(sweeps.plan(study, (), seeds, {"architecture": LAYERS}, ()))
    pictures, numbers = dict[str, np.ndarray](), dict[str, dict[int, float]]()
    for row in networks:
        shown, of = row.pop("pictures"), f"p4.{row['task']}.{row['architecture']}"
        if row["seed"] == 0:
            pictures |= {f"{of}.{name}": drawn for name, drawn in shown.items()}
        for name in ("errors", "edges", "sharpness", "on_face"):
            if row.get(name) is not None:
                numbers.setdefault(f"{of}_{name}", {})[row["seed"]] = row[name]
    for task in study.tasks:
        plain = numbers[f"p4.{task}.tinyvgg_edges"]
        for name in LAYERS[1:]:
            own = numbers[f"p4.{task}.{name}_edges"]
            numbers[f"p4.{task}.{name}_less"] = {seed: own[seed] - plain[seed] for seed in own}
    return Found(networks, numbers, pictures)


def augmented(study: Study, do: Do) -> Found:
    """Train the networks for emotion on while parts of their images are erased (W1)."""
    task, seeds = study.tasks[-1], range(1 if study.profile.name == "smoke" else 5)
    do(sweeps.plan(study, [task], seeds, {}, ()))
    networks = do(sweeps.plan(study, [task], seeds, {"augmentation": augmentation.KINDS}, ()))
    numbers: Numbers = {}
    for row in networks:
        key = f"w1.{task}.{row['augmentation']}_errors"
        numbers.setdefault(key, {})[row["seed"]] = row["errors"]
    tracked = numbers[f"w1.{task}.tracked_errors"]
    for other in ("none", "moved"):
        numbers[f"w1.{task}.to_{other}"] = ratios(tracked, numbers[f"w1.{task}.{other}_errors"])
    return Found(networks, numbers)


TRIALS: Mapping[str, Callable[[Study, Do], Found]] = {
    "P2": optimisers,
    "P3": depth,
    "P4": layers,
    "W1": augmented,
}
"""The trial of each claim that takes networks of its own."""


def measure(job: Job) -> Row:
    """Train or load the network of a job, and return what its trial asks about it."""
    torch.set_num_threads(1)
    if "augmentation" in dict(job.settings):
        return augmentation.train_on(job)
    row = sweeps.run_job(job)
    with sweeps.at_home(job.home):
        study = open_study(job.profile, job.faces, job.seed, False, dict(job.settings))
        run = study.run(job.task)
        of = {"train": len(run.split.train), "test": len(run.labels)}
        for part in ("train", "test", "validation"):
            rates = run.history.get(f"{part}_error")
            if rates is not None:
                row[f"{part}_errors"] = _short(rates)
        row["train_loss"] = _short(run.history["train_loss"])
        row |= {
            "device": run.manifest["device"],
            "made_with": augmentation.made_with(run),
            "images": of,
        }
        architecture = dict(job.settings).get("architecture")
        if run.experiment.design.initialisation != "glorot" or architecture in ("vgg16", "vgg19"):
            row["gradients"] = {n: _short(v) for n, v in run.gradients.items() if n != "epoch"}
        if architecture in LAYERS:
            row |= projections(run)
    return row


def _short(values: Any) -> list[float | None]:
    """Return numbers as plain data with four digits; None where there is none."""
    return [None if value != value else float(f"{value:.4g}") for value in map(float, values)]


def project(model: Any, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Return the deconvolution of the last maps through layers of any kind.

    It is the gradient of the maps, weighted by themselves, with the ReLUs' own gradient replaced:
    they let positive values pass, whatever came forward. For a chain of layers it is `deconvolve`.
    """
    features = deepcopy(model.features)
    for layer in features.modules():
        if isinstance(layer, nn.ReLU):
            layer.register_full_backward_hook(_rectified)
    found = []
    for some in images.split(sweeps.BATCH):
        given = some.detach().requires_grad_()
        with torch.enable_grad():
            maps = features(given)
        found.append(torch.autograd.grad(maps, given, maps.detach())[0])
    return torch.cat(found)


def _rectified(layer: nn.Module, passed: Any, given: Any) -> tuple[Tensor]:
    return (given[0].clamp_min(0),)


def projections(run: Run) -> Row:
    """Measure the projections of some test images, spread evenly; `SHOWN` of them as pictures.

    ``edges`` is the correlation of the ink with the image's edges over the pixels, ``sharpness``
    the size of the ink's gradient as a share of the ink, and ``on_face`` the share of the ink on
    the parts of the face, which are known of synthetic faces only; all are means over the images.
    """
    places = np.linspace(0, len(run.labels) - 1, min(PROJECTED, len(run.labels))).astype(int)
    rows = run.split.test[places]
    images = run.tensor(rows)
    projected = project(run.model, images)
    ink = style.strength(projected).double()
    changes = edges(ink[:, None].expand(-1, 3, -1, -1))
    row: Row = {
        "edges": _mean(correlations(ink, edges(images))),
        "sharpness": _mean(changes.mean((1, 2)) / ink.mean((1, 2))),
        "on_face": None,
    }
    faces = run.faces
    if faces.kind == SYNTHETIC:
        shots, knobs = faces.index.table.iloc[rows], synthfaces.difficulty_of(faces.source)
        seen = synthfaces.parts_seen(shots, run.size, files.faces_cache(), difficulty=knobs)
        on_face = (ink * torch.from_numpy(by_parts(seen).masks["face"])).sum((1, 2))
        row["on_face"] = _mean(on_face / ink.sum((1, 2)))
    chosen = np.linspace(0, len(rows) - 1, SHOWN).astype(int)
    drawn = np.stack([signed(projected[place]) for place in chosen])
    pictures = {"images": faces.images[rows[chosen]], "projections": np.uint8(255 * drawn + 0.5)}
    return {**row, "pictures": pictures}


def _mean(values: Tensor) -> float:
    return float(f"{float(values[values.isfinite()].mean()):.6g}")


def path_of(claim: str, study: Study) -> Path:
    """Return the path of a trial's record: a committed one for the usual faces at quick."""
    asked = {"profile": study.profile.name, "faces": study.source}
    usual = asked.items() <= RECORDED.items()
    folder = files.results() / "claims" if usual else files.build() / "claims"
    name = claim if usual else f"{claim}-{study.profile.name}-{study.faces.fingerprint}"
    return folder / f"{name}.json"


def make(
    claim: str, study: Study, workers: int | None = None, scheduler: str | None = None
) -> Path:
    """Run the trial of a claim, say before each part how long it takes, and write its record.

    Raises:
        UserError: a network cannot be trained; those that could are kept.
    """
    count = workers or synthfaces.cores()

    def do(jobs: Sequence[Job]) -> list[Row]:
        on = any("augmentation" in dict(job.settings) for job in jobs)
        say = augmentation.forecast if on else sweeps.forecast
        print(say(study, jobs, 1 if scheduler else count), flush=True)
        places = sweeps.cluster(scheduler) if scheduler else sweeps.processes(count, 1)
        with places as executor:
            rows = dict(sweeps.sweep(jobs, executor, measure, claim, "network"))
        said = {job: row["error"] for job, row in rows.items() if "error" in row}
        failed = [(job, error) for job, error in said.items() if DIVERGED not in error]
        for job, error in failed:
            print(f"failed: {job.name}: {error}", file=sys.stderr)
        if failed:
            raise UserError(
                f"{len(failed)} of {len(jobs)} networks failed; the same command retries"
            )
        return [rows[job] for job in jobs]

    found, path = TRIALS[claim](study, do), path_of(claim, study)
    record = {
        "claim": claim,
        "profile": study.profile.name,
        "faces": study.source,
        "fingerprint": study.faces.fingerprint,
        "made_with": sorted({row.pop("made_with") for row in found.networks if "run" in row}),
        "device": sorted({row.pop("device") for row in found.networks if "run" in row}),
        "seconds": round(sum(row.get("seconds", 0) for row in found.networks)),
        "numbers": found.numbers,
        "networks": found.networks,
    }
    if pictures := dict[str, Any](found.pictures):
        to = path.with_suffix(".npz")
        files.write_whole(to, lambda to: np.savez_compressed(to, **pictures))
    files.write_text(path, dumped(record))
    return path


def dumped(record: Mapping[str, Any]) -> str:
    """Return a record as text, a line for each network and number."""
    lines = []
    for name, value in record.items():
        text = json.dumps(value)
        if name == "networks":
            text = "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in value) + "\n ]"
        elif name == "numbers":
            rows = (f"  {json.dumps(key)}: {json.dumps(value[key])}" for key in sorted(value))
            text = "{\n" + ",\n".join(rows) + "\n }"
        lines.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
