"""Measure how much of the synthetic images of either crop is face, by camera angle.

python tools/measure_areas.py results/areas.json
"""

import sys
from pathlib import Path
from typing import Any

import click
import pandas as pd
from judge_faces import PATH

from tinyvgg import files
from tinyvgg.chapters.data_sheet import AREAS, areas_table
from tinyvgg.chapters.feature_tracking import CROPS, by_parts
from tinyvgg.faces.sources import synthfaces
from tinyvgg.training.experiments import open_study


@click.command(help=__doc__)
@click.argument("output", type=PATH)
def main(output: Path) -> None:
    areas = {crop: area(crop) for crop in CROPS}
    click.echo(areas_table(areas).to_string())
    files.write_json(output, {"areas": areas})


def area(crop: str) -> dict[str, Any]:
    """Measure the mean share of each region of `AREAS` in the images of a set, by angle."""
    faces = open_study("quick", crop, progress=sys.stderr.isatty()).faces
    table, size, knobs = faces.index.table, faces.images.shape[1], synthfaces.difficulty_of(crop)
    masks = by_parts(synthfaces.parts_seen(table, size, difficulty=knobs))
    shares = pd.DataFrame({name: masks[name].mean((1, 2)) for name in AREAS})
    by_angle = shares.groupby(table["angle"].to_numpy()).mean().round(4)
    return {
        "size": size,
        "fingerprint": faces.fingerprint,
        "by_angle": by_angle.rename(str).T.to_dict(),
    }


if __name__ == "__main__":
    main()
