"""Measure how often Tiny VGG errs on the synthetic faces: what their difficulty is tuned by.

Trains a network for each task, seed and size of the images and writes what each gets wrong::

    python tools/measure_difficulty.py --seeds 0,1,2 --sizes 64,96 -o results/difficulty.json

At another size than the profile's own, everything else stays the profile's. What was trained before
is loaded, and a training that was interrupted goes on; the report is written after each network,
beside what it has of other networks on the same faces. ``--only-report`` trains nothing.

Nothing but errors on the test images is looked at here, by class and by camera angle.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from synthfaces import FaceError, check_size, difficulty_of, fingerprint, parse_whole
from tinyvgg import files as paths
from tinyvgg.chapters.data_sheet import networks, rates_table
from tinyvgg.chapters.statistics import confusion
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import SYNTHETIC_TASKS
from tinyvgg.training import runs as run_folder
from tinyvgg.training.experiments import Study, open_study
from tinyvgg.training.runs import Run
from tinyvgg.training.settings import PROFILES

TRAINED = SYNTHETIC_TASKS


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, write the report and print its error rates."""
    options = parse(arguments)
    report = merged(options.faces, options.output, ())
    for measured in measurements(options):
        report = merged(options.faces, options.output, [measured])
        write(report, options.output)
    table = (
        rates_table(networks(report)).to_string() if report["runs"] else "nothing is trained yet"
    )
    print(table)


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


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """What is asked for.

    Raises:
        UserError: a seed or a size that is none.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--profile", default="quick", choices=tuple(PROFILES))
    parser.add_argument(
        "--faces", default="synthetic", help="synthetic, or with knobs: synthetic:intensity=0.7"
    )
    parser.add_argument("--tasks", default=",".join(TRAINED), help="subject, emotion or both")
    parser.add_argument("--seeds", default="0,1,2", help="of split, weights and batch order")
    parser.add_argument("--sizes", help="of the images in pixels; the profile's own by default")
    parser.add_argument("--device", help="cuda, mps or cpu (default: the best there is)")
    parser.add_argument("--only-report", action="store_true", help="train nothing")
    parser.add_argument(
        "-o", "--output", type=Path, default=paths.build() / "difficulty.json", help="JSON file"
    )
    options = parser.parse_args(arguments)
    sizes = options.sizes or str(PROFILES[options.profile].size)
    options.sizes = [parse_whole("size", text, 1) for text in sizes.split(",")]
    options.seeds = [parse_whole("seed", text, 0) for text in options.seeds.split(",")]
    options.tasks = options.tasks.split(",")
    for size in options.sizes:
        check_size(size)
    if options.faces.partition(":")[0] != "synthetic":
        raise UserError(f"faces {options.faces!r} is not synthetic, or synthetic:NAME=VALUE,...")
    options.faces = difficulty_of(options.faces).source
    for task in options.tasks:
        if task not in TRAINED:
            raise UserError(f"task {task!r} is not one of {', '.join(TRAINED)}")
    return options


def measurements(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The networks that are asked for, one after the other, trained where that is allowed."""
    for size in options.sizes:
        faces = sized(
            open_study(options.profile, options.faces, progress=sys.stderr.isatty()), size
        )
        for seed in options.seeds:
            study = faces.varied(seed, {})
            for task in options.tasks:
                folder = study.experiment(task).folder
                if run_folder.is_complete(folder) or not options.only_report:
                    yield measure(study.run(task, device=options.device), options.profile)


def sized(study: Study, size: int) -> Study:
    """The same study with images of another size."""
    return replace(study, profile=replace(study.profile, size=size))


def write(report: dict[str, Any], path: Path) -> None:
    """Write a report whole or not at all."""
    text = json.dumps(report, indent=1) + "\n"
    paths.write_whole(path, lambda to: to.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    try:
        main()
    except (FaceError, UserError) as error:
        sys.exit(str(error))
