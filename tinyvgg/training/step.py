"""One step of gradient descent, and what is summed over the steps of an epoch."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from tinyvgg.settings import Recipe
from tinyvgg.training.team import Team

WARM_UP = 3
"""Steps before one is captured, in which libraries make what they need."""


@dataclass(frozen=True)
class Sums:
    """Sums over the steps of an epoch, on the device: no step has to wait for them.

    Attributes:
        loss: of the cross-entropies of this process's images.
        wrong: its images that were wrong.
        images: its images.
        steps: steps done.
        bad_step: the first step, from 1, whose loss was not finite; 0 for none.
        squares: for each layer the sum of the squared norms of its gradients.
        samples: steps at which these were taken.
    """

    loss: Tensor
    wrong: Tensor
    images: Tensor
    steps: Tensor
    bad_step: Tensor
    squares: Tensor
    samples: Tensor

    @classmethod
    def zero(cls, layers: int, device: torch.device) -> "Sums":
        """Before the first step."""
        real = torch.float32 if device.type == "mps" else torch.float64

        def none(dtype: torch.dtype, *size: int) -> Tensor:
            return torch.zeros(size, dtype=dtype, device=device)

        counts = {
            name: none(torch.int64) for name in ("wrong", "images", "steps", "bad_step", "samples")
        }
        return cls(loss=none(real), squares=none(real, layers), **counts)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """By name, for a checkpoint."""
        return dict(vars(self))

    def take(self, tensors: Mapping[str, Tensor], images: bool = True) -> None:
        """Go on from those of a checkpoint, in place.

        Args:
            tensors: by name.
            images: whether to take over what was summed over images; one process of several does.
        """
        for name, tensor in self.tensors.items():
            if images or name not in ("loss", "wrong", "images"):
                tensor.copy_(tensors[name])

    def clear(self) -> None:
        """Begin another epoch, in place."""
        for tensor in self.tensors.values():
            tensor.zero_()


class Step:
    """A step on one batch; the same instance serves a whole training.

    On a CUDA device a step on a full batch is captured once, as a graph of kernels, and replayed.

    Args:
        model: on its device.
        forward: what is called to run it; gives its logits.
        optimiser: of its parameters.
        recipe: the settings.
        team: the processes that share a batch.
    """

    def __init__(
        self,
        model: nn.Module,
        forward: nn.Module,
        optimiser: torch.optim.Optimizer,
        recipe: Recipe,
        team: Team,
    ) -> None:
        self.forward, self.optimiser, self.recipe, self.team = forward, optimiser, recipe, team
        self.layers = {
            name: layer.weight
            for name, layer in model.named_modules()
            if isinstance(layer, nn.Conv2d | nn.Linear)
        }
        self.device = next(model.parameters()).device
        self.sums = Sums.zero(len(self.layers), self.device)
        self._captured: _Captured | None = None
        self._warm = 0

    def __call__(
        self,
        images: Float[Tensor, "b 3 h w"],
        labels: Int[Tensor, "b"],
        filling: int = 0,
        size: int | None = None,
    ) -> None:
        """Follow the gradient of a batch's mean cross-entropy once, and add to the sums.

        Args:
            images: this process's part of the batch.
            labels: of these.
            filling: how many images at the end do not count, but make up for a missing one.
            size: images of the batch in all processes; None for those handed over.
        """
        if not self._can_capture(len(labels)):
            self._run(images, labels, filling, size)
        elif self._captured:
            self._captured.replay(images, labels)
        elif self._warm < WARM_UP:
            self._warm += 1
            self._run_aside(images, labels)
        else:
            self._captured = _Captured(self, images, labels)
            self._captured.replay(images, labels)

    @torch.no_grad()
    def sample_gradients(self) -> None:
        """Add the norms of the last step's gradients to the sums."""
        gradients = [weight.grad for weight in self.layers.values()]
        if self._captured and self._captured.was_last:
            gradients = self._captured.gradients
        norms = [g.norm() if g is not None else self.sums.loss.new_zeros(()) for g in gradients]
        self.sums.squares.add_(torch.stack(norms).to(self.sums.squares.dtype).square())
        self.sums.samples.add_(1)

    def gradient_norms(self) -> dict[str, float]:
        """Root mean square, over the steps sampled, of the norm of each layer's gradient."""
        samples = max(1, int(self.sums.samples))
        return dict(zip(self.layers, (self.sums.squares / samples).sqrt().tolist(), strict=True))

    def arithmetic(self) -> AbstractContextManager[object]:
        """Autocast where the recipe asks for bfloat16."""
        if self.recipe.precision != "bfloat16":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _run(self, images: Tensor, labels: Tensor, filling: int, size: int | None) -> None:
        if self._captured:
            self._captured.was_last = False
        self.optimiser.zero_grad(set_to_none=True)
        counting = len(labels) - filling
        labels = labels[:counting]
        with self.arithmetic():
            logits = self.forward(images)[:counting]
            loss = F.cross_entropy(logits, labels, reduction="sum")
        # the team averages gradients over its processes
        self.team.backward(loss * (self.team.size / (counting if size is None else size)))
        self.optimiser.step()
        self._add(loss.detach(), logits.detach().argmax(1) != labels)

    @torch.no_grad()
    def _add(self, loss: Tensor, wrong: Tensor) -> None:
        sums = self.sums
        sums.loss.add_(loss)
        sums.wrong.add_(wrong.sum())
        sums.images.add_(len(wrong))
        sums.steps.add_(1)
        first = loss.isfinite().logical_not() & (sums.bad_step == 0)
        sums.bad_step.copy_(torch.where(first, sums.steps, sums.bad_step))

    def _can_capture(self, images: int) -> bool:
        """Whether a step is a full batch on one GPU by an optimiser that can be captured."""
        return (
            self.device.type == "cuda"
            and self.team.size == 1
            and images == self.recipe.batch
            and self.recipe.optimiser == "sgd"
        )

    def _run_aside(self, images: Tensor, labels: Tensor) -> None:
        """One step on another stream, as a capture will be."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._run(images, labels, 0, None)
        torch.cuda.current_stream().wait_stream(stream)


class _Captured:
    """A step as a graph of kernels that is launched at once."""

    def __init__(self, step: Step, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images.clone(), labels.clone()
        self.graph = torch.cuda.CUDAGraph()
        self.was_last = False
        with torch.cuda.graph(self.graph):
            step._run(self.images, self.labels, 0, None)
        self.gradients = [weight.grad for weight in step.layers.values()]

    def replay(self, images: Tensor, labels: Tensor) -> None:
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.graph.replay()
        self.was_last = True
