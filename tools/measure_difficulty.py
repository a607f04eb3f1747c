"""Measure how often Tiny VGG errs on the synthetic faces: what their difficulty is tuned by.

Trains a network for each task, seed and size of the images and writes what each gets wrong::

    python tools/measure_difficulty.py --seeds 0,1,2 --sizes 64,96 -o results/difficulty.json

At another size than the profile's own, everything else stays the profile's. What was trained before
is loaded, and a training that was interrupted goes on; the report is written after each network,
beside what it has of other networks on the same faces. ``--only-report`` trains nothing.

Nothing but errors on the test images is looked at here, by class and by camera angle.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np

from synthfaces import FaceError, difficulty_of, fingerprint
from tinyvgg import files as paths
from tinyvgg.chapters.data_sheet import networks, rates_table
from tinyvgg.chapters.statistics import confusion
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import SYNTHETIC_TASKS
from tinyvgg.training import runs as run_folder
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import Run
from tinyvgg.training.settings import PROFILES

TRAINED = SYNTHETIC_TASKS


def merged(source: str, path: Path, new: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Add networks to those of the report at a path that are still of the same images."""
    old = json.loads(path.read_text("utf-8")) if path.exists() else {"source": source, "runs": []}
    current = [run for run in old["runs"] if run["fingerprint"] == images_of(source, run["size"])]
    kept = current if old["source"] == source else []
    runs = {key(run): run for run in [*kept, *new]}
    return {"source": source, "runs": [runs[one] for one in sorted(runs)]}


def images_of(source: str, size: int) -> str:
    """Return the fingerprint of the images that the renderer makes of a source now."""
    return fingerprint(size, 0, difficulty_of(source))


def key(run: dict[str, Any]) -> tuple[int, str, int, int]:
    """Return what tells a network from others."""
    return TRAINED.index(run["task"]), run["profile"], run["size"], run["seed"]


def measure(run: Run, profile: str) -> dict[str, Any]:
    """Count the errors of a trained network, by class and by camera angle."""
    counts = confusion(run.labels, run.predicted, len(run.classes))
    angles = run.faces.index.table["angle"].to_numpy()[run.split.test]
    wrong = run.predicted != run.labels
    return {
        "task": run.task,
        "profile": profile,
        "size": run.experiment.size,
        "seed": run.experiment.seed,
        "fingerprint": run.experiment.fingerprint,
        "test_images": len(run.labels),
        "errors": len(run.errors),
        "confusion": {
            true: {run.classes[taken]: int(row[taken]) for taken in np.flatnonzero(row)}
            for true, row in zip(run.classes, counts, strict=True)
        },
        "by_angle": {
            str(angle): {
                "images": int((angles == angle).sum()),
                "errors": int(wrong[angles == angle].sum()),
            }
            for angle in np.unique(angles)
        },
    }


@click.command(help=__doc__)
@click.option("--profile", type=click.Choice(list(PROFILES)), default="quick")
@click.option("--faces", default="synthetic", help="synthetic, or synthetic:KNOB=VALUE,...")
@click.option("--seeds", default="0,1,2", help="Of split, weights and batch order.")
@click.option("--sizes", help="Of the images in pixels; the profile's own by default.")
@click.option("--device", help="cuda, mps or cpu (default: the best there is).")
@click.option("--only-report", is_flag=True, help="Train nothing.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="JSON.")
def main(
    profile: str,
    faces: str,
    seeds: str,
    sizes: str | None,
    device: str | None,
    only_report: bool,
    output: Path,
) -> None:
    """Train what is missing, write the report and print its error rates."""
    source = difficulty_of(faces).source
    report = merged(source, output, ())
    for size in sizes.split(",") if sizes else [PROFILES[profile].size]:
        opened = open_study(profile, source, progress=sys.stderr.isatty())
        sized = replace(opened, profile=replace(opened.profile, size=int(size)))
        for seed, task in product(seeds.split(","), TRAINED):
            study = sized.varied(int(seed), {})
            if run_folder.is_complete(study.experiment(task).folder) or not only_report:
                run = study.run(task, device=device)
                report = merged(source, output, [measure(run, profile)])
                write(report, output)
    print(rates_table(networks(report)).to_string() if report["runs"] else "nothing is trained yet")


def write(report: dict[str, Any], path: Path) -> None:
    """Write a report whole or not at all."""
    text = json.dumps(report, indent=1) + "\n"
    paths.write_whole(path, lambda to: to.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    try:
        main()
    except (FaceError, UserError) as error:
        sys.exit(str(error))
