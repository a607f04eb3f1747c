"""What is committed of a reproduction: executed notebooks, the claims page, the numbers."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tinyvgg
from tinyvgg import files as paths
from tinyvgg.book import notebooks, site
from tinyvgg.book import reproduce as report
from tinyvgg.book.notebooks import refuse_private, write
from tinyvgg.book.reproduce import Reproduction, claims_of, write_json, write_text
from tinyvgg.chapters.verdicts import Number, Records, Verdict, read_notebook
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import check_committing

SOURCE = "synthetic"
RUN_ONLY = ("package_sha256", "fingerprint")
"""Facts of a run that its committed notebook does not carry."""


def record(made: Reproduction) -> list[Path]:
    """Take a reproduction over into what is committed: notebooks, claims page, numbers.

    Raises:
        UserError: the faces are not the synthetic ones, or a notebook shows something of this
            machine; then nothing is written.
    """
    check_committing(made.parameters["faces"])
    if made.parameters["faces"] != SOURCE:
        raise UserError(
            f"faces {made.parameters['faces']!r} are not recorded: "
            f"what is committed shows {SOURCE} faces only, with their usual knobs"
        )
    chapters = [_committed(path) for path in made.executed]
    records = made.records
    page = claims_of(made.parameters, records)
    folder = site.pages() / "notebooks"
    for path, notebook in zip(made.executed, chapters, strict=True):
        write(notebook, folder / path.name)
    for path in set(folder.glob("*.ipynb")) - {folder / path.name for path in made.executed}:
        path.unlink()
    write_text(site.pages() / "claims.md", page)
    write_json(results(made.parameters), _results(made, records))
    return [folder, site.pages() / "claims.md", results(made.parameters)]


def results(parameters: Mapping[str, Any]) -> Path:
    """The committed record of a profile's numbers."""
    return paths.results() / f"{parameters['profile']}.json"


def read_results(path: Path) -> tuple[dict[str, Any], Records]:
    """Parameters and records of a committed file.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        numbers = {key: Number(**entry) for key, entry in content["numbers"].items()}
        verdicts = {key: Verdict(key, **entry) for key, entry in content["verdicts"].items()}
        return dict(content["provenance"]["parameters"]), Records(numbers, verdicts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"record {str(path)!r} is missing or damaged: run 'make record'") from None


def verify(made: Reproduction) -> list[report.Difference]:
    """A reproduction's numbers beside the committed ones.

    Raises:
        UserError: the committed ones are of other parameters.
    """
    path = results(made.parameters)
    parameters, committed = read_results(path)
    if parameters != dict(made.parameters):
        raise UserError(
            f"the last reproduction is of {_named(made.parameters)}, {path.name} of "
            f"{_named(parameters)}: run 'make reproduce' with these"
        )
    return report.differences(committed, made.records)


def _committed(executed: Path) -> Any:
    notebook = read_notebook(executed)
    for fact in RUN_ONLY:
        notebook.metadata["tinyvgg"].pop(fact, None)
    refuse_private(notebook, executed.stem)
    return notebook


def _results(made: Reproduction, records: Records) -> dict[str, Any]:
    about = notebooks.facts(made.executed[0])
    versions = {name: version(name) for name in ("numpy", "torch")}
    return {
        "provenance": {
            "parameters": dict(made.parameters),
            "faces_fingerprint": about["fingerprint"],
            "tinyvgg": tinyvgg.__version__,
            "versions": versions,
        },
        "numbers": {key: asdict(number) for key, number in records.numbers.items()},
        "verdicts": {
            key: {"verdict": found.verdict, "reason": found.reason}
            for key, found in records.verdicts.items()
        },
    }


def _named(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.items())
