"""Measure the error rates of Tiny VGG on the synthetic faces, by which these are tuned.

Measures how much of the images of either crop is face. Trains a network for each task, size of the
images and seed, and counts its errors on the test images, by class and by camera angle::

    python tools/measure_difficulty.py results/difficulty.json

At another size than the profile's own, everything else stays the profile's. Trained networks are
loaded, and a training that was interrupted goes on.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pandas as pd
from judge_faces import PATH

from tinyvgg import files
from tinyvgg.chapters.data_sheet import AREAS, areas_table, networks, rates_table
from tinyvgg.chapters.feature_tracking import CROPS, by_parts
from tinyvgg.faces.sources import synthfaces
from tinyvgg.training.experiments import open_study
from tinyvgg.training.runs import Run

PROFILE, SOURCE = "quick", "synthetic"
SEEDS = {64: (100, 101, 102), 96: (101,)}
"""The seeds of the networks of each task, by the size of the images; none of them is recorded."""


@click.command(help=__doc__)
@click.argument("output", type=PATH)
def main(output: Path) -> None:
    areas = {crop: area(crop) for crop in CROPS}
    click.echo(areas_table(areas).to_string())
    found = []
    for size, seed in [(size, seed) for size, seeds in SEEDS.items() for seed in seeds]:
        study = open_study(PROFILE, SOURCE, seed, progress=sys.stderr.isatty())
        study = replace(study, profile=replace(study.profile, size=size))
        found += [measure(study.run(task)) for task in study.tasks]
    report = {
        "source": SOURCE,
        "areas": areas,
        "runs": sorted(found, key=lambda run: run["task"], reverse=True),
    }
    files.write_json(output, report)
    click.echo(rates_table(networks(report)).to_string())


def area(crop: str) -> dict[str, Any]:
    """Measure the mean share of each region of `AREAS` in the images of a set, by angle."""
    faces = open_study(PROFILE, crop, progress=sys.stderr.isatty()).faces
    table, size, knobs = faces.index.table, faces.images.shape[1], synthfaces.difficulty_of(crop)
    masks = by_parts(synthfaces.parts_seen(table, size, files.faces_cache(), difficulty=knobs))
    shares = pd.DataFrame({name: masks[name].mean((1, 2)) for name in AREAS})
    by_angle = shares.groupby(table["angle"].to_numpy()).mean().round(4)
    return {
        "size": size,
        "fingerprint": faces.fingerprint,
        "by_angle": by_angle.rename(str).T.to_dict(),
    }


def measure(run: Run) -> dict[str, Any]:
    """Count the errors of a trained network."""
    return {
        "task": run.task,
        "profile": PROFILE,
        "size": run.experiment.size,
        "seed": run.experiment.seed,
        "fingerprint": run.experiment.fingerprint,
        "test_images": len(run.labels),
        "errors": len(run.errors),
    }


if __name__ == "__main__":
    main()
