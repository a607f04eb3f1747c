"""Read torchvision's classifiers with initial weights: what is exact of each, and what is not.

python tools/read_classifiers.py results/classifiers.json
"""

from contextlib import suppress
from pathlib import Path

import click
import torch
from measure_faces import PATH
from torchvision import models
from tqdm import tqdm

import tinyvgg
from tinyvgg.files import write_json

TOO_LARGE = ("regnet_y_128gf", "vit_h_14")


@click.command(help=__doc__)
@click.argument("output", type=PATH)
def main(output: Path) -> None:
    rows, images = [], torch.rand(2, 3, 224, 224, generator=torch.manual_seed(0))
    for name in tqdm(models.list_models(module=models, exclude=TOO_LARGE)):
        model = models.get_model(name, weights=None).eval()
        trace = tinyvgg.record(model, images)
        with torch.no_grad():
            answers = model(images)
        apart = (trace.logits - answers).abs().max() / (1 + answers.abs().max())
        rows.append({"model": name, "tier": trace.network.tier, "apart": float(apart)})
        rows[-1]["deconvnet"] = False
        with suppress(tinyvgg.UserError):
            rows[-1]["deconvnet"] = bool(tinyvgg.deconvolve(trace[:1]).isfinite().all())
    write_json(output, {"too_large": list(TOO_LARGE), "models": rows})


if __name__ == "__main__":
    main()
