"""Products of activations and weights between two dense layers, of one image at a time."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

CHUNK = 2**22  # weights that are compared at a time


def reached(positive: Bool[Tensor, "i r"], above: Bool[Tensor, "n i"]) -> Bool[Tensor, "n r"]:
    """Return whether some kept neuron above has a positive entry (sums of 0 and 1 are exact)."""
    selected = above.float()
    columns = positive.split(max(1, CHUNK // max(1, len(positive))), dim=1)
    return torch.cat([selected @ part.float() > 0 for part in columns], dim=1)


def products(
    weight: Float[Tensor, "i r"], activations: Float[Tensor, "n r"], above: Bool[Tensor, "n i"]
) -> Iterator[tuple[int, Int[Tensor, "m"], Float[Tensor, "kept m"]]]:
    """Yield of each image its row, the active neurons r, and their products with those above."""
    for image, both in enumerate(zip(activations, above, strict=True)):
        active, kept = (each.nonzero()[:, 0] for each in both)
        yield image, active, weight[kept[:, None], active] * activations[image, active]


def first_of_equals(products: Float[Tensor, "i r"], threshold: float | Tensor) -> Bool[Tensor, "r"]:
    """Return the neurons r that for some i have the first of equal products above a threshold."""
    values, order = products.sort(dim=1, stable=True)
    first = torch.ones_like(values, dtype=torch.bool)
    first[:, 1:] = values[:, 1:] != values[:, :-1]
    found = torch.zeros_like(first).scatter(1, order, first & (values > threshold))
    return found.any(0)


def percentile_of(values: Float[Tensor, "m"], percentile: float) -> Float[Tensor, ""]:
    """Return numpy's linear percentile in float64, rounded down to the dtype of the values.

    Values of that dtype lie above the rounded percentile exactly when they lie above the other.
    """
    found = np.percentile(values.double().numpy(force=True), percentile)
    exact = values.new_tensor(found, dtype=torch.float64)
    rounded = exact.to(values.dtype)
    return torch.where(rounded > exact, rounded.nextafter(rounded - 1), rounded)
