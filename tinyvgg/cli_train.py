"""``tinyvgg train``: one network, trained or loaded, alone or in the processes of torchrun."""

import argparse
from pathlib import Path
from typing import Any

from tinyvgg.columns import counted
from tinyvgg.errors import UserError, need
from tinyvgg.faces.sources import DEFAULTS, check_device, check_study, check_task, parse
from tinyvgg.training import loop as launch
from tinyvgg.training.settings import parse_setting


def add_options(parser: argparse.ArgumentParser) -> None:
    """What can be asked for besides profile, faces and seed."""
    parser.add_argument("--task", help="subject or emotion; class of a folder")
    add_settings(parser)
    parser.add_argument("--device", help="cuda, mps or cpu (default: the best there is)")
    parser.add_argument("--tensorboard", type=Path, metavar="FOLDER", help="write curves below it")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Where a training departs from its profile."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what to do otherwise than the profile, such as optimiser=adam; may be repeated",
    )


def run(given: argparse.Namespace) -> int:
    """Train or load, and say how good the network is and where it lies."""
    pairs = [(name, getattr(given, name)) for name in DEFAULTS]
    study = parse(pairs, DEFAULTS, "tinyvgg train")
    check_study(**study)
    task = check_task(given.task, study["faces"])
    settings = parse_settings(given.set)
    device = check_device(given.device)
    board = _board(given.tensorboard)
    from tinyvgg.training.experiments import open_study
    from tinyvgg.training.watching import TensorBoard

    first = launch.rank() == 0
    opened = open_study(**study, progress=first, settings=settings)
    watchers = []
    if board and first:
        watchers.append(TensorBoard(board / opened.experiment(task).name))
    trained = opened.run(task, device=device, watchers=watchers)
    if first:
        errors, tested = len(trained.errors), len(trained.labels)
        print(
            f"{task}: accuracy {trained.accuracy:.2%}, {errors} of {tested} wrong; {trained.folder}"
        )
        left_out = len(trained.faces.left_out)
        if left_out:
            print(f"{counted(left_out, 'file')} left out; 'tinyvgg faces sheets' says why")
    return 0


def parse_settings(given: list[str]) -> dict[str, Any]:
    """Settings of one training, as typed.

    Raises:
        UserError: one that does not exist, a value it cannot have, or several values.
    """
    settings: dict[str, Any] = {}
    for text in given:
        name, values = parse_setting(text)
        if len(values) > 1 or name in settings:
            raise UserError(f"setting {text!r} is one of several values; a training takes one")
        settings[name] = values[0]
    return settings


def _board(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    need("tensorboard", "tensorboard")
    place = folder.expanduser().resolve()
    if place.exists() and not place.is_dir():
        raise UserError(f"tensorboard {str(folder)!r} is not a folder; name one, or a new one")
    return place
