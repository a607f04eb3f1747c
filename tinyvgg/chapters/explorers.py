"""Explorers of errors: a widget for a running notebook, and a page that needs no kernel."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import ipywidgets
import numpy as np
from jaxtyping import Bool, Float, UInt8
from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from torch import Tensor

from tinyvgg.chapters.cases import RULES, Case, Pairs, fixed_sets, name_of, pixel_sets, random_sets
from tinyvgg.chapters.style import data_uri, in_words, ink, png, strength
from tinyvgg.errors import UserError
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.runs import Run

CHOICES = {
    "nothing": "nothing",
    "all": "all backtracked pixels",
    "common": "those in common with the look-alike",
    "unique": "those unique to the error",
    "random": "random active ones, as many as unique",
    "contrastive": "most contrastive ones, as many as unique",
    "repair": "the fewest found that make it right",
}
"""The sets that a reader can suppress, in words."""
PICTURES = {"wrong": "error", "right": "look-alike", "features": "tracked features"}
BARS = 8
NO_ERRORS = "No error of this run has a right look-alike: there is nothing to explore."

TEMPLATES = Environment(
    loader=PackageLoader("tinyvgg.chapters"),
    autoescape=True,
    trim_blocks=True,
    undefined=StrictUndefined,
)
"""HTML and scripts of the chapters; all that is filled in stays text."""


@dataclass(frozen=True, eq=False)
class Scene:
    """An error and its probabilities before and after some pixels are suppressed."""

    case: Case
    pixels: int
    before: Float[np.ndarray, "k"]
    after: Float[np.ndarray, "k"]
    features: Float[np.ndarray, "h w"]  # tracked features of these pixels (Algorithm 2)


class Bench:
    """The scenes of a run's errors that have a look-alike, each computed once.

    `scene(place, choice, rule)` is the error at a place of the pairs without one of `CHOICES`.
    """

    def __init__(self, run: Run, pairs: Pairs, seed: int = 0) -> None:
        self.run, self.pairs, self.seed = run, pairs, seed
        self._sets, self.scene = cache(self._compute_sets), cache(self._compute_scene)

    def __len__(self) -> int:
        return len(self.pairs)

    def pair(self, place: int) -> Pairs:
        """Return the error at a place, alone."""
        return self.pairs.only([self.pairs.cases[place]])

    def title(self, place: int) -> str:
        """Name an error: its true class, the class it was taken for, and the image."""
        case, classes = self.pairs.cases[place], self.run.classes
        about = name_of(self.run, case.row)
        return f"{place + 1}. {classes[case.true]} taken for {classes[case.predicted]} ({about})"

    def images(self, place: int) -> list[UInt8[np.ndarray, "h w 3"]]:
        """Return the misclassified image and its look-alike."""
        case = self.pairs.cases[place]
        return [np.asarray(self.run.faces.images[row]) for row in (case.row, case.lookalike)]

    def shown(self, place: int) -> dict[int, str]:
        """Return the classes worth a bar: true, predicted, and the likeliest ones of any scene."""
        case = self.pairs.cases[place]
        scenes = [self.scene(place, choice, rule) for choice in CHOICES for rule in RULES]
        peak = np.max([scene.after for scene in scenes] + [scenes[0].before], axis=0)
        peak[[case.true, case.predicted]] = np.inf
        marks = {case.true: " (true)", case.predicted: " (taken for)"}
        labels = sorted(int(label) for label in np.argsort(-peak, kind="stable")[:BARS])
        return {label: self.run.classes[label] + marks.get(label, "") for label in labels}

    def drawn(self, place: int, choice: str, rule: str) -> UInt8[np.ndarray, "h w"]:
        """Draw the scene's features as ink, to the scale of all backtracked pixels' features."""
        top = float(self.scene(place, "all", rule).features.max())
        return ink(self.scene(place, choice, rule).features, top)

    def _compute_scene(self, place: int, choice: str, rule: str) -> Scene:
        sets, trace = self._sets(place, rule), self.pair(place).wrong
        before, after = (
            rescore(trace, sets[pixels]).softmax(1)[0].numpy() for pixels in ("nothing", choice)
        )
        features = strength(track_features(trace, sets[choice]))[0].numpy()
        return Scene(self.pairs.cases[place], int(sets[choice].sum()), before, after, features)

    def _compute_sets(self, place: int, rule: str) -> dict[str, Bool[Tensor, "1 c h w"]]:
        pair = self.pair(place)
        sets = pixel_sets(pair, RULES[rule])
        return {**fixed_sets(pair, sets), **random_sets(pair, sets, self.seed)}


def verdict(scene: Scene, classes: Sequence[str]) -> str:
    """Describe the effect of the suppression in one sentence."""
    before, after = int(scene.before.argmax()), int(scene.after.argmax())
    kind = "which is right" if after == scene.case.true else "another wrong class"
    return (
        f"{in_words(scene.pixels)} suppressed: the answer is {classes[after]} with probability"
        f" {scene.after[after]:.3f}, {'the same class as before' if after == before else kind}."
    )


def _digits(probabilities: Float[np.ndarray, "k"], labels: dict[int, str]) -> list[str]:
    """Print probabilities as the sentences do: the page does not round again."""
    return [f"{probabilities[label]:.3f}" for label in labels]


class Explorer(ipywidgets.VBox):  # type: ignore[misc]
    """A widget to pick an error, a rule and pixels to suppress, and to see the consequences."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        wide, square = {"width": "auto"}, {"width": "160px", "height": "160px"}
        titles = [(bench.title(place), place) for place in range(len(bench))]
        self.error = ipywidgets.Dropdown(options=titles, description="Error", layout=wide)
        choices = [(words, choice) for choice, words in CHOICES.items()]
        self.choice = ipywidgets.Dropdown(options=choices, description="Suppress", layout=wide)
        self.rule = ipywidgets.RadioButtons(options=list(RULES), description="Rule")
        self.images = [ipywidgets.Image(format="png", layout=square) for _ in PICTURES]
        self.result = ipywidgets.HTML()
        captions = map(ipywidgets.Label, PICTURES.values())
        pictures = map(ipywidgets.VBox, zip(self.images, captions, strict=True))
        controls = [self.error, self.choice, self.rule]
        for control in controls:
            control.observe(self._update, names="value")
        self._update()
        shown = [*controls, ipywidgets.HBox(list(pictures)), self.result]
        super().__init__(shown, layout={"max_width": "640px"})

    def __repr__(self) -> str:
        return f"Explorer of {len(self.bench)} errors"

    def _update(self, _: Any = None) -> None:
        picked = self.error.value, self.choice.value, self.rule.value
        scene, labels = self.bench.scene(*picked), self.bench.shown(self.error.value)
        pictures = [*self.bench.images(self.error.value), self.bench.drawn(*picked)]
        for widget, pixels in zip(self.images, pictures, strict=True):
            widget.value = png(pixels)
        before, after = _digits(scene.before, labels), _digits(scene.after, labels)
        self.result.value = TEMPLATES.get_template("bars.html.j2").render(
            sentence=verdict(scene, self.bench.run.classes),
            rows=list(zip(labels.values(), before, after, strict=True)),
        )


def explorer(bench: Bench) -> Explorer | str:
    """Return the live explorer of a bench, or a sentence where it has no errors."""
    return Explorer(bench) if len(bench) else NO_ERRORS


SIDES = (64, 48, 32, 24)
LIMIT = 700_000
"""Characters of HTML that an explorer may have."""
NAME = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True)
class StaticExplorer:
    """HTML that notebooks and the book show as it is; words where only text can be shown."""

    html: str
    words: str = "an explorer of errors, in HTML"

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.words


def page(template: str, kind: str, name: str, data: object, **values: object) -> str:
    """Fill in a template; its ids begin with a kind and a name, and its data stand in it as JSON.

    Raises:
        UserError: a name that is no id.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"name {name!r} is no id: use lower-case letters, digits and hyphens")
    json = htmlsafe_json_dumps(data, separators=(",", ":"))
    return TEMPLATES.get_template(template).render(id=f"{kind}-{name}", json=json, **values)


def static_explorer(bench: Bench, name: str) -> StaticExplorer:
    """Return an explorer of a bench's errors that needs no kernel and no network.

    Images are shrunk until it has fewer than `LIMIT` characters; too many errors are a `UserError`.
    Explorers of different names fit on one page.
    """
    if not len(bench):
        return StaticExplorer(f"<p>{NO_ERRORS}</p>")
    rules = {rule: rule for rule in RULES}
    values = {
        "groups": [("choice", "Suppress", CHOICES), ("rule", "Rule of backtracking", rules)],
        "pictures": PICTURES,
        "blank": data_uri(png(np.full((1, 1), 255, dtype=np.uint8))),
    }
    for side in SIDES:
        data = _data(bench, side)
        html = page("explorer.html.j2", "explorer", name, data, cases=data["cases"], **values)
        if len(html) < LIMIT:
            return StaticExplorer(html)
    raise UserError(f"{len(bench)} errors make {len(html):,} characters of HTML: pass fewer")


def _data(bench: Bench, side: int) -> dict[str, Any]:
    """Collect every scene; equal pictures of features are kept once."""
    features: dict[str, int] = {}

    def shown(place: int, choice: str, rule: str) -> dict[str, Any]:
        scene = bench.scene(place, choice, rule)
        picture = data_uri(png(bench.drawn(place, choice, rule), side))
        return {
            "pixels": scene.pixels,
            "after": _digits(scene.after, bench.shown(place)),
            "result": verdict(scene, bench.run.classes),
            "words": f"tracked features of {in_words(scene.pixels)}, dark where strong",
            "features": features.setdefault(picture, len(features)),
        }

    cases = []
    for place in range(len(bench)):
        labels = bench.shown(place)
        wrong, right = (data_uri(png(image, side)) for image in bench.images(place))
        cases.append(
            {
                "title": bench.title(place),
                "wrong": wrong,
                "right": right,
                "classes": list(labels.values()),
                "before": _digits(bench.scene(place, "nothing", "cutoff").before, labels),
                "scenes": {r: {c: shown(place, c, r) for c in CHOICES} for r in RULES},
            }
        )
    return {"cases": cases, "features": list(features)}
