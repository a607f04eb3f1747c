"""``tinyvgg report``: the whole analysis of a set of images, as one page."""

import argparse
from pathlib import Path

from tinyvgg import files as paths
from tinyvgg.cli_train import add_settings, parse_settings
from tinyvgg.errors import UserError, need
from tinyvgg.faces.sources import DEFAULTS, absolute, check_study, check_task, named, parse

USUAL = {"initialisation": "he"}
"""How networks are trained otherwise than the paper's: small sets seldom leave the plateau else."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What can be asked for besides profile, faces and seed."""
    parser.add_argument("--task", help="report on this alone (default: all that the faces have)")
    add_settings(parser)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE.html", help="default: below build/reports"
    )


def run(given: argparse.Namespace) -> int:
    """Train or load, analyse, and say where the report lies."""
    pairs = [(name, getattr(given, name)) for name in DEFAULTS]
    asked = parse(pairs, DEFAULTS, "tinyvgg report")
    check_study(**asked)
    tasks = None if given.task is None else [check_task(given.task, asked["faces"])]
    settings = {**USUAL, **parse_settings(given.set)}
    page = given.output or _usual(**asked)
    if page.suffix.lower() != ".html":
        raise UserError(f"output {str(page)!r} does not end in .html, such as report.html")
    need("book", "pandas", "matplotlib", "IPython", "nbformat")
    from tinyvgg.analysis.analyse import analyse
    from tinyvgg.analysis.saving import check_place, save
    from tinyvgg.training.experiments import open_study

    check_place(page)
    numbers = save(analyse(open_study(**asked, settings=settings), tasks), page)
    print(f"The numbers: {numbers}")
    print(f"The report: {page}")
    return 0


def _usual(profile: str, faces: str, seed: int) -> Path:
    """A name that tells the faces, the profile and the seed."""
    words = named(absolute(faces)).replace(":", "-")
    plain = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in words)
    return paths.build() / "reports" / f"{plain}-{profile}-seed{seed}.html"
