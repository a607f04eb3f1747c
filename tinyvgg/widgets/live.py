"""Error rates that grow while a network is trained, in a notebook."""

import time
from io import BytesIO

import ipywidgets
from IPython.display import clear_output, display

from tinyvgg.figures.training import learning_curve
from tinyvgg.training.history import Epoch
from tinyvgg.training.watching import Plan, Watcher

SHARE = 0.05
"""At most this share of the time goes into drawing."""


class LiveErrors(Watcher):
    """Training and test error over the epochs, drawn anew while the network learns.

    Args:
        title: what stands above the curves.
        keep: whether they stay when the training has ended; otherwise the cell's output is cleared.
    """

    def __init__(self, title: str = "", keep: bool = True) -> None:
        self.title, self.keep = title, keep
        self.image = ipywidgets.Image(format="png", layout={"max_width": "32em"})
        self.history: list[Epoch] = []
        self.epochs = 1
        self._due = 0.0

    def begin(self, plan: Plan) -> None:
        """Show the curves so far."""
        self.history, self.epochs = list(plan.history), plan.epochs
        display(self.image)
        self._draw()

    def epoch(self, epoch: Epoch, images: int) -> None:
        """Add an epoch, and draw unless that was done just before."""
        self.history.append(epoch)
        if time.monotonic() >= self._due:
            self._draw()

    def end(self) -> None:
        """Draw the last state, or clear it away."""
        self._draw()
        if not self.keep:
            clear_output()

    def _draw(self) -> None:
        started = time.monotonic()
        buffer = BytesIO()
        learning_curve(self.history, self.epochs, self.title).savefig(buffer, format="png")
        self.image.value = buffer.getvalue()
        now = time.monotonic()
        self._due = now + (now - started) / SHARE
