"""The live explorer: needs a running kernel, computes every scene when it is asked for."""

from typing import Any

import ipywidgets

from tinyvgg.cases import find_cases, record_pairs
from tinyvgg.drawing import ink, png
from tinyvgg.errors import UserError
from tinyvgg.runs import Run
from tinyvgg.widgets.scenes import CHOICES, Bench, Scene, shown_classes, verdict

CAPTIONS = ("error", "look-alike", "tracked features")
BARS = 8
SIDE = "160px"
MOST = 200
"""Errors to pick from at most; every one keeps a recorded pass in memory."""


class Explorer(ipywidgets.VBox):  # type: ignore[misc]
    """Pick an error, a rule and what to suppress; probabilities and tracked features follow.

    Args:
        bench: computes what is shown; it has one error at least.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        titles = [(bench.title(place), place) for place in range(len(bench))]
        wide = ipywidgets.Layout(width="auto")
        self.error = ipywidgets.Dropdown(options=titles, value=0, description="Error", layout=wide)
        choices = [(words, choice) for choice, words in CHOICES.items()]
        self.choice = ipywidgets.Dropdown(options=choices, description="Suppress", layout=wide)
        self.rule = ipywidgets.RadioButtons(options=list(bench.rules), description="Rule")
        self.images = [ipywidgets.Image(format="png", layout=_square()) for _ in CAPTIONS]
        self.sentence = ipywidgets.HTML()
        self.bars = ipywidgets.HTML()
        pictures = ipywidgets.HBox(
            [_captioned(*pair) for pair in zip(self.images, CAPTIONS, strict=True)]
        )
        super().__init__(
            [self.error, self.choice, self.rule, pictures, self.sentence, self.bars],
            layout=ipywidgets.Layout(max_width="640px"),
        )
        for control in (self.error, self.choice, self.rule):
            control.observe(self._update, names="value")
        self._update()

    def __repr__(self) -> str:
        return f"Explorer of {len(self.bench)} errors"

    @property
    def scene(self) -> Scene:
        """What is shown now."""
        return self.bench.scene(self.error.value, self.choice.value, self.rule.value)

    def _update(self, _: Any = None) -> None:
        scene = self.scene
        error, lookalike = self.bench.images(self.error.value)
        drawn = ink(scene.features, self._top())
        for widget, pixels in zip(self.images, (error, lookalike, drawn), strict=True):
            widget.value = png(pixels)
        self.sentence.value = f"<p>{verdict(scene, self.bench.run.classes)}</p>"
        self.bars.value = _bars(scene, self.bench, self.error.value)

    def _top(self) -> float:
        """The scale of the features: what all backtracked pixels show under this rule."""
        everything = self.bench.scene(self.error.value, "all", self.rule.value)
        return float(everything.features.max())


def explorer(run: Run, bench: Bench | None = None) -> Explorer | str:
    """The live explorer of a run's errors, or a sentence where none has a look-alike.

    Args:
        run: whose errors to explore.
        bench: computes the scenes; one of the first `MOST` errors if None.

    Raises:
        UserError: a bench of another run.
    """
    if bench is None:
        bench = Bench(run, record_pairs(run, find_cases(run)[:MOST]))
    if bench.run.experiment != run.experiment:
        raise UserError(f"bench is of {bench.run.experiment.name}, not of {run.experiment.name}")
    return Explorer(bench) if len(bench) else "No error of this run has a right look-alike."


def _square() -> ipywidgets.Layout:
    return ipywidgets.Layout(width=SIDE, height=SIDE)


def _captioned(image: ipywidgets.Image, caption: str) -> ipywidgets.VBox:
    return ipywidgets.VBox([image, ipywidgets.HTML(f"<small>{caption}</small>")])


def _bars(scene: Scene, bench: Bench, place: int) -> str:
    classes = bench.run.classes
    rows = [
        f"<tr><th style='text-align:left'>{classes[label]}{_mark(scene, label)}</th>"
        f"<td>{scene.before[label]:.3f}</td><td>{scene.after[label]:.3f}</td>"
        f"<td style='width:220px'><div style='height:10px;background:#0072b2;"
        f"width:{100 * scene.after[label]:.1f}%'></div></td></tr>"
        for label in shown_classes(bench, place, BARS)
    ]
    head = "<tr><th>class</th><th>before</th><th>after</th><th></th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _mark(scene: Scene, label: int) -> str:
    if label == scene.case.true:
        return " (true)"
    return " (taken for)" if label == scene.case.predicted else ""
