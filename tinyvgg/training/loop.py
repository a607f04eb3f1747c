"""The training loop: deterministic, watched, and able to go on where it was killed."""

import hashlib
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from tinyvgg.errors import UserError
from tinyvgg.settings import Recipe
from tinyvgg.training import checkpoints, diagnosis
from tinyvgg.training.checkpoints import Checkpoint
from tinyvgg.training.determinism import repeatable, seed_step
from tinyvgg.training.evaluation import evaluate
from tinyvgg.training.history import Epoch, Trained
from tinyvgg.training.optimisers import make_optimiser, optimiser_tensors, restore_optimiser
from tinyvgg.training.sources import Rows, Source
from tinyvgg.training.step import Step
from tinyvgg.training.team import Team, shared
from tinyvgg.training.watching import Plan, Watcher, watched

GRADIENT_SAMPLES = 8
"""Steps of an epoch, spread evenly, at which the norms of the gradients are taken."""
LOOK_SECONDS = 0.5
CHECKPOINT_SECONDS = 30.0


@dataclass(frozen=True)
class Parts:
    """Rows of the images, by what they are for.

    Attributes:
        train: to learn from.
        test: to test on after each epoch. They decide nothing, unless the recipe says so.
        validation: to choose the epoch by, where the recipe says so.
    """

    train: Rows
    test: Rows
    validation: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int64))


def train(
    model: nn.Module,
    source: Source,
    parts: Parts,
    recipe: Recipe,
    seed: int,
    folder: Path,
    *,
    team: Team | None = None,
    watchers: Sequence[Watcher] = (),
    name: str = "",
    every: float = CHECKPOINT_SECONDS,
) -> Trained:
    """Train a model in place, going on from its checkpoint if there is one.

    A run that was killed, whenever and however often, ends with the same weights and history, bit
    for bit, as one that was not: every step follows from the weights, the seed and its place.

    Args:
        model: initialised, on the device to train on.
        source: gives images and labels of rows, on that device.
        parts: the rows.
        recipe: the settings.
        seed: of the order of the images, and of dropout.
        folder: where checkpoints are written, after each epoch and from time to time within one.
        team: the processes that train together; None for this one alone.
        watchers: are told how it goes.
        name: of the training; a checkpoint of another one is refused.
        every: seconds between checkpoints within an epoch.

    Raises:
        UserError: a batch larger than the training part, checkpoints that are damaged or of
            another training, no space for one, or a loss that is no longer finite.
    """
    _check(recipe, parts)
    with repeatable(recipe.precision):
        training = _Training(
            model=model,
            source=source,
            parts=parts,
            recipe=recipe,
            seed=seed,
            folder=folder,
            team=team or Team(str(next(model.parameters()).device)),
            watchers=watchers,
            name=_identity(model, parts, recipe, seed, name),
            every=every,
        )
        return training.run()


def order(count: int, seed: int, epoch: int, reshuffled: bool = True) -> Int[np.ndarray, "n"]:
    """The order of the training images in an epoch; it depends on nothing else."""
    return np.random.default_rng([seed, epoch if reshuffled else 0]).permutation(count)


@dataclass
class _Training:
    """A training between two of its steps."""

    model: nn.Module
    source: Source
    parts: Parts
    recipe: Recipe
    seed: int
    folder: Path
    team: Team
    watchers: Sequence[Watcher]
    name: str
    every: float
    history: list[Epoch] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    kept: dict[str, Tensor] = field(default_factory=dict)
    done: int = 0
    elapsed: float = 0.0
    sessions: int = 1

    def __post_init__(self) -> None:
        self.optimiser = make_optimiser(self.model, self.recipe)
        # convolutions are up to twice as fast with the channels last in memory
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        forward, stepping = self.team.prepare(self.model, self.optimiser)
        self.step = Step(self.model, forward, stepping, self.recipe, self.team)
        labels = self.source.labels.cpu().numpy()[self.parts.train]
        self.constant = diagnosis.constant_loss(labels)

    def run(self) -> Trained:
        fault = self._resume()
        with watched(self.watchers, self._plan()):
            if fault:
                self._say(f"{fault}; going on from the one before it")
            while len(self.history) < self.recipe.epochs:
                self._epoch()
        if self.kept:
            self.model.load_state_dict(self.kept)
        return Trained(tuple(self.history), tuple(self.seconds), self._best(), self.sessions)

    def _epoch(self) -> None:
        """What is left of an epoch, its tests, a checkpoint."""
        started = time.perf_counter() - self.elapsed
        looked = saved = time.perf_counter()
        reported = self._seen()
        self.model.train()
        for seen in self._steps():
            now = time.perf_counter()
            if now - looked < min(LOOK_SECONDS, self.every):
                continue
            looked, self.elapsed = now, now - started
            self._look(seen - reported)
            reported = seen
            if now - saved >= self.every and self.team.size == 1:
                saved = now
                self._save()
        self._complete(self._seen() - reported, started)

    def _steps(self) -> Iterator[int]:
        """Do the steps that are left of an epoch; gives the images seen of it."""
        groups = self._groups()
        sampled = {round(place) for place in np.linspace(0, len(groups) - 1, GRADIENT_SAMPLES)}
        mine = shared(groups[self.done :], self.team)
        batches = self.source.batches([rows for rows, _ in mine])
        for (images, labels), (_, filling) in zip(batches, mine, strict=True):
            seed_step(self.seed, len(self.history), self.done, self.team.rank)
            self.step(images, labels, filling, len(groups[self.done]))
            if self.done in sampled:
                self.step.sample_gradients()
            self.done += 1
            yield self._seen()

    def _seen(self) -> int:
        """Images of the epoch under way that all processes together have seen."""
        return min(self.done * self.recipe.batch, len(self.parts.train))

    def _groups(self) -> list[Rows]:
        """The batches of an epoch."""
        rows, batch = self.parts.train, self.recipe.batch
        shuffled = self.recipe.order == "reshuffled"
        rows = rows[order(len(rows), self.seed, len(self.history), shuffled)]
        return np.split(rows, range(batch, len(rows), batch))

    def _complete(self, unreported: int, started: float) -> None:
        """Test, note the epoch, save, tell the watchers."""
        self._check_finite()
        epoch = self._tested()
        self.history.append(epoch)
        self.seconds.append(time.perf_counter() - started)
        if self.recipe.selection != "last" and self._best() == epoch.epoch:
            self.kept = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.done, self.elapsed = 0, 0.0
        self.step.sums.clear()
        self._save()
        for watcher in self.watchers:
            watcher.epoch(epoch, unreported)
        stuck = diagnosis.plateau(self.history, self.constant)
        if stuck:
            self._say(stuck)

    def _tested(self) -> Epoch:
        """The epoch that has just been trained, with its tests."""
        sums = self.step.sums
        own = torch.stack([sums.loss, sums.wrong.to(sums.loss), sums.images.to(sums.loss)])
        loss, wrong, images = self.team.total(own).tolist()
        on_test = evaluate(self.model, self.source, self.parts.test, self.team)
        held_out = self.parts.validation
        on_validation = (
            evaluate(self.model, self.source, held_out, self.team)
            if len(held_out)
            else (None, None)
        )
        return Epoch(
            epoch=len(self.history) + 1,
            train_loss=loss / images,
            train_error=wrong / images,
            test_loss=on_test[0],
            test_error=on_test[1],
            validation_loss=on_validation[0],
            validation_error=on_validation[1],
            gradients=self.step.gradient_norms(),
        )

    def _best(self) -> int:
        """Number of the epoch whose weights are kept, the earliest of equals."""
        if self.recipe.selection == "last":
            return len(self.history)
        error = f"{self.recipe.selection}_error"
        return min(self.history, key=lambda epoch: (getattr(epoch, error), epoch.epoch)).epoch

    def _look(self, images: int) -> None:
        """Stop if the loss is no number; tell the watchers of images since the last look.

        Processes look when they like, so that several ask each other only once an epoch is over.
        """
        if self.team.size == 1:
            self._check_finite()
        if not self.watchers:
            return
        sums = self.step.sums
        seen = int(sums.images)
        loss, error = float(sums.loss) / seen, int(sums.wrong) / seen
        for watcher in self.watchers:
            watcher.step(images, loss, error)

    def _check_finite(self) -> None:
        """Stop all processes alike if the loss of one of them is no number."""
        sums = self.step.sums
        loss = float(self.team.total(sums.loss))
        if not math.isfinite(loss):
            bad = torch.where(sums.bad_step > 0, sums.bad_step, torch.iinfo(torch.int64).max)
            place = (len(self.history) + 1, int(self.team.least(bad)))
            raise UserError(diagnosis.not_finite(loss, *place, self.recipe, self.folder))

    def _say(self, text: str) -> None:
        for watcher in self.watchers:
            watcher.say(text)

    def _plan(self) -> Plan:
        return Plan(self.recipe.epochs, len(self.parts.train), self._seen(), tuple(self.history))

    def _save(self) -> None:
        """Write a checkpoint; the first process does."""
        if self.team.rank:
            return
        groups = {
            "model": self.model.state_dict(),
            "optimiser": optimiser_tensors(self.optimiser),
            "sums": self.step.sums.tensors,
            "kept": self.kept,
        }
        checkpoint = Checkpoint(
            training=self.name,
            step=self.done,
            tensors={
                f"{g}.{key}": value for g, part in groups.items() for key, value in part.items()
            },
            history=tuple(self.history),
            seconds=tuple(self.seconds),
            elapsed=self.elapsed,
            sessions=self.sessions,
        )
        checkpoints.save(self.folder, checkpoint)

    def _resume(self) -> str:
        """Take over the last good checkpoint; returns what is wrong with a newer one."""
        first = self.team.rank == 0
        found, fault = self.team.agree(
            checkpoints.load(self.folder, self.name) if first else (None, "")
        )
        if found:
            self.model.load_state_dict(found.group("model"))
            restore_optimiser(self.optimiser, found.group("optimiser"))
            self.step.sums.take(found.group("sums"), first)
            device = self.step.device
            self.kept = {key: value.to(device) for key, value in found.group("kept").items()}
            self.history, self.seconds = list(found.history), list(found.seconds)
            self.done, self.elapsed = found.step, found.elapsed
            self.sessions = found.sessions + 1
        return str(fault)


def _check(recipe: Recipe, parts: Parts) -> None:
    images = len(parts.train)
    if recipe.batch > images:
        raise UserError(
            f"batch {recipe.batch} exceeds the {images} training images; choose 1 to {images}"
        )
    if recipe.selection == "validation" and not len(parts.validation):
        raise UserError("selection 'validation' needs a validation part, and none was given")


def _identity(model: nn.Module, parts: Parts, recipe: Recipe, seed: int, name: str) -> str:
    """What a checkpoint belongs to: the same settings, rows, seed and shapes, in one hash."""
    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    plain = json.dumps([asdict(recipe), seed, name, shapes], sort_keys=True)
    digest = hashlib.sha256(plain.encode())
    for rows in (parts.train, parts.test, parts.validation):
        digest.update(rows.astype(np.int64).tobytes() + b"|")
    return digest.hexdigest()
