"""All parts of a report, one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm.auto import tqdm

import tinyvgg
from tinyvgg.analysis.contents import describe_set
from tinyvgg.analysis.following import describe_backtracking
from tinyvgg.analysis.learning import describe_training
from tinyvgg.analysis.limits import limited, most_errors
from tinyvgg.analysis.mistakes import describe_errors
from tinyvgg.analysis.parts import Part
from tinyvgg.analysis.repairing import describe_repairs
from tinyvgg.analysis.showing import describe_tracking
from tinyvgg.chapters.backtracking import follow_errors
from tinyvgg.chapters.cases import find_cases, record_pairs
from tinyvgg.documents.content import Document, Section, Text
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import terms_of
from tinyvgg.paper import TASK_NAMES
from tinyvgg.training import runs as run_folder
from tinyvgg.training.experiments import Study
from tinyvgg.training.runs import Run

FORMAT = 1
KIND = "tinyvgg report"
CAUTIONS = (
    "Intervals are of 95 % and cover the choice of test images only. Another seed draws other parts"
    " and other initial weights, and gives another network: run the report with another seed before"
    " you build on a number.",
    "What is said about pixels is said about this network. Pixels set to zero are something that it"
    " has never seen, and a repair without them does not show a cause in the world.",
)
CONCLUSIONS = "What may be concluded, and what may not"
STEPS = 5
"""Parts of a report for each task."""


@dataclass(frozen=True)
class Analysis:
    """A whole report.

    Attributes:
        document: the page.
        numbers: the same, for scripts: plain data.
    """

    document: Document
    numbers: dict[str, Any]


def analyse(study: Study, tasks: Sequence[str] | None = None) -> Analysis:
    """Train the networks of a study, or load them, and find out about their errors.

    Args:
        study: of `tinyvgg.training.experiments.open_study`.
        tasks: to report on; None for all that the source knows.

    Raises:
        UserError: a task that the source does not know, and what training refuses.
    """
    chosen = tuple(study.tasks if tasks is None else tasks)
    for task in chosen:
        if task not in study.tasks:
            raise UserError(f"task {task!r} is not one of {', '.join(study.tasks)} of these faces")
    runs = {task: study.run(task) for task in chosen}
    contents = describe_set(study, chosen)
    total = STEPS * len(runs)
    with tqdm(total=total, desc="reporting", unit="part", disable=not study.progress) as bar:
        parts: dict[str, list[Part]] = {}
        for task, run in runs.items():
            parts[task] = []
            for part in _parts(run, study.seed):
                parts[task].append(part)
                bar.update()
    return Analysis(_document(study, runs, contents, parts), _numbers(study, runs, contents, parts))


def _parts(run: Run, seed: int) -> Iterator[Part]:
    """The parts about one network."""
    yield describe_training(run)
    yield describe_errors(run)
    fewer = limited(run, most_errors(run.experiment.size), seed)
    followed = follow_errors(fewer, seed)
    pairs = record_pairs(fewer, find_cases(fewer))
    yield describe_backtracking(fewer, followed, len(run.errors))
    yield describe_tracking(fewer, followed, pairs, seed)
    yield describe_repairs(fewer, pairs, seed)


def _document(
    study: Study, runs: dict[str, Run], contents: Part, parts: dict[str, list[Part]]
) -> Document:
    sections = [Section(CONCLUSIONS, *_concluded(contents, parts)), contents.section]
    for task, found in parts.items():
        if len(parts) == 1:
            sections += [part.section for part in found]
        else:
            name = TASK_NAMES.get(task, task)
            sections.append(Section(name.capitalize(), (), [part.section for part in found]))
    introduction = [
        Text(
            "What does a network that learns from these images get wrong, which pixels of its last"
            " feature maps led it there, what do they show, and what does it say without them?"
            " First comes what the numbers say; below it the numbers, with tables and pictures."
        ),
    ]
    notice = terms_of(study.source).notice
    if notice:
        introduction.append(Text(notice))
    made = (
        f"Made by tinyvgg {tinyvgg.__version__}, profile {study.profile.name}, seed {study.seed}."
    )
    named = " ".join(f"Run {run.folder.name}." for run in runs.values())
    title = f"Report: {study.faces.called}"
    return Document(title, introduction, sections, f"{made} {named}")


def _concluded(contents: Part, parts: dict[str, list[Part]]) -> tuple[list[Text], list[Section]]:
    """Sentences, under a heading for each task where there are several."""
    cautions = [Text(words) for words in (*contents.conclusions, *CAUTIONS)]
    said = {
        task: [Text(words) for part in found for words in part.conclusions]
        for task, found in parts.items()
    }
    if len(said) == 1:
        return [*next(iter(said.values())), *cautions], []
    by_task = [
        Section(TASK_NAMES.get(task, task).capitalize(), words) for task, words in said.items()
    ]
    return [], [*by_task, Section("In general", cautions)]


def _numbers(
    study: Study, runs: dict[str, Run], contents: Part, parts: dict[str, list[Part]]
) -> dict[str, Any]:
    return {
        "kind": KIND,
        "format": FORMAT,
        "tinyvgg": tinyvgg.__version__,
        "profile": study.profile.name,
        "seed": study.seed,
        "faces": study.faces.kind,
        "fingerprint": study.faces.fingerprint,
        "set": dict(contents.numbers),
        "tasks": {
            task: {
                "run": runs[task].folder.name,
                "weights_sha256": runs[task].manifest["sha256"][run_folder.WEIGHTS],
                **{_key(part.title): dict(part.numbers) for part in found},
                "conclusions": [_bare(words) for part in found for words in part.conclusions],
            }
            for task, found in parts.items()
        },
        "cautions": [*contents.conclusions, *CAUTIONS],
    }


def _key(title: str) -> str:
    return title.lower().replace(" ", "_")


def _bare(words: str) -> str:
    return words.replace("**", "")
