"""What an explorer shows: one error with a set of its pixels suppressed. No widgets here."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from tinyvgg.cases import RULES, Case, Pairs, pixel_sets
from tinyvgg.errors import UserError
from tinyvgg.figures.style import strength
from tinyvgg.findings.case_tables import name_of
from tinyvgg.rules import Rule
from tinyvgg.runs import Run
from tinyvgg.suppression import fixed_sets, random_sets
from tinyvgg.tracking import rescore, track_features

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
