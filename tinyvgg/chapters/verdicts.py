"""Verdicts and recorded numbers, made the same way in every chapter."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import pandas as pd
from IPython.core.getipython import get_ipython
from IPython.display import Markdown, display

from tinyvgg import paper
from tinyvgg.chapters import statistics
from tinyvgg.chapters.statistics import Estimate, Networks, networks_of, of_another, over_networks
from tinyvgg.chapters.style import in_markdown
from tinyvgg.errors import UserError
from tinyvgg.faces.index import FaceIndex
from tinyvgg.training.experiments import Study
from tinyvgg.training.runs import Run

SUPPORTED, CONTRADICTED, INCONCLUSIVE = "supported", "contradicted", "inconclusive"
NOT_TESTABLE, SHOWN = "not testable here", "shown"
VERDICTS = SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_TESTABLE, SHOWN
LESS_THAN = 0.05
"""What a p value has to be less than, once it is adjusted for all tests of the page."""
CORRECTED = (
    "The p values are corrected for all tests of this book, the intervals are not. So an interval"
    " may lie beyond what is asserted, and the test still be inconclusive."
)
GLUED = "application/papermill.record/"
TEXT = GLUED + "text/plain"
KEY = re.compile(r"[a-z0-9]+(\.[a-z0-9_]+){2}")
_recorded: dict[str, paper.Value] = {}
"""What the running notebook has recorded so far."""


@dataclass(frozen=True)
class Result:
    """The outcome of one test: one of the first four `VERDICTS`, and the numbers it rests on.

    ``low`` and ``high`` bound the 95 % interval of the mean over networks; for a test against the
    paper's own number, the range of 95 % of networks.
    """

    number: str  # the key of what is tested
    verdict: str
    networks: int  # that have this number
    agreeing: int = 0  # of these, those of which it is true
    mean: float | None = None
    spread: float | None = None  # standard deviation over networks
    low: float | None = None
    high: float | None = None
    p: float | None = None  # corrected for all tests; None against the paper's number

    @property
    def whole(self) -> paper.Interval:
        """The whole numbers that lie between ``low`` and ``high``, from the first to the last."""
        return float(math.ceil(cast(float, self.low))), float(math.floor(cast(float, self.high)))


@dataclass(frozen=True)
class Verdict:
    """The outcome of a claim: one of `VERDICTS`, with its tests' results or a reason."""

    claim: str
    verdict: str
    reason: str
    results: tuple[Result, ...] = ()

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            known = ", ".join(VERDICTS)
            raise UserError(f"verdict '{self.verdict}' of {self.claim} is not one of {known}")

    @property
    def parts(self) -> list[tuple[paper.Test, Result]]:
        """The tests of the claim with their results, the central ones first."""
        found = zip(paper.claim(self.claim).tests, self.results, strict=bool(self.results))
        return sorted(found, key=lambda part: not part[0].central)


def results_of(about: Mapping[str, Any]) -> tuple[Result, ...]:
    """Return the results that `conclude` recorded with a verdict."""
    return tuple(Result(**each) for each in about.get("results", ()))


def judge(networks: Networks) -> dict[str, Verdict]:
    """Return the verdicts on all asserted claims, by their ids.

    All are judged together, since p values are corrected for all tests that can be made. A test
    against the paper's own number takes the plain range of 95 % of networks: a correction would
    widen the range, and let the claim pass more easily.
    """
    claims = [claim for claim in paper.claims() if claim.tests]
    results = {test: _measured(test, networks) for claim in claims for test in claim.tests}
    tested = [test for test, result in results.items() if result.p is not None]
    corrected = statistics.holm([results[test].p or 0.0 for test in tested])
    for test, p in zip(tested, corrected, strict=True):
        results[test] = _decided(test, results[test], p)
    return {claim.id: _weighed(claim, [results[test] for test in claim.tests]) for claim in claims}


def _measured(test: paper.Test, networks: Networks) -> Result:
    """Return what a test rests on, with its p value before correction."""
    values, errors = networks.values(test.number)
    if len(values) < test.networks:
        return Result(test.number, NOT_TESTABLE, len(values))
    bound, unit = test.bound, paper.describe(test.number).unit
    if test.within and unit == "count":
        scale, back = statistics.scale_of(values, unit)
        another = of_another(scale(values))
        (low, high), p = map(back, another.interval()), another.p_value(float(scale(bound)))
    else:
        of = of_another(values) if test.within else over_networks(values, errors)
        (low, high), p = of.interval(), of.p_value(bound)
    facts = [float(each) for each in (values.mean(), values.std(ddof=1), low, high, p)]
    return Result(test.number, "", len(values), sum(map(test.agrees, values.tolist())), *facts)


def _decided(test: paper.Test, result: Result, p: float) -> Result:
    """Return a result with its outcome, given its p value after correction."""
    if test.within:
        inside = cast(float, result.p) >= 1 - statistics.LEVEL
        return replace(result, verdict=SUPPORTED if inside else CONTRADICTED, p=None)
    as_asserted = (cast(float, result.mean) < test.bound) == (test.below is not None)
    if test.least is not None and result.agreeing == result.networks:
        verdict = SUPPORTED
    elif p >= LESS_THAN or (as_asserted and test.least is not None):
        verdict = INCONCLUSIVE
    else:
        verdict = SUPPORTED if as_asserted else CONTRADICTED
    return replace(result, verdict=verdict, p=p)


def _weighed(claim: paper.Claim, results: Sequence[Result]) -> Verdict:
    """Return the verdict on a claim, which stands or falls with its central tests."""
    central = [(t, r) for t, r in zip(claim.tests, results, strict=True) if t.central]
    worst = (CONTRADICTED, NOT_TESTABLE, INCONCLUSIVE)
    reached = {result.verdict for _, result in central}
    verdict = next((each for each in worst if each in reached), SUPPORTED)
    lacking = [fact(test, result) for test, result in central if result.verdict == NOT_TESTABLE]
    reason = lacking[0] if verdict == NOT_TESTABLE else ""
    return Verdict(claim.id, verdict, reason, tuple(results))


def fact(test: paper.Test, result: Result) -> str:
    """Return in how many networks a test comes out as asserted, and its effect with interval."""
    if result.mean is None:
        return (
            f"measured on {result.networks} networks of this profile and these faces, and a "
            f"verdict takes {test.networks}; the commands tinyvgg seeds and tinyvgg trial make more"
        )
    about = paper.describe(test.number)
    agreeing = f"{result.agreeing} of {result.networks} networks"
    bound = f"{100 * test.bound:g}%" if about.unit == "percent" else f"{test.bound:g}"
    unit, of = "mean" if about.unit == "count" else about.unit, (result.low, result.high)
    bounds = paper.show_interval(cast(paper.Interval, of), unit)
    if test.within and about.unit == "count":
        bounds = paper.show_interval(result.whole, about.unit)
    mean = _mean(result.mean, about.unit)
    if test.within:
        beside = f"{test.asserted} {bound} in {agreeing}"
        return f"{mean} on average, 95 % of networks in {bounds} ({beside})"
    mean = f"{mean} on average, {bounds}" if result.spread else f"{mean} in each"
    return f"true of {agreeing}; {about.label}: {mean} (asserted: {test.asserted} {bound})"


def as_markdown(verdict: Verdict, ours: Mapping[str, paper.Value]) -> str:
    """Return a verdict as Markdown: the outcome, then each test with this run's number.

    The reason follows the outcome where no test says more.
    """
    measured = any(result.mean is not None for result in verdict.results)
    reason = "" if measured else f": {in_markdown(verdict.reason)}"
    lines, listed = [f"**{verdict.verdict}**{reason}", ""], list[str]()
    for test, result in verdict.parts:
        more = [fact(test, result)] if measured else []
        if result.p is not None and result.spread:
            more.append(f"p {'< 0.001' if result.p < 0.001 else f'= {result.p:.2g}'}")
        if test.number in ours:
            unit = paper.describe(test.number).unit
            more.append(f"this run {paper.show(ours[test.number], unit)}")
        outcome = f"*{result.verdict}*: " if measured else ""
        where = lines if test.central else listed
        where.append(f"- {outcome}{test.says}: {'; '.join(more) or 'not measured'}")
    if listed:
        opened = f"<details><summary>Listed, but not part of the verdict: {len(listed)}</summary>"
        lines += ["", opened, "", *listed, "", "</details>"]
    return "\n".join(lines).rstrip()


def _mean(value: float, unit: str) -> str:
    return paper.show(value, "mean" if unit == "count" else unit)


def lacking(index: FaceIndex, *columns: str) -> str:
    """Return a sentence on the columns that a source lacks, an empty one where it lacks none."""
    missing = [column for column in columns if not index.has(column)]
    return f"This source does not say which {either(missing)} an image shows." if missing else ""


def endings(*runs: Run) -> Markdown | None:
    """Show when and why the training of each network ended that does not ship with the project."""
    own = [run for run in runs if not run.manifest.get("rounded")]
    said = [f"Training for {paper.TASK_NAMES[run.task]} ended {run.ended}." for run in own]
    return Markdown(" ".join(said)) if own else None


def either(words: Sequence[str]) -> str:
    """Join words as in "one, another or a third"."""
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def mean_with_interval(values: "pd.Series[float]") -> str:
    """Return the mean of the known values with its 95 % bootstrap interval, as text."""
    known = values.dropna().to_numpy(float)
    interval = paper.show_interval(statistics.bootstrap_interval(known), "share")
    return f"{known.mean():.3f} ({interval})" if len(known) else paper.NOTHING


def record_numbers(numbers: Mapping[str, object]) -> None:
    """Record numbers of the running notebook; pages show them, `make verify` compares them.

    Their keys, ``claim.task.name`` such as ``t2.subject.accuracy``, are also those of the paper's
    own numbers. An `Estimate` is recorded with its error. None, or a number that is not finite, is
    left out: there was nothing to measure.
    """
    for key, found in numbers.items():
        if not KEY.fullmatch(key):
            raise UserError(f"key {key!r} is not of the form 'claim.task.name', in lower case")
        value, error = found if isinstance(found, Estimate) else (found, 0.0)
        plain = value.item() if hasattr(value, "item") else value
        if plain is None or (isinstance(plain, float) and not math.isfinite(plain)):
            continue
        if not isinstance(plain, paper.Value):
            raise UserError(f"number {key!r} is {plain!r}; record a number, a name or None")
        _recorded[key] = plain
        _glue(key, plain, {"error": float(error)})


def conclude(study: Study, *asserted: str, **shown: str) -> Markdown:
    """Record a chapter's verdicts, and return them as the chapter ends with them.

    Args:
        study: what the chapter works on; networks of its profile and faces are judged.
        asserted: ids of claims that have tests.
        shown: by the id of a claim that is shown and not judged, what this run shows.
    """
    judged = judge(networks_of(study))
    wrong = [id for id in asserted if id not in judged]
    wrong += [id for id in shown if paper.claim(id).kind != "shown"]
    if wrong:
        raise UserError(f"claim {wrong[0]} is given as asserted or shown, which it is not")
    verdicts = [_where_known(judged[id], study) for id in asserted]
    verdicts += [Verdict(id, SHOWN, sentence) for id, sentence in shown.items()]
    parts = []
    for found in sorted(verdicts, key=lambda one: list(paper.load().claims).index(one.claim)):
        about = paper.claim(found.claim)
        record_verdict(found)
        rule = [f"*Rule.* {about.rule}"] if about.rule else []
        parts += [f"**{about.id}: {about.title}.** {about.statement}.", *rule]
        parts.append(as_markdown(found, _recorded))
    if any(result.p is not None for found in verdicts for result in found.results):
        parts.append(CORRECTED)
    return Markdown("\n\n".join(parts))


def _where_known(verdict: Verdict, study: Study) -> Verdict:
    """Say in place of an untested claim's reason what its source lacks, if it lacks anything."""
    tasks = {result.number.split(".")[1] for result in verdict.results} - {"both"}
    sentence = lacking(study.faces.index, *sorted(tasks))
    if verdict.verdict == NOT_TESTABLE and sentence:
        return Verdict(verdict.claim, NOT_TESTABLE, sentence)
    return verdict


def record_verdict(found: Verdict) -> None:
    """Record a verdict of the running notebook with the results of its tests."""
    results = [asdict(result) for result in found.results]
    about = {"claim": found.claim, "reason": found.reason, "results": results}
    _glue(f"verdict.{found.claim}", found.verdict, about)


def _glue(name: str, value: paper.Value, about: dict[str, Any]) -> None:
    if get_ipython() is not None:
        metadata = {"scrapbook": {"name": name, "mime_prefix": GLUED}, "tinyvgg": about}
        display({TEXT: repr(value)}, raw=True, metadata=metadata)
