"""A network trained on while parts of its training images are erased (claim W1)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torchvision.transforms import RandomErasing

from tinyvgg import files
from tinyvgg.backtracking import NAMED, backtrack
from tinyvgg.chapters import style
from tinyvgg.chapters.interventions import parts_seen, showing
from tinyvgg.chapters.patching import ranks
from tinyvgg.chapters.trials import BATCH, Do, Numbers, is_small, made_with, numbers_of, ratios
from tinyvgg.faces.sources import SYNTHETIC, synthfaces
from tinyvgg.faces.splits import Split
from tinyvgg.trace import Trace, record
from tinyvgg.tracking import track_features
from tinyvgg.training import checkpoints, sweeps
from tinyvgg.training.batches import Resident, Scaling
from tinyvgg.training.experiments import Study, held, open_study
from tinyvgg.training.loop import predict, train
from tinyvgg.training.runs import Run
from tinyvgg.training.sweeps import Job, Row

KINDS = ("none", "tracked", "contrastive", "parts", "moved", "rectangles", "fresh")
"""What is erased: nothing; where the strongest wrong class is tracked, by the published cutoff or
the contrastive rule; brows, eyes, mouth; tracked places moved at random; random rectangles; with
``fresh`` nothing is, and newly rendered images join the others."""
RENDERED = ("parts", "fresh")
"""The kinds that only synthetic faces can have."""
RULES = {"tracked": "cutoff", "moved": "cutoff", "contrastive": "contrastive"}
PARTS = ("BROWS", "EYES", "MOUTH")
EPOCHS = 20
SHARE = 0.5
"""The share of the images that are changed in each step."""
AREA, FILL = 0.1, 0.5
"""The share of their pixels that are erased, and the value that these get."""
SMOOTHED = 1 / 16
"""The side of the squares over which ink is averaged, as a share of the image's."""
VERSION = f"{EPOCHS}-{SHARE}-{AREA}-{FILL}-{SMOOTHED}"
"""All that a training on depends on, apart from its network and its kind."""


class Erasing(nn.Module):
    """A network that sees images with parts erased while it is trained.

    A fourth channel marks the pixels to be erased. What is drawn at random comes from torch's
    global generator, as dropout does.
    """

    def __init__(self, network: nn.Module, kind: str) -> None:
        super().__init__()
        self.network, self.kind = network, kind
        self.rectangle = RandomErasing(SHARE, scale=(AREA, AREA), value=FILL)

    def forward(self, images: Float[Tensor, "n 4 h w"]) -> Float[Tensor, "n k"]:
        """Return the logits of the colours."""
        colours, marked = images[:, :3], images[:, 3:] > 0.5
        if self.training and self.kind == "rectangles":
            colours = torch.stack([self.rectangle(image) for image in colours])
        elif self.training:
            if self.kind == "moved":
                moves = torch.randint(images.shape[-1], (len(images), 2)).tolist()
                moved = [m.roll(by, (1, 2)) for m, by in zip(marked, moves, strict=True)]
                marked = torch.stack(moved)
            chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < SHARE
            colours = torch.where(marked & chosen, FILL, colours)
        logits: Tensor = self.network(colours)
        return logits


def traces(run: Run, rows: Int[np.ndarray, "n"]) -> Iterator[tuple[Trace, Tensor, Tensor]]:
    """Yield traces of images, the true logits, and all logits with -inf in place of these."""
    labels = torch.from_numpy(run.faces.index.labels(run.task))
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        trace, true = record(run.model, run.tensor(some)), labels[some, None]
        wrong = trace.logits.scatter(1, true, -torch.inf)
        yield trace, trace.logits.gather(1, true)[:, 0], wrong


def places(run: Run, rows: Int[np.ndarray, "n"], kind: str) -> Bool[Tensor, "n h w"]:
    """Mark the pixels of images that a kind erases, the same number in each, or none."""
    if kind == "parts":
        return most(torch.from_numpy(showing(parts_seen(run.faces, rows), PARTS)).float())
    if kind not in RULES:
        return torch.zeros(len(rows), run.size, run.size, dtype=torch.bool)
    found = []
    for trace, _, wrong in traces(run, rows):
        pixels = backtrack(trace, wrong.argmax(1), NAMED[RULES[kind]]).pixels
        found.append(most(style.strength(track_features(trace, pixels))))
    return torch.cat(found)


def most(ink: Float[Tensor, "n h w"]) -> Bool[Tensor, "n h w"]:
    """Mark the `AREA` of each image in which the ink, averaged over small squares, is largest."""
    side = int(SMOOTHED * ink.shape[-1]) // 2 * 2 + 1
    smooth = avg_pool2d(ink[:, None], side, 1, side // 2)
    return (ranks(smooth) < round(AREA * smooth[0].numel()))[:, 0]


def near_misses(run: Run, rows: Int[np.ndarray, "n"]) -> Int[np.ndarray, "m"]:
    """Return the `SHARE` of images whose true class is least ahead of another, nearest first."""
    margins = torch.cat([true - wrong.amax(1) for _, true, wrong in traces(run, rows)])
    order = margins.sort(stable=True).indices[: round(SHARE * len(rows))]
    return np.asarray(rows[order.numpy()])


def rendered(run: Run, rows: Int[np.ndarray, "n"]) -> UInt8[np.ndarray, "n h w 3"]:
    """Render another take of some synthetic images: the same shots, with all else drawn anew."""
    table, knobs = run.faces.index.table.iloc[rows], synthfaces.difficulty_of(run.faces.source)
    images = np.empty((len(rows), run.size, run.size, 3), np.uint8)
    specs = synthfaces.face_specs(table, difficulty=knobs, take=1)
    for place, spec in sorted(enumerate(specs), key=lambda each: each[1].subject):
        images[place] = synthfaces.render_face(spec, run.size)
    return images


def forecast(study: Study, jobs: Sequence[Job], at_once: int) -> str:
    """Say how long the trainings that are left take, and those of the networks they begin with."""
    first = {job.seed: replace(job, settings=()) for job in jobs}
    experiment = study.experiment(jobs[0].task)
    images = EPOCHS * len(study.split(experiment.task).train)
    hours = len(jobs) * images * sweeps.seconds_an_image(experiment) / at_once / 3600
    then = f"{len(jobs)} trainings of {EPOCHS} epochs take about {hours:.1f} hours"
    return f"{sweeps.forecast(study, list(first.values()), at_once)}; then {then}"


def trial(study: Study, do: Do) -> tuple[list[Row], Numbers]:
    """Train the networks for emotion on while parts of their images are erased (W1).

    Two seeds come at a time, so that a call that goes on elsewhere trains few networks again.
    """
    task, seeds = study.tasks[-1], range(1 if is_small(study) else 5)
    known = study.faces.kind == SYNTHETIC
    kinds = [kind for kind in KINDS if known or kind not in RENDERED]
    groups = [seeds[start : start + 2] for start in seeds[::2]]
    tried = {"augmentation": kinds}
    networks = do([job for two in groups for job in sweeps.plan(study, [task], two, tried)])
    numbers = numbers_of("w1", networks, "augmentation", ("errors",))
    for other in ("none", "moved"):
        numbers[f"w1.{task}.tracked_to_{other}"] = ratios(numbers, f"w1.{task}", "tracked", other)
    return networks, numbers


def measure(job: Job) -> Row:
    """Train the network of a job, and train it on with its kind of augmentation."""
    torch.set_num_threads(1)
    kind, epochs = dict(job.settings)["augmentation"], 1 if job.profile == "smoke" else EPOCHS
    with sweeps.at_home(job.home):
        run = open_study(job.profile, job.faces, job.seed, False).run(job.task)
        folder = files.build() / "augmented" / f"{run.name}-{kind}-{VERSION}"
        with held(folder):
            found = _train(run, kind, folder, epochs)
            (folder / checkpoints.NAME).unlink(missing_ok=True)
        about = {"task": job.task, "seed": job.seed, "augmentation": kind, **made_with(run)}
        return {**about, "before": len(run.errors), **found}


def _train(run: Run, kind: str, folder: Path, epochs: int) -> Row:
    pixels, labels = run.faces.pixels(), torch.from_numpy(run.faces.index.labels(run.task))
    marked = torch.zeros(*pixels.shape[:3], 1, dtype=torch.uint8)
    rows = run.split.train
    marked[rows, :, :, 0] = 255 * places(run, rows, kind).to(torch.uint8)
    if kind == "fresh":
        again = near_misses(run, rows)
        rows = np.append(rows, len(pixels) + np.arange(len(again)))
        pixels = torch.cat([pixels, torch.from_numpy(rendered(run, again))])
        marked = torch.cat([marked, torch.zeros_like(marked[: len(again)])])
        labels = torch.cat([labels, labels[again]])
    colours = run.scaling
    scaling = Scaling((*colours.shift, 0.0), (*colours.scale, 255.0))  # the last is of the marks
    source = Resident(torch.cat([pixels, marked], 3), labels, scaling)
    recipe = replace(run.experiment.recipe, epochs=epochs, ending="epochs")
    model, parts = Erasing(run.model, kind), Split(rows, run.split.test[:0])
    name, seed = f"{run.name} {kind}", run.experiment.seed
    trained = train(model, source, parts, recipe, seed, folder, name=name)
    logits, true = predict(model, source, run.split.test)
    return {
        "errors": int((logits.argmax(1) != true).sum()),
        "test_images": len(true),
        "training_images": len(rows),
        "seconds": sum(trained.seconds),
    }
