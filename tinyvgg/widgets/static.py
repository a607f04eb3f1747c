"""The static explorer: all scenes of a handful of errors, computed before, in a piece of HTML."""

import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from tinyvgg.drawing import data_uri, ink, png
from tinyvgg.errors import UserError
from tinyvgg.widgets.page import PAGE
from tinyvgg.widgets.scenes import CHOICES, Bench, Scene, pixels_in_words, shown_classes, verdict

CLASSES = 8
SIDES = (64, 48, 32, 24)
LIMIT = 700_000
"""Characters of HTML that an explorer may have."""

NAME = re.compile(r"[a-z][a-z0-9-]*")
BLANK = data_uri(png(np.full((1, 1), 255, dtype=np.uint8)))
NO_ERRORS = "<p>No error of this run has a right look-alike: there is nothing to explore.</p>"


class StaticExplorer:
    """A piece of HTML that notebooks and the book show as it is.

    Attributes:
        html: the piece; it refers to nothing outside of itself.
        words: what it is, where only text can be shown.
    """

    def __init__(self, html: str, words: str = "an explorer of errors, in HTML") -> None:
        self.html, self.words = html, words

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.words


def static_explorer(bench: Bench, name: str) -> StaticExplorer:
    """An explorer of all errors of a bench that needs no kernel and no network.

    Images are shrunk until the piece has fewer than `LIMIT` characters.

    Args:
        bench: a handful of errors, eight say.
        name: ids in the HTML begin with it; different ones on one page need different names.

    Raises:
        UserError: a name that is no id, or too many errors.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"name {name!r} is no id: use lower-case letters, digits and hyphens")
    if not len(bench):
        return StaticExplorer(NO_ERRORS)
    for side in SIDES:
        html = _page(name, _data(bench, side))
        if len(html) < LIMIT:
            return StaticExplorer(html)
    raise UserError(f"{len(bench)} errors make {len(html):,} characters of HTML: hand over fewer")


def _data(bench: Bench, side: int) -> dict[str, Any]:
    features: dict[str, int] = {}
    cases = [_case(bench, place, side, features) for place in range(len(bench))]
    return {"cases": cases, "features": list(features)}


def _case(bench: Bench, place: int, side: int, features: dict[str, int]) -> dict[str, Any]:
    case, names = bench.pairs.cases[place], bench.run.classes
    wrong, right = (data_uri(png(image, side)) for image in bench.images(place))
    labels = shown_classes(bench, place, CLASSES)
    marks = {case.true: " (true)", case.predicted: " (taken for)"}
    scenes = {
        rule: {choice: bench.scene(place, choice, rule) for choice in CHOICES}
        for rule in bench.rules
    }
    return {
        "title": bench.title(place),
        "wrong": wrong,
        "right": right,
        "classes": [names[label] + marks.get(label, "") for label in labels],
        "before": _shown(bench.scene(place, "nothing", next(iter(bench.rules))).before, labels),
        "scenes": {
            rule: {
                choice: _scene(scene, names, labels, features, by["all"], side)
                for choice, scene in by.items()
            }
            for rule, by in scenes.items()
        },
    }


def _scene(
    scene: Scene,
    names: tuple[str, ...],
    labels: list[int],
    features: dict[str, int],
    everything: Scene,
    side: int,
) -> dict[str, Any]:
    picture = data_uri(png(ink(scene.features, float(everything.features.max())), side))
    return {
        "pixels": scene.pixels,
        "after": _shown(scene.after, labels),
        "result": verdict(scene, names),
        "words": f"tracked features of {pixels_in_words(scene.pixels)}, dark where strong",
        "features": features.setdefault(picture, len(features)),
    }


def _shown(probabilities: Any, labels: list[int]) -> list[str]:
    """Probabilities as the sentences have them: the page does not round again."""
    return [f"{probabilities[label]:.3f}" for label in labels]


def _page(name: str, data: Mapping[str, Any]) -> str:
    options = [
        f'<option value="{place}">{escape(case["title"])}</option>'
        for place, case in enumerate(data["cases"])
    ]
    rules = {rule: rule for rule in data["cases"][0]["scenes"]}
    return PAGE.substitute(
        id=f"explorer-{name}",
        options="".join(options),
        choices=_radios(name, "choice", CHOICES),
        rules=_radios(name, "rule", rules),
        blank=BLANK,
        fallback="This explorer needs JavaScript.",
        data=json.dumps(data, separators=(",", ":")).replace("</", "<\\/"),
    )


def _radios(name: str, group: str, values: Mapping[str, str]) -> str:
    return "\n".join(
        f'<label><input type="radio" id="explorer-{name}-{group}-{value}"'
        f' name="explorer-{name}-{group}" value="{value}"'
        f"{' checked' if place == 0 else ''}> {escape(words)}</label>"
        for place, (value, words) in enumerate(values.items())
    )
