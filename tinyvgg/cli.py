"""The command line: ``tinyvgg reproduce | record | verify | notebook | train | runs | ...``.

What takes long to import is imported by the commands, once their parameters are known to be good.
"""

import argparse
import errno
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

import tinyvgg
from tinyvgg import cli_explain, cli_faces, cli_report, cli_runs, cli_sweep, cli_train
from tinyvgg import files as paths
from tinyvgg.cli_commands import add_command
from tinyvgg.errors import UserError
from tinyvgg.faces import sources as terms
from tinyvgg.faces.sources import DEFAULTS, SOURCES, check, parse, synthfaces
from tinyvgg.training import loop as launch

BAD_INPUT = 2
OUT_OF_TOLERANCE = 1
INTERRUPTED = 130
REFUSALS = (errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.ENOTDIR)
"""What a system says where a disk is full, or a folder may not be written."""
WAY_OUT = "make room, change its rights, or set TINYVGG_HOME to a folder that can be written"
GRACE = 3.0
"""Seconds that other processes than the first wait before they say what is wrong."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; bad input is one line on stderr and exit status 2."""
    given = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = given.command
    try:
        status = command(given)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever reads what is printed, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UserError, synthfaces.FaceError) as error:
        said, status = f"tinyvgg: {error}", BAD_INPUT
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        where = repr(str(error.filename)) if error.filename else "what is made"
        said = f"tinyvgg: {where} cannot be written or read ({error.strerror}); {WAY_OUT}"
        status = BAD_INPUT
    except KeyboardInterrupt:
        said, status = "interrupted; the same command goes on from here", INTERRUPTED
    # The exception is gone by now, and with it the progress bars that it held open.
    _complain(said, everyone=status == INTERRUPTED)
    return status


def _complain(text: str, everyone: bool = False) -> None:
    """Say it once: if the first process of several says it too, torchrun ends the others.

    Args:
        text: one line.
        everyone: whether the first process is known to say it.
    """
    if launch.rank():
        time.sleep(GRACE)
        if everyone:
            return
    print(text, file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """Complains in one line, like everything else here."""

    def error(self, message: str) -> NoReturn:
        _complain(f"{self.prog}: {message}; see '{self.prog} --help'")
        self.exit(BAD_INPUT)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="tinyvgg", description=tinyvgg.__doc__)
    parser.add_argument("--version", action="version", version=f"tinyvgg {tinyvgg.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add = partial(add_command, commands)

    command = add("reproduce", _reproduce, "faces, training, all notebooks, the site")
    _add_parameters(command)
    command.add_argument("--into", type=Path, help="folder (default: build/reproduce)")
    command.add_argument("--fresh", action="store_true", help="execute unchanged notebooks too")
    command.add_argument("--no-site", action="store_true", help="build no site")

    command = add("record", _record, "take the last reproduction over into the book")
    command.add_argument("--into", type=Path, help="folder it was made in")

    command = add("verify", _verify, "compare the last reproduction with the book")
    command.add_argument("--into", type=Path, help="folder it was made in")

    command = add("publish", _publish, "a copy of the last site, to be put on the web")
    command.add_argument("folder", type=Path, help="new or empty; takes the site")
    command.add_argument("--into", type=Path, help="folder that the reproduction was made in")
    command.add_argument(
        "--confirm", action="store_true", help="the images may be published: I have the right to"
    )

    command = add("notebook", _notebook, "convert and run one notebook")
    command.add_argument("name", help="its number or name, such as 04 or 04_backtracking")
    command.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    command.add_argument("-o", "--output", type=Path, help="path of the executed notebook")

    command = add("train", cli_train.run, "train one network, or load it if it is there")
    _add_parameters(command)
    cli_train.add_options(command)

    command = add("runs", cli_runs.list_runs, "list, show, compare or remove runs")
    cli_runs.add_commands(command)

    command = add("explain", cli_explain.run, "what a run sees in images, and why")
    cli_explain.add_options(command)

    command = add("faces", cli_faces.run, "render the synthetic faces, or one of them")
    cli_faces.add_options(command)

    command = add("notebooks", _notebooks, "convert all notebooks, run none")
    command.add_argument("--into", type=Path, help="folder (default: build/notebooks)")

    command = add("site", _site, "build the committed book, warnings are errors")
    command.add_argument("--into", type=Path, help="folder (default: build/site)")

    command = add("report", cli_report.run, "analyse a whole set, as one page")
    _add_parameters(command)
    cli_report.add_options(command)

    command = add("sweep", cli_sweep.run, "train and explain over seeds and settings")
    _add_source(command)
    cli_sweep.add_options(command)
    return parser


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    _add_source(parser)
    parser.add_argument("--seed", default=str(DEFAULTS["seed"]), help="a whole number")


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", default=DEFAULTS["profile"], help="smoke, quick or paper")
    parser.add_argument("--faces", default=DEFAULTS["faces"], help=f"one of {', '.join(SOURCES)}")


def _root(given: argparse.Namespace) -> Path:
    chosen: Path | None = given.into
    return paths.build() / "reproduce" if chosen is None else chosen.expanduser().resolve()


def _reproduce(given: argparse.Namespace) -> int:
    pairs = [(name, getattr(given, name)) for name in DEFAULTS]
    parameters = check(parse(pairs, DEFAULTS, "tinyvgg reproduce"))
    from tinyvgg.book import notebooks, reproduce
    from tinyvgg.book import reproduce as report

    made = reproduce.reproduce(parameters, _root(given), given.fresh)
    if not given.no_site:
        print(f"building the site in {notebooks.shown(made.folder / 'site')}", flush=True)
        page = reproduce.build_site(made)
        print(f"\nThe site: {notebooks.shown(page)}\n")
    print(report.paper_beside_ours(made.records.numbers))
    return 0


def _record(given: argparse.Namespace) -> int:
    from tinyvgg.book import reproduce as reproduction

    made = reproduction.last(_root(given))
    from tinyvgg.book import committed, notebooks

    for path in committed.record(made):
        print(f"written: {notebooks.shown(path)}")
    return 0


def _publish(given: argparse.Namespace) -> int:
    from tinyvgg.book import reproduce as reproduction

    made = reproduction.last(_root(given))
    terms.check_publishing(made.parameters["faces"], given.confirm)
    from tinyvgg.book import reproduce as publishing

    target = given.folder.expanduser()
    publishing.publish(made, target)
    print(f"The site, to be put on the web: {target}")
    return 0


def _verify(given: argparse.Namespace) -> int:
    from tinyvgg.book import reproduce as reproduction

    made = reproduction.last(_root(given))
    from tinyvgg.book import committed
    from tinyvgg.book import reproduce as report

    rows = committed.verify(made)
    print(report.comparison(rows))
    out = [row.key for row in rows if not row.within]
    print(f"\n{len(rows) - len(out)} of {len(rows)} are within their tolerance")
    return OUT_OF_TOLERANCE if out else 0


def _notebook(given: argparse.Namespace) -> int:
    from tinyvgg.book import notebooks as sources

    source = sources.find(given.name)
    checked = check(sources.typed_parameters(source, [(name, value) for name, value in given.p]))
    from tinyvgg.book import notebooks, reproduce

    reproduce.prepare(checked, training=sources.trains(source))
    target = given.output or notebooks.executed_path(source, checked)
    converted = notebooks.convert(source, notebooks.folder())
    notebooks.execute(source, converted, target, checked, progress=source.stem)
    print(f"The executed notebook: {notebooks.shown(target)}")
    return 0


def _notebooks(given: argparse.Namespace) -> int:
    from tinyvgg.book import notebooks

    for path in notebooks.convert_all(given.into or notebooks.folder()):
        print(notebooks.shown(path))
    return 0


def _site(given: argparse.Namespace) -> int:
    from tinyvgg.book import notebooks, site

    page = site.build(site.pages(), given.into or paths.build() / "site", strict=True)
    print(f"The site: {notebooks.shown(page)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
