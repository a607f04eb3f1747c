"""Chapter 13: claims that take networks of their own, and the trials that train and measure these.

Whatever interrupts a trial, the same call goes on from there. What was measured for a claim is kept
beside the record, network by network; once it is committed, another machine goes on from it.
"""

import inspect
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import torch

from tinyvgg import files
from tinyvgg.chapters import style
from tinyvgg.chapters.deconvolution import correlations, edges, signed
from tinyvgg.chapters.feature_tracking import by_parts
from tinyvgg.chapters.interventions import parts_seen
from tinyvgg.deconvolution import deconvolve
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import SYNTHETIC, parse_source, synthfaces
from tinyvgg.trace import record
from tinyvgg.training import sweeps
from tinyvgg.training.experiments import Study, open_study
from tinyvgg.training.runs import Run
from tinyvgg.training.settings import DEFAULTS, RECORDED, Recipe
from tinyvgg.training.sweeps import Job, Row

Do: TypeAlias = Callable[[Sequence[Job]], list[Row]]
Values: TypeAlias = dict[int, int | float]
Numbers: TypeAlias = dict[str, Values]
"""A value for each seed under a key, such as ``p2.subject.adam_errors``."""
Trial: TypeAlias = Callable[[Study, Do], tuple[list[Row], Numbers]]

RATES = {"sgd": (0.003, 0.01, 0.03), "adam": (1e-4, 3e-4, 1e-3), "adagrad": (1e-3, 3e-3, 1e-2)}
"""The learning rates that each optimiser may choose from (P2)."""
CHOOSING = 100
"""The seed of the networks by which rates are chosen; no other network has it."""
DEEP = ((0, "vgg16"), (-1, "vgg16"), (-1, "vgg19"))
"""Place of the task, identity first and emotion last, and architecture of P3's networks."""
DEEP_EPOCHS = 15
DIVERGED = "the loss is"
"""What an error says where a loss is no number any more, which is an outcome of P3."""
LAYERS = ("tinyvgg", "average", "inception")
BATCH = 16
"""Images that are looked at together."""
PROJECTED, SHOWN = 96, 4
"""Test images whose projections are measured (P4), and those of them that are kept as pictures."""


def optimisers(study: Study, do: Do) -> tuple[list[Row], Numbers]:
    """Choose each optimiser's rate on a validation part, then train networks with it (P2)."""
    jobs, few = list[Job](), is_small(study)
    for name, rates in RATES.items():
        tried: Any = {"optimiser": [name], "rate": rates[few:], "selection": ["validation"]}
        jobs += sweeps.plan(study, (), [CHOOSING], tried)
    best: dict[tuple[str, str], Row] = {}
    final = len(study.tasks) * len(RATES) * (1 if few else 5)
    print(f"{len(jobs)} networks to choose rates by, then {final} with the chosen ones", flush=True)
    choice = do(jobs)
    for row in sorted(choice, key=lambda row: (row["validation_errors"][-1], row["rate"])):
        best.setdefault((row["task"], row["optimiser"]), row)
    jobs = []
    for (task, name), row in best.items():
        chosen = {"optimiser": [name], "rate": [row["rate"]]}
        jobs += sweeps.plan(study, [task], range(1 if few else 5), chosen)
    trained = do(jobs)
    numbers = numbers_of("p2", trained, "optimiser", ("errors", "last_epoch"))
    for task in study.tasks:
        for other in ("adam", "adagrad"):
            numbers[f"p2.{task}.{other}_ratio"] = ratios(numbers, f"p2.{task}", other, "sgd")
    return [*choice, *trained], numbers


def depth(study: Study, do: Do) -> tuple[list[Row], Numbers]:
    """Train VGG-16 and VGG-19 from three kinds of initial weights (P3)."""
    jobs, few = list[Job](), is_small(study)
    last = 1 if few else DEEP_EPOCHS
    fixed: Any = {"ending": ["epochs"], "epochs": [last], "rate": [Recipe().rate]}
    for kind in ("glorot", "he", "torch"):
        for seed, (place, name) in enumerate(DEEP[: 1 if few else None]):
            settings = {"architecture": [name], "initialisation": [kind], **fixed}
            jobs += sweeps.plan(study, [study.tasks[place]], [seed], settings)
    networks, numbers = do(jobs), dict[str, Values]()
    for row in networks:
        kind, learns = row["initialisation"], row.get("left_plateau") is not None
        for name, value in (("learns", learns), ("fails", not learns)):
            numbers.setdefault(f"p3.both.{kind}_{name}", {})[row["seed"]] = float(value)
    return networks, numbers


def layers(study: Study, do: Do) -> tuple[list[Row], Numbers]:
    """Train Tiny VGG with other layers, and measure what is deconvolved through them (P4)."""
    seeds = range(1 if is_small(study) else 3)
    networks = do(sweeps.plan(study, (), seeds, {"architecture": LAYERS}))
    measured = ("errors", "edges", "sharpness", "on_face")
    numbers = numbers_of("p4", networks, "architecture", measured)
    for task in study.tasks:
        plain, *others = (numbers[f"p4.{task}.{name}_edges"] for name in LAYERS)
        for name, own in zip(LAYERS[1:], others, strict=True):
            numbers[f"p4.{task}.{name}_more"] = {seed: own[seed] - plain[seed] for seed in own}
    return networks, numbers


TRIALS: Mapping[str, Trial] = {"P2": optimisers, "P3": depth, "P4": layers}
ANALYSES: Mapping[str, tuple[str, int]] = {
    "blindness": ("blindness", 5),
    "patching": ("patches", 10),
    "negative": ("attempts", 5),
}
"""Trials that are a function of each network, in the module of their name, and how many seeds."""
MODULES: Mapping[str, str] = {"W1": "augmentation", "causes": "causes", "sanity": "sanity"}
"""Trials that have a module of their own, with functions `trial` and `measure`."""


def is_small(study: Study) -> bool:
    """Return whether a study is for tests, so that few networks will do."""
    return study.profile.name == "smoke"


def numbers_of(claim: str, rows: Iterable[Row], setting: str, names: Iterable[str]) -> Numbers:
    """Return columns of a trial's rows under ``claim.task.value_column``, by seed."""
    numbers: Numbers = {}
    for row in rows:
        for name in names:
            if row.get(name) is not None:
                key = f"{claim}.{row['task']}.{row[setting]}_{name}"
                numbers.setdefault(key, {})[row["seed"]] = row[name]
    return numbers


def ratios(numbers: Numbers, of: str, first: str, second: str) -> Values:
    """Return the ratio of two counts of errors for each seed, each with one half added."""
    counts, others = (numbers[f"{of}.{name}_errors"] for name in (first, second))
    return {seed: (counts[seed] + 0.5) / (others[seed] + 0.5) for seed in counts}


def measure(job: Job) -> Row:
    """Train or load the network of a job, and return what its trial asks about it."""
    torch.set_num_threads(1)
    row, settings = sweeps.run_job(job), dict(job.settings)
    with sweeps.at_home(job.home):
        run = open_study(job.profile, job.faces, job.seed, False, settings).run(job.task)
        row |= made_with(run) | {"training_images": len(run.split.train)}
        for name in ("train_loss", "train_error", "test_error", "validation_error"):
            if name in run.history:
                row[f"{name}s"] = run.history[name].tolist()
        if settings.get("architecture") in LAYERS:
            row |= projections(run)
        elif "architecture" in settings:
            row["gradients"] = run.gradients.drop(columns="epoch").to_dict("list")
    return row


def made_with(run: Run) -> Row:
    """Return the device, and the versions and instructions, that a network was trained with."""
    known = [name for name in ("torch", "numpy", "threads") if name in run.manifest]
    versions = [f"{name} {run.manifest[name]}" for name in known]
    made = ", ".join([*versions, torch.backends.cpu.get_cpu_capability()])
    return {"device": run.manifest["device"], "made_with": made, "run": run.name}


def kept(job: Job, compute: Callable[[Run], Row]) -> Row:
    """Return what is computed of a trained network, once for each version of that code.

    ``pictures`` of a row may be arrays, by their names; all else is plain data.
    """
    torch.set_num_threads(1)
    digest = _digest(sys.modules[compute.__module__])
    with sweeps.at_home(job.home):
        run = open_study(job.profile, job.faces, job.seed, False).run(job.task)
        path = files.build() / "trials" / f"{compute.__name__}-{run.name}-{digest}.npz"
        if not path.exists():
            started = time.perf_counter()
            row = compute(run)
            _write(path, {**row, "seconds": time.perf_counter() - started})
        return {"task": job.task, "seed": job.seed, **made_with(run), **_read(path)}


def _digest(module: ModuleType) -> str:
    """Return a hash of the code of a module and of those of tinyvgg that it takes names from."""
    found = vars(module).values()
    names = {x.__name__ if inspect.ismodule(x) else getattr(x, "__module__", "") for x in found}
    own = sorted(name for name in {*names, module.__name__} if str(name).startswith("tinyvgg"))
    code = "".join(inspect.getsource(import_module(name)) for name in own)
    return sha256(code.encode()).hexdigest()[:8]


def _write(path: Path, row: Row) -> None:
    drawn = row.get("pictures", {})
    plain = json.dumps({name: value for name, value in row.items() if name != "pictures"})
    files.write_whole(path, lambda to: np.savez_compressed(to, row=plain, **drawn))


def _read(path: Path) -> Row:
    with np.load(path) as stored:
        pictures = {name: stored[name] for name in stored.files if name != "row"}
        return {**json.loads(str(stored["row"])), "pictures": pictures}


def analysis(
    seeds: int, study: Study, do: Do, tasks: Sequence[str] = ()
) -> tuple[list[Row], Numbers]:
    """Measure the networks of some tasks, all for none, and of so many seeds."""
    return do(sweeps.plan(study, tasks, range(1 if is_small(study) else seeds), {})), {}


def projections(run: Run) -> Row:
    """Measure the projections of some test images, spread evenly; `SHOWN` of them as pictures.

    ``edges`` is the correlation of the ink with the image's edges over the pixels, ``sharpness``
    the mean size of the ink's gradient over the mean ink, and ``on_face`` the share of the ink on
    the parts of the face, which are known of synthetic faces only; all are means over the images.
    """
    spread = np.linspace(0, len(run.labels) - 1, min(PROJECTED, len(run.labels))).astype(int)
    rows, faces = run.split.test[spread], run.faces
    images = run.tensor(rows)
    projected = deconvolve(record(run.model, images, "features"))
    ink = style.strength(projected).double()
    changes = edges(ink[:, None].expand(-1, 3, -1, -1))
    found = {
        "edges": correlations(ink, edges(images)),
        "sharpness": changes.mean((1, 2)) / ink.mean((1, 2)),
    }
    if faces.kind == SYNTHETIC:
        on_face = ink * torch.from_numpy(by_parts(parts_seen(faces, rows))["face"])
        found["on_face"] = on_face.sum((1, 2)) / ink.sum((1, 2))
    chosen = np.linspace(0, len(rows) - 1, SHOWN).astype(int)
    drawn = np.stack([signed(projected[place]) for place in chosen])
    pictures = {"images": faces.images[rows[chosen]], "projections": np.uint8(255 * drawn + 0.5)}
    name = run.experiment.design.architecture
    means = {name: float(each[each.isfinite()].mean()) for name, each in found.items()}
    return {**means, "pictures": {f"{name}.{key}": array for key, array in pictures.items()}}


def path_of(name: str, study: Study) -> Path:
    """Return the path of a trial's record: a committed one for the usual faces at quick."""
    usual = {"profile": study.profile.name, "faces": study.source}.items() <= RECORDED.items()
    folder = files.results() if usual else files.build()
    own = name if usual else f"{name}-{study.profile.name}-{study.faces.fingerprint}"
    return folder / "trials" / f"{own}.json"


def name_of(study: Study, job: Job, own: Any = None) -> str:
    """Return the file name of what a trial measures of a network: by all that it depends on."""
    settings, given = {k: v for k, v in job.settings if k in DEFAULTS}, dict(job.settings)
    network = study.varied(job.seed, settings).experiment(job.task).name
    others = [f"{value}-{own.VERSION}" for key, value in given.items() if key not in DEFAULTS]
    return "-".join([network, *others]) + ".npz"


def make(name: str, study: Study, workers: int | None = None) -> Path:
    """Run a trial, say before each part how long it takes, and write its record.

    What an earlier call measured for a claim is read from the record's folder. Pictures are kept of
    the networks of the first seed.

    Raises:
        UserError: a network cannot be trained; those that could are kept.
    """
    count = workers or synthfaces.cores()
    own: Any = import_module(f"tinyvgg.chapters.{MODULES[name]}") if name in MODULES else None
    trial: Any = own.trial if own else TRIALS.get(name)
    measured: Any = own.measure if own else measure
    if name in ANALYSES:
        of, seeds = ANALYSES[name]
        compute = getattr(import_module(f"tinyvgg.chapters.{name}"), of)
        trial, measured = partial(analysis, seeds), partial(kept, compute=compute)
    say, minutes = getattr(own, "forecast", sweeps.forecast), getattr(own, "MINUTES", 0)
    then = f"; to measure each takes about {minutes} minutes more" if minutes else ""

    path, pictures = path_of(name, study), dict[str, Any]()
    claim = name in TRIALS or hasattr(own, "VERSION")

    def do(jobs: Sequence[Job]) -> list[Row]:
        places = {job: path.with_suffix("") / name_of(study, job, own) for job in jobs if claim}
        rows = {job: _read(place) for job, place in places.items() if place.exists()}
        if rows:
            print(f"{len(rows)} of {len(jobs)} networks are measured already")
        if left := [job for job in jobs if job not in rows]:
            print(say(study, left, count) + then, flush=True)
            with sweeps.processes(count, 1) as executor:
                for job, row in sweeps.sweep(left, executor, measured, name, "network"):
                    rows[job] = row
                    if claim and DIVERGED in row.get("error", DIVERGED):
                        _write(places[job], row)
        said = {job.name: row["error"] for job, row in rows.items() if "error" in row}
        failed = {job: error for job, error in said.items() if DIVERGED not in error}
        for network, error in failed.items():
            print(f"failed: {network}: {error}", file=sys.stderr)
        if failed:
            first = next(iter(failed.values()))
            raise UserError(f"{len(failed)} of {len(jobs)} networks failed; the first: {first}")
        return [rows[job] for job in jobs]

    networks, numbers = trial(study, do)
    for row in networks:
        drawn = row.pop("pictures", {})
        pictures |= {f"{row['task']}.{key}": each for key, each in drawn.items() if not row["seed"]}
    record = {
        "trial": name,
        "profile": study.profile.name,
        "faces": parse_source(study.source).anonymous,
        "fingerprint": study.faces.fingerprint,
        "made_with": sorted({row.pop("made_with") for row in networks if "run" in row}),
        "device": sorted({row.pop("device") for row in networks if "run" in row}),
        "seconds": round(sum(row.get("seconds", 0) for row in networks)),
        "numbers": numbers,
        "networks": [{key: short(value) for key, value in row.items()} for row in networks],
    }
    if pictures:
        files.write_whole(path.with_suffix(".npz"), lambda to: np.savez_compressed(to, **pictures))
    files.write_json(path, record, sort_keys=True)
    return path


def short(value: Any) -> Any:
    """Return data whose lists of numbers are text with four digits each, in one line."""
    if isinstance(value, Mapping):
        return {name: short(each) for name, each in value.items()}
    return " ".join(f"{each:.4g}" for each in value) if isinstance(value, list) else value
