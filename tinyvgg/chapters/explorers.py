"""The live explorer: needs a running kernel, computes every scene when it is asked for."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from string import Template
from types import MappingProxyType
from typing import Any

import ipywidgets
import numpy as np
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from tinyvgg.backtracking import Rule
from tinyvgg.chapters.cases import (
    RULES,
    Case,
    Pairs,
    find_cases,
    fixed_sets,
    name_of,
    pixel_sets,
    random_sets,
    record_pairs,
)
from tinyvgg.chapters.style import data_uri, ink, png, strength
from tinyvgg.errors import UserError
from tinyvgg.tracking import rescore, track_features
from tinyvgg.training.runs import Run

CHOICES: Mapping[str, str] = MappingProxyType(
    {
        "nothing": "nothing",
        "all": "all backtracked pixels",
        "common": "those in common with the look-alike",
        "unique": "those unique to the error",
        "random": "random active ones, as many as unique",
        "contrastive": "most contrastive ones, as many as unique",
        "repair": "the fewest found that make it right",
    }
)
"""The sets that a reader can suppress, in words."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One error, before and after a set of its pixels was suppressed.

    Attributes:
        case: the error.
        choice: one of `CHOICES`.
        rule: name of the backtracking rule.
        pixels: how many were suppressed.
        before: probabilities of all classes, nothing suppressed.
        after: the same with the set suppressed.
        features: what the set shows in the image (Algorithm 2), 0 where nothing.
    """

    case: Case
    choice: str
    rule: str
    pixels: int
    before: Float[np.ndarray, "k"]
    after: Float[np.ndarray, "k"]
    features: Float[np.ndarray, "h w"]

    @property
    def answer(self) -> int:
        """The label of the largest probability after suppression."""
        return int(self.after.argmax())

    @property
    def repaired(self) -> bool:
        """Whether the answer is the true class."""
        return self.answer == self.case.true


class Bench:
    """Computes the scenes of the errors of a run that have a look-alike.

    Args:
        run: gives images and names of classes.
        pairs: the errors.
        rules: backtracking rules by name.
        seed: of the random sets.
    """

    def __init__(
        self, run: Run, pairs: Pairs, rules: Mapping[str, Rule] = RULES, seed: int = 0
    ) -> None:
        self.run, self.pairs, self.rules, self.seed = run, pairs, rules, seed
        self._sets = cache(self._compute_sets)
        self._scenes = cache(self._compute_scene)

    def __len__(self) -> int:
        return len(self.pairs)

    def scene(self, place: int, choice: str, rule: str) -> Scene:
        """The error at a place of `pairs` without the chosen set.

        Raises:
            UserError: an unknown choice or rule, or a place that has no error.
        """
        self._check(place, choice, rule)
        return self._scenes(place, choice, rule)

    def _compute_scene(self, place: int, choice: str, rule: str) -> Scene:
        sets = self._sets(place, rule)
        pixels = sets[choice]
        trace = self.pair(place).wrong
        return Scene(
            case=self.pairs.cases[place],
            choice=choice,
            rule=rule,
            pixels=int(pixels.sum()),
            before=rescore(trace, sets["nothing"]).softmax(1)[0].numpy(),
            after=rescore(trace, pixels).softmax(1)[0].numpy(),
            features=strength(track_features(trace, pixels))[0],
        )

    def pair(self, place: int) -> Pairs:
        """The error at a place, alone."""
        return self.pairs.only([self.pairs.cases[place]])

    def title(self, place: int) -> str:
        """An error in a few words: its true class, what it was taken for, what the image is."""
        case, classes = self.pairs.cases[place], self.run.classes
        about = name_of(self.run, case.row)
        return f"{place + 1}. {classes[case.true]} taken for {classes[case.predicted]} ({about})"

    def images(self, place: int) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w 3"]]:
        """The misclassified image and its look-alike."""
        case = self.pairs.cases[place]
        lookalike = case.row if case.lookalike is None else case.lookalike
        images = self.run.faces.images
        return np.asarray(images[case.row]), np.asarray(images[lookalike])

    def _compute_sets(self, place: int, rule: str) -> dict[str, Bool[Tensor, "1 c h w"]]:
        pair = self.pair(place)
        sets = pixel_sets(pair, self.rules[rule])
        return {**fixed_sets(pair, sets), **random_sets(pair, sets, self.seed)}

    def _check(self, place: int, choice: str, rule: str) -> None:
        if choice not in CHOICES:
            raise UserError(f"choice {choice!r} is not one of {', '.join(CHOICES)}")
        if rule not in self.rules:
            raise UserError(f"rule {rule!r} is not one of {', '.join(self.rules)}")
        if not 0 <= place < len(self):
            raise UserError(f"error {place} is not one of 0 to {len(self) - 1}")


def shown_classes(bench: Bench, place: int, most: int) -> list[int]:
    """The classes worth a bar: true and mistaken one, and the likeliest of any scene, sorted."""
    case = bench.pairs.cases[place]
    scenes = [bench.scene(place, choice, rule) for choice in CHOICES for rule in bench.rules]
    peak = np.max([scene.after for scene in scenes] + [scenes[0].before], axis=0)
    peak[[case.true, case.predicted]] = np.inf
    return sorted(int(label) for label in np.argsort(-peak, kind="stable")[:most])


def pixels_in_words(count: int) -> str:
    """So many pixels, or one pixel."""
    return f"{count:,} pixel{'' if count == 1 else 's'}"


def verdict(scene: Scene, classes: tuple[str, ...]) -> str:
    """What happened, in one sentence."""
    before, after = int(scene.before.argmax()), scene.answer
    how = f"{pixels_in_words(scene.pixels)} suppressed: "
    answer = f"the answer is {classes[after]} with probability {scene.after[after]:.3f}"
    if after == before:
        return f"{how}{answer}, the same class as before."
    kind = "which is right" if scene.repaired else "another wrong class"
    return f"{how}{answer}, {kind}."


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


PAGE = Template("""\
<div id="$id" class="tinyvgg-explorer">
<style>
#$id { color-scheme: light; background: #fff; color: #1a1a1a; border: 1px solid #ccc;
  border-radius: 6px; padding: 1em; max-width: 46em; font: 15px/1.4 sans-serif; }
#$id * { color: inherit; }
#$id fieldset { border: 0; margin: .6em 0 0; padding: 0; }
#$id legend, #$id .label { font-weight: bold; padding: 0; font-size: 1em; }
#$id label { display: inline-block; margin: 0 1em .2em 0; cursor: pointer; }
#$id select { max-width: 100%; font: inherit; background: #fff; }
#$id .images { display: flex; flex-wrap: wrap; gap: 1em; margin: 1em 0 .5em; }
#$id figure { margin: 0; }
#$id figcaption { font-size: .85em; text-align: center; }
#$id img { width: 160px; height: 160px; object-fit: contain; image-rendering: pixelated;
  border: 1px solid #ddd; background: #fff; }
#$id table { border-collapse: collapse; width: 100%; margin: 0; }
#$id th, #$id td { text-align: right; padding: 1px 6px; border: 0; background: #fff;
  font-variant-numeric: tabular-nums; }
#$id th:first-child, #$id td.bar { text-align: left; }
#$id td.bar { width: 40%; }
#$id .bar div { height: 7px; margin: 1px 0; min-width: 1px; }
#$id .before { background: #b8b8b8; }
#$id .after { background: #0072b2; }
#$id .result { margin: .5em 0; min-height: 2.8em; }
</style>
<p><label for="$id-error" class="label">Error</label>
<select id="$id-error">$options</select></p>
<fieldset><legend>Suppress</legend>
$choices
</fieldset>
<fieldset><legend>Rule of backtracking</legend>
$rules
</fieldset>
<div class="images">
<figure><img id="$id-wrong" alt="" src="$blank"><figcaption>error</figcaption></figure>
<figure><img id="$id-right" alt="" src="$blank"><figcaption>look-alike</figcaption></figure>
<figure><img id="$id-features" alt="" src="$blank">
<figcaption>tracked features</figcaption></figure>
</div>
<p class="result" id="$id-result" aria-live="polite">$fallback</p>
<table aria-describedby="$id-result"><thead><tr><th scope="col">class</th>
<th scope="col">before</th><th scope="col">after</th>
<th scope="col" aria-hidden="true"></th></tr></thead>
<tbody id="$id-classes"></tbody></table>
<script type="application/json" id="$id-data">$data</script>
<script>
(() => {
  const id = "$id", at = (name) => document.getElementById(id + "-" + name);
  const data = JSON.parse(at("data").textContent), root = document.getElementById(id);
  const picked = (name) => root.querySelector(`input[name="$${id}-$${name}"]:checked`).value;
  const cell = (tag, text) => {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  };
  const bar = (kind, share) => {
    const made = document.createElement("div");
    made.className = kind;
    made.style.width = 100 * share + "%";
    return made;
  };
  const row = (name, before, after) => {
    const made = document.createElement("tr"), head = cell("th", name), bars = cell("td", "");
    head.scope = "row";
    bars.className = "bar";
    bars.setAttribute("aria-hidden", "true");
    bars.append(bar("before", before), bar("after", after));
    made.append(head, cell("td", before), cell("td", after), bars);
    return made;
  };
  const picture = (name, source, words) => {
    at(name).src = source;
    at(name).alt = words;
  };
  const show = () => {
    const shown = data.cases[at("error").value];
    const scene = shown.scenes[picked("rule")][picked("choice")];
    picture("wrong", shown.wrong, "misclassified image: " + shown.title);
    picture("right", shown.right, "look-alike that is classified right");
    picture("features", data.features[scene.features], scene.words);
    at("result").textContent = scene.result;
    at("classes").replaceChildren(
      ...shown.classes.map((name, k) => row(name, shown.before[k], scene.after[k])));
  };
  root.addEventListener("change", show);
  show();
})();
</script>
</div>
""")
"""Fields: id, options, choices, rules, blank, fallback, data."""


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
