"""Products of activations and weights between two dense layers, of one image at a time."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

CHUNK = 2**22  # weights that are compared at a time
ROWS = 16  # neurons above that are looked through at a time for equal products


def reached(positive: Bool[Tensor, "i r"], above: Bool[Tensor, "n i"]) -> Bool[Tensor, "n r"]:
    """Return whether some kept neuron above has a positive entry (sums of 0 and 1 are exact)."""
    selected = above.float()
    columns = positive.split(max(1, CHUNK // max(1, len(positive))), dim=1)
    return torch.cat([selected @ part.float() > 0 for part in columns], dim=1)


def products(
    weight: Float[Tensor, "i r"],
    activations: Float[Tensor, "n r"],
    above: Bool[Tensor, "n i"],
    floor: float = 0.0,
) -> Iterator[tuple[int, Int[Tensor, "m"], Float[Tensor, "kept m"]]]:
    """Yield of each image its row, active neurons r, and their products with the neurons above.

    Left out are neurons whose product would be at most the floor even with their best weight.
    """
    best = torch.where(activations > 0, weight.amax(0), weight.amin(0)) * activations
    for image, kept in enumerate(above):
        some = ((best[image] > floor) & (activations[image] != 0)).nonzero()[:, 0]
        edges = weight[kept][:, some] if 2 * len(some) > weight.shape[1] else weight[:, some][kept]
        yield image, some, edges.mul_(activations[image, some])


def first_of_equals(products: Float[Tensor, "i r"], threshold: float | Tensor) -> Bool[Tensor, "r"]:
    """Return the neurons r that for some i have the first of equal products above a threshold."""
    over = (products > threshold).any(0)
    found = torch.zeros_like(over)
    for part in products[:, over].split(ROWS):
        if torch.equal(found, over):  # as soon as all are confirmed, which takes few rows
            break
        values, order = part.sort(dim=1, stable=True)
        first = values > threshold
        first[:, 1:] &= values[:, 1:] != values[:, :-1]
        found[over] |= torch.zeros_like(first).scatter(1, order, first).any(0)
    return found


def percentile_of(values: Float[Tensor, "m"], percentile: float) -> Float[Tensor, ""]:
    """Return numpy's linear percentile in float64, rounded down to the dtype of the values.

    Values of that dtype lie above the rounded percentile exactly when they lie above the other.
    """
    found = np.percentile(values.double().numpy(force=True), percentile)
    exact = values.new_tensor(found, dtype=torch.float64)
    rounded = exact.to(values.dtype)
    return torch.where(rounded > exact, rounded.nextafter(rounded - 1), rounded)
