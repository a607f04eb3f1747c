"""Running a network over many images: logits, losses, errors."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from tinyvgg.training.sources import Source
from tinyvgg.training.team import Team, shared

BATCH = 48


@torch.no_grad()
def predict(
    model: nn.Module, source: Source, rows: Int[np.ndarray, "b"]
) -> tuple[Float[Tensor, "b k"], Int[Tensor, "b"]]:
    """Logits and labels of rows, on the CPU; the model is left in evaluation mode."""
    model.eval()
    parts = [
        (model(images).cpu(), labels.cpu()) for images, labels in source.batches(_batches(rows))
    ]
    return torch.cat([logits for logits, _ in parts]), torch.cat([labels for _, labels in parts])


@torch.no_grad()
def evaluate(
    model: nn.Module, source: Source, rows: Int[np.ndarray, "b"], team: Team
) -> tuple[float, float]:
    """Mean cross-entropy and share of errors on rows; the model is left in evaluation mode."""
    model.eval()
    groups = shared(_batches(rows), team)
    loss, wrong = 0.0, 0
    batches = source.batches([group for group, _ in groups])
    for (images, labels), (_, filling) in zip(batches, groups, strict=True):
        counting = len(labels) - filling
        logits, labels = model(images)[:counting], labels[:counting]
        loss += float(F.cross_entropy(logits, labels, reduction="sum"))
        wrong += int((logits.argmax(1) != labels).sum())
    totals = team.total(torch.tensor([loss, wrong], dtype=torch.float64)).tolist()
    return totals[0] / len(rows), totals[1] / len(rows)


def _batches(rows: Int[np.ndarray, "b"]) -> Sequence[Int[np.ndarray, "_"]]:
    return np.split(rows, range(BATCH, len(rows), BATCH))
