"""``tinyvgg runs list | show | diff | prune``: the runs that are there."""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from tinyvgg.cli_commands import add_command
from tinyvgg.errors import UserError, need


def add_commands(parser: argparse.ArgumentParser) -> None:
    """What can be done with runs; without any of it they are listed."""
    parser.add_argument("--json", action="store_true", help="as JSON, for scripts")
    commands = parser.add_subparsers(metavar="COMMAND")

    command = add_command(commands, "list", list_runs, "all runs, the newest first")
    command.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="as JSON, for scripts"
    )

    command = add_command(commands, "show", _show, "all that is known of one run")
    command.add_argument("name", help="its name, or any part that no other run has")

    command = add_command(commands, "diff", _diff, "what differs between two runs")
    command.add_argument("first", help="name or part of it")
    command.add_argument("second", help="name or part of it")

    command = add_command(commands, "prune", _prune, "say which runs would go, or remove them")
    command.add_argument("names", nargs="*", metavar="name", help="name or part of it")
    command.add_argument("--interrupted", action="store_true", help="those without an end")
    command.add_argument("--damaged", action="store_true", help="those that cannot be read")
    command.add_argument("--older", metavar="DAYS", help="those at least so old")
    command.add_argument("--task", help="those that tell this")
    command.add_argument("--keep", metavar="N", help="all but N of each task, source and profile")
    command.add_argument("--yes", action="store_true", help="do remove them")


def list_runs(given: argparse.Namespace) -> int:
    """Print all runs."""
    need("faces", "filelock", "scipy")
    from tinyvgg import run_text
    from tinyvgg.training import runs as registry

    found = registry.entries()
    if given.json:
        print(json.dumps([entry.plain for entry in found], indent=1))
    else:
        print(run_text.listed(found))
    return 0


def _show(given: argparse.Namespace) -> int:
    need("faces", "filelock", "scipy")
    from tinyvgg import run_text
    from tinyvgg.training import runs as registry

    folder = registry.find(given.name).folder
    print(run_text.shown(registry.describe(folder, hashes=True)))
    return 0


def _diff(given: argparse.Namespace) -> int:
    need("faces", "filelock", "scipy")
    from tinyvgg.training import runs as registry

    known = registry.entries()
    first, second = (
        registry.describe(registry.find(name, known).folder, hashes=True)
        for name in (given.first, given.second)
    )
    from tinyvgg import comparison, run_text

    found = comparison.compare(first, second)
    apart = comparison.weights_apart(first, second) if found else None
    differing = comparison.differing(first, second)
    print(run_text.side_by_side(first, second, differing, found, apart))
    return 0


def _prune(given: argparse.Namespace) -> int:
    need("faces", "filelock", "scipy")
    from tinyvgg import pruning
    from tinyvgg.training import runs as registry

    states = [registry.INTERRUPTED] * given.interrupted + [registry.DAMAGED] * given.damaged
    selection = pruning.Selection(
        names=tuple(given.names),
        states=tuple(states),
        older=_number("older", given.older, float),
        task=given.task,
        keep=_number("keep", given.keep, int),
    )
    if selection.empty:
        raise UserError(
            "nothing says which runs: give names, --interrupted, --damaged, --older DAYS,"
            " --task TASK or --keep N"
        )
    known = registry.entries(hashes=given.damaged)
    chosen = pruning.select(known, selection, time.time())
    return _remove(chosen) if given.yes else _preview(chosen)


def _preview(chosen: list[Any]) -> int:
    from tinyvgg import pruning, run_text

    if chosen:
        print(f"{run_text.listed(chosen)}\nNothing is removed yet: --yes removes them.")
    else:
        print("no run is like that")
    if pruning.leftovers():
        print("A removal was interrupted: --yes completes it.")
    return 0


def _remove(chosen: list[Any]) -> int:
    from tinyvgg import pruning
    from tinyvgg.columns import counted, megabytes

    removed = []
    for entry in chosen:
        if pruning.remove(entry):
            removed.append(entry)
        else:
            print(f"kept: {entry.name}, which another process trains or has completed")
    pruning.sweep()
    size = megabytes(sum(entry.size for entry in removed))
    print(f"removed: {counted(len(removed), 'run')}, {size}")
    return 0


def _number(name: str, text: str | None, kind: Callable[[str], Any]) -> Any:
    """A number from 0 on that was typed."""
    if text is None:
        return None
    try:
        number = kind(text)
    except ValueError:
        number = -1
    if not number >= 0:
        whole = "whole " if kind is int else ""
        raise UserError(f"{name} {text!r} is not a {whole}number from 0 on")
    return number
