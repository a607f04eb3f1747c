"""What each choice of the deconvnet does to the picture."""

from collections.abc import Mapping
from itertools import product

import pandas as pd
from jaxtyping import Float
from torch import Tensor

from tinyvgg.chapters.deconvolution import correlations, edges, ink, strongest_maps
from tinyvgg.chapters.verdicts import mean_with_interval
from tinyvgg.deconvolution import Options, deconvolve
from tinyvgg.network import Pooling
from tinyvgg.trace import Trace, outputs


def _named(switches: bool, relu: bool, bias: bool) -> tuple[str, Options]:
    letters = zip("SRB", (switches, relu, bias), strict=True)
    name = " ".join(letter if on else "·" for letter, on in letters)
    return name, {"switches": "recorded" if switches else "none", "relu": relu, "bias": bias}


COMBINATIONS: Mapping[str, Options] = dict(_named(*on) for on in product((True, False), repeat=3))
"""Recorded switches (S), ReLU on the way back (R) and biases (B), on and off."""


def choices_table(trace: Trace, options: Mapping[str, Options]) -> pd.DataFrame:
    """How alike projections are to the default one, to the image's edges, and to another image's.

    Correlations of the ink over the pixels, means over images with 95 % intervals; a row for each
    of the options.
    """
    default, outlines = ink(deconvolve(trace)), edges(trace.images)
    rows = {}
    for name, chosen in options.items():
        own = ink(deconvolve(trace, **chosen))
        rows[name] = {
            "default": _mean(own, default),
            "edges of the image": _mean(own, outlines),
            "another image, same choices": _mean(own, own.roll(1, 0)),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("choices")


def _mean(first: Float[Tensor, "n h w"], second: Float[Tensor, "n h w"]) -> str:
    return mean_with_interval(pd.Series(correlations(first, second).numpy()))


def ties_table(trace: Trace) -> pd.DataFrame:
    """Of each max-pool, the share of windows that are zero throughout, where all elements tie."""
    rows = []
    names = [layer.name for layer in trace.network.body if isinstance(layer, Pooling)]
    for name, maps in zip(names, trace.pooled, strict=True):
        share = (maps == 0).double().mean().item()
        rows.append({"max-pool": name, "windows of zeros": f"{share:.1%}"})
    return pd.DataFrame(rows).set_index("max-pool")


def by_layer(trace: Trace) -> dict[str, dict[str, Float[Tensor, "c h w"]]]:
    """One image projected from each max-pool and from the layer before it."""
    positions = [at for pool in trace.network.poolings for at in (pool - 1, pool)]
    found = outputs(trace, positions)
    return {
        trace.network.body[position].name: _units(trace, position, found[position][0])
        for position in positions
    }


def _units(
    trace: Trace, position: int, maps: Float[Tensor, "k i j"]
) -> dict[str, Float[Tensor, "c h w"]]:
    layer = trace.network.body[position].name
    (strongest,) = strongest_maps(maps, 1)
    i, j = divmod(int(maps[strongest].argmax()), maps.shape[2])
    return {
        "all maps": deconvolve(trace, layer=layer)[0],
        f"map {strongest}": deconvolve(trace, layer=layer, unit=strongest)[0],
        f"its pixel {i}, {j}": deconvolve(trace, layer=layer, unit=(strongest, i, j))[0],
    }
