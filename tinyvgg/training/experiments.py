"""Studies: a profile, a source of faces and a seed, and the networks that belong to them."""

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout
from safetensors.torch import save_file

from tinyvgg import files as paths
from tinyvgg.errors import UserError
from tinyvgg.faces.index import Faces, load_faces
from tinyvgg.faces.sources import absolute, check_one_of, tasks_of
from tinyvgg.faces.splits import Split, hold_out, split
from tinyvgg.training import checkpoints, watching
from tinyvgg.training import runs as run_folder
from tinyvgg.training.batches import fit_scaling, resident
from tinyvgg.training.looks import looks_of
from tinyvgg.training.loop import agree, assemble, check_device, predict, train
from tinyvgg.training.runs import Experiment, Run, build_model, is_complete, read_manifest, shipped
from tinyvgg.training.settings import (
    NETWORKS,
    PROFILES,
    RECORDED,
    SHIPPED,
    TRAINED,
    Design,
    Profile,
    changed,
    check_settings,
    check_study,
)
from tinyvgg.training.watching import Log, ProgressBar, Watcher


def train_or_load(
    experiment: Experiment,
    faces: Faces,
    progress: bool = True,
    *,
    device: str | None = None,
    watchers: Sequence[Watcher] = (),
) -> Run:
    """Return the run of an experiment: loaded if it is complete, else trained to its end.

    A second process that asks for the same experiment waits for the first and loads its result.
    Under torchrun all its processes train together.
    """
    folder, device = experiment.folder, check_device(device)
    fabric = assemble(device)
    first = fabric is None or fabric.global_rank == 0
    if agree(fabric, not is_complete(folder)):
        with held(folder) if first else nullcontext():
            if agree(fabric, not is_complete(folder)):
                shown = ProgressBar(f"training {experiment.task}") if progress else Log()
                watching = [shown, *watchers] if first else []
                _train(experiment, faces, device, fabric, watching)
        agree(fabric, None)
    return Run(experiment, faces=faces, manifest=read_manifest(folder))


def load_shipped(experiment: Experiment, faces: Faces, folder: Path | None = None) -> Run:
    """Return the run that ships for an experiment, with logits of the network as it ships.

    Raises:
        UserError: it is damaged, or of other faces or another recipe than the experiment.
    """
    folder = folder or shipped(experiment.task)
    manifest = read_manifest(folder, way="'git checkout results' brings it back")
    if manifest["name"] != experiment.name:
        raise UserError(
            f"network in {str(folder)!r} is {manifest['name']}, and this study's would be"
            f" {experiment.name}: its faces or its recipe have changed; networks=trained trains it"
        )
    run = Run(experiment, folder, faces=faces, manifest=manifest, name=experiment.name)
    source = resident(faces, experiment.task, "cpu", run.scaling)
    logits, _ = predict(run.model, source, run.split.test)
    return run.having(logits=logits, model=run.model)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a run's folder alone, if need be after another process has finished with it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / run_folder.LOCK)
    try:
        had = lock.acquire(timeout=0)
    except Timeout:
        Log().say(f"another process trains {folder.name!r}; waiting for it")
        had = lock.acquire()
    with had:
        yield


def parts(experiment: Experiment, faces: Faces) -> Split:
    """Return the rows that an experiment trains on, tests on, and may choose its epoch by.

    The last are every sixth training image of each cell, which are held out.
    """
    rows = split(faces.index, experiment.task, experiment.seed)
    if experiment.recipe.selection != "validation":
        return rows
    held_out = hold_out(faces.index, experiment.task, rows.train, experiment.seed)
    return Split(np.setdiff1d(rows.train, held_out), rows.test, held_out)


def _train(
    experiment: Experiment, faces: Faces, device: str, fabric: Any, watchers: Sequence[Watcher]
) -> None:
    """Train a network and write its run; of several processes the first one writes."""
    folder, rows = experiment.folder, parts(experiment, faces)
    device = device if fabric is None else str(fabric.device)
    first = fabric is None or fabric.global_rank == 0
    images = {name: len(part) for name, part in vars(rows).items()}
    configuration = paths.as_json({**experiment.configuration, "images": images}, sort_keys=True)
    if first:
        paths.remove_leftovers(folder)
        paths.write_text(folder / run_folder.CONFIGURATION, configuration)
    scaling = fit_scaling(experiment.design.scaling, faces, rows.train)
    model = build_model(experiment).to(device)
    source = resident(faces, experiment.task, device, scaling)
    about: dict[str, Any] = {"fabric": fabric, "watchers": watchers, "name": experiment.name}
    trained = train(model, source, rows, experiment.recipe, experiment.seed, folder, **about)
    if not first:
        return
    history = trained.history
    constant = watching.constant_loss(source.labels.cpu().numpy()[rows.train])
    logits, true = predict(model, source, rows.test)
    wrong = int((logits.argmax(1) != true).sum())
    weights = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    gradients = pd.DataFrame([{"epoch": epoch.epoch, **epoch.gradients} for epoch in history])
    timings = pd.DataFrame({"epoch": gradients["epoch"], "seconds": trained.seconds})
    timings["images_per_second"] = len(rows.train) / timings["seconds"]
    predictions: Any = {"logits": logits.numpy(), "rows": rows.test, "labels": true.numpy()}
    predictions |= looks_of(faces.images, rows.train, rows.test)._asdict()
    writers: dict[str, Callable[[Path], object]] = {
        run_folder.CONFIGURATION: lambda to: to.write_text(configuration, "utf-8"),
        run_folder.HISTORY: lambda to: watching.history_table(history).to_csv(to, index=False),
        run_folder.GRADIENTS: lambda to: gradients.to_csv(to, index=False),
        run_folder.TIMINGS: lambda to: timings.to_csv(to, index=False),
        run_folder.WEIGHTS: lambda to: save_file(weights, to),
        run_folder.PREDICTIONS: lambda to: np.savez(to, **predictions),
    }
    facts = {
        "accuracy": 1 - wrong / len(rows.test),
        "device": device,
        "difficulty": experiment.knobs,
        "ended": trained.ended,
        "errors": wrong,
        "finished": time.time(),
        "fingerprint": experiment.fingerprint,
        "kept_epoch": trained.kept,
        "last_epoch": len(history),
        "left_plateau": watching.left_plateau(history, constant),
        "precision": trained.precision,
        "photographs": faces.originals.plain if faces.originals else {},
        "processes": 1 if fabric is None else fabric.world_size,
        "scaling": asdict(scaling),
        "seconds": sum(trained.seconds),
        "seed": experiment.seed,
        "sessions": trained.sessions,
        "test_images": len(rows.test),
        "threads": torch.get_num_threads(),
        "training_images": len(rows.train),
    }
    run_folder.write(folder, writers, facts)
    (folder / checkpoints.NAME).unlink(missing_ok=True)


@dataclass(frozen=True)
class Study:
    """One profile, one source of faces and one seed, which a notebook works on."""

    profile: Profile  # size, recipe, network
    source: str  # source of the faces
    seed: int  # seed of split, initial weights and batch order
    progress: bool = True  # whether to show progress bars
    settings: Mapping[str, Any] = field(default_factory=dict)  # departures from the profile
    networks: str = TRAINED  # its own, or those that ship with the project: SHIPPED
    _runs: dict[str, Run] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def faces(self) -> Faces:
        """The images at the profile's size, rendered or decoded on first use."""
        profile = self.profile
        return load_faces(self.source, profile.size, profile.subjects, progress=self.progress)

    def varied(self, seed: int, settings: Mapping[str, Any]) -> "Study":
        """Return a study of the same faces, loaded once, with another seed and other settings."""
        other = replace(self, seed=seed, settings=check_settings(settings), networks=TRAINED)
        vars(other)["faces"] = self.faces
        return other

    @property
    def tasks(self) -> tuple[str, ...]:
        """Identity first and emotion last; of a folder, its classes alone."""
        return self.faces.index.tasks

    def split(self, task: str) -> Split:
        """Return the training and test rows of a task."""
        return split(self.faces.index, task, self.seed)

    def experiment(self, task: str) -> Experiment:
        """Return the description of the network of a task."""
        profile = self.profile
        recipe = profile.recipe(len(self.split(task).train))
        return Experiment(
            task=task,
            source=self.source,
            fingerprint=self.faces.fingerprint,
            classes=self.faces.index.classes(task),
            size=profile.size,
            maps=profile.maps,
            dense=profile.dense,
            recipe=changed(recipe, self.settings),
            seed=self.seed,
            design=changed(Design(), self.settings),
        )

    def run(self, task: str, *, device: str | None = None, watchers: Sequence[Watcher] = ()) -> Run:
        """Return the trained network of a task; trained on first use, loaded ever after."""
        if task not in self._runs and self.networks == SHIPPED:
            self._runs[task] = load_shipped(self.experiment(task), self.faces)
        elif task not in self._runs:
            fabric = assemble(check_device(device))
            with nullcontext() if fabric is None else fabric.rank_zero_first():
                faces = self.faces  # rendered by one process, read by the others
            self._runs[task] = train_or_load(
                self.experiment(task), faces, self.progress, device=device, watchers=watchers
            )
        return self._runs[task]


def open_study(
    profile: str = "quick",
    faces: str = "synthetic",
    seed: int = 0,
    progress: bool = True,
    settings: Mapping[str, Any] | None = None,
    networks: str = TRAINED,
) -> Study:
    """Open a profile, a source of faces (`load_faces`) and a seed: the one door of the notebooks.

    The seed is that of split, initial weights and batch order; the set of faces stays the same.
    Settings depart from the profile, such as ``{"optimiser": "adam"}``. Networks are ``trained``
    here, or the ``shipped`` ones, which are there for the recorded study alone (`RECORDED`);
    ``auto`` takes these where they are, and trains elsewhere.
    """
    _check_injected()
    check_study(profile, faces, seed)
    changes = check_settings(settings or {})
    asked = {"profile": profile, "faces": faces, "seed": seed, **changes}
    return Study(PROFILES[profile], faces, seed, progress, changes, _whose(networks, asked))


def _check_injected() -> None:
    """Refuse a parameter that papermill gave this notebook, and that it does not have."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    cells = shell.user_ns.get("In", ()) if shell else ()
    for own, injected in pairwise(cells):
        if injected.startswith("# Parameters\n"):
            known, given = (set(re.findall(r"(?m)^(\w+) = ", cell)) for cell in (own, injected))
            for name in sorted(given - known):
                check_one_of("parameter", name, sorted(known))


def _whose(networks: str, asked: Mapping[str, Any]) -> str:
    """Return `TRAINED` or `SHIPPED`; refuse shipped networks where none are."""
    check_one_of("networks", networks, NETWORKS)
    if networks == TRAINED:
        return TRAINED
    fault, there = "", [is_complete(shipped(task)) for task in tasks_of(asked["faces"])]
    if {**asked, "faces": absolute(asked["faces"])} != RECORDED:
        both = (", ".join(f"{k} {v}" for k, v in each.items()) for each in (RECORDED, asked))
        fault = "are of {}; this study is of {}".format(*both)
    elif not all(there):
        fault = f"are not in {str(shipped(''))!r}, which a checkout has"
    if fault and networks == SHIPPED:
        raise UserError(f"shipped networks {fault}; networks=trained trains those of this study")
    return TRAINED if fault else SHIPPED
