"""The command line: ``tinyvgg reproduce | record | verify | notebook | train | runs | ...``."""

import errno
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import click
from click.core import ParameterSource

import tinyvgg
from tinyvgg import files
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import SOURCES, synthfaces, tasks_of
from tinyvgg.training.settings import PROFILES, rank

RULES = ("literal", "cutoff", "published", "contribution", "contrastive")
TRIALS = ("P2", "P3", "P4", "W1", "size", "causes", "blindness", "patching", "sanity", "negative")
HE = {"initialisation": "he"}  # of reports: from the paper's, small sets seldom leave the plateau

BAD_INPUT = 2
DIFFERENT = SOME_UNREADABLE = JOBS_FAILED = 1
INTERRUPTED = 130
REFUSALS = (  # of a disk that is full, and of a folder that may not be written
    *(errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM),
    *(errno.ENOTDIR, errno.EEXIST),
)
WAY_OUT = "make room, change its rights, or set TINYVGG_HOME to a folder that can be written"
EXTRAS = {"distributed": "dask", "lightning_fabric": "parallel"}
"""The extra of the package that brings a module; all others come with the extra book."""
GRACE = 3.0  # seconds for which all processes but the first wait before they report an error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status; bad input is one line on stderr and status 2."""
    try:
        given = sys.argv[1:] if arguments is None else list(arguments)
        with cli.make_context("tinyvgg", given) as context:
            status = cli.invoke(context)
        sys.stdout.flush()
        return int(status or 0)
    except click.exceptions.Exit as ended:  # of --help and --version
        return ended.exit_code
    except BrokenPipeError:  # the reader of the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "tinyvgg"
        said = " ".join(error.format_message().split()).rstrip(".")
        said, status = f"{path}: {said}; see '{path} --help'", BAD_INPUT
    except (UserError, synthfaces.FaceError) as error:
        said, status = f"tinyvgg: {error}", BAD_INPUT
    except ModuleNotFoundError as error:
        module = str(error.name).partition(".")[0]
        way = f"pip install '.[{EXTRAS.get(module, 'book')}]' in a checkout brings it"
        said, status = f"tinyvgg: {module!r} is not installed: {way}", BAD_INPUT
    except KeyboardInterrupt:
        said, status = "interrupted; the same command goes on from here", INTERRUPTED
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        where = repr(str(error.filename)) if error.filename else "the output"
        said = f"tinyvgg: {where} cannot be written or read ({error.strerror}); {WAY_OUT}"
        status = BAD_INPUT
    # The exception is gone by now, and with it the progress bars that it held open.
    _complain(said, everyone=status == INTERRUPTED)
    return status


def _complain(text: str, everyone: bool) -> None:
    """Print a line once: if the first process of several does so, torchrun ends the others.

    Args:
        text: the line.
        everyone: whether the first process is known to print it, too.
    """
    if rank():
        time.sleep(GRACE)
        if everyone:
            return
    print(text, file=sys.stderr)


@click.group(help=tinyvgg.__doc__, no_args_is_help=False)
@click.version_option(tinyvgg.__version__, message="tinyvgg %(version)s")
def cli() -> None:
    """Run a command."""


Command = Callable[..., Any]
Texts: TypeAlias = Sequence[str]


class _Path(click.Path):
    """A path, in which ``~`` is the user's home."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        """Return the path; a home that nobody has stays as typed."""
        typed = os.path.expanduser(str(value))  # noqa: PTH111
        return Path(str(super().convert(typed, param, ctx)))


FOLDER, SIZE = _Path(), click.IntRange(8, 2048)
_profiles = click.Choice(tuple(PROFILES))
_profile = click.option("--profile", type=_profiles, default="quick", show_default=True)
_faces = click.option("--faces", default="synthetic", help=f"One of {', '.join(SOURCES)}.")
_workers = click.option("--workers", type=click.IntRange(1), help="Processes (default: all cores).")


def _source_options(command: Command) -> Command:
    return _profile(_faces(command))


def _study_options(command: Command) -> Command:
    seed = click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
    return _source_options(seed(command))


def _into(what: str) -> Callable[[Command], Command]:
    return click.option("--into", type=FOLDER, help=f"Folder (default: build/{what}).")


def _set(values: str) -> Callable[[Command], Command]:
    about = "A setting other than the profile's, such as optimiser=adam; may be repeated."
    return click.option("--set", "settings", multiple=True, metavar=f"NAME={values}", help=about)


def _plain(name: str) -> str:
    """Return a name that a file may have everywhere."""
    return re.sub(r"[^\w.-]", "_", name.replace(":", "-"))


def _root(into: Path | None) -> Path:
    return files.build() / "reproduce" if into is None else into.resolve()


# ----------------------------------------------------------------- the book


@cli.command()
@_study_options
@_into("reproduce")
@click.option("--networks", type=click.Choice(["trained", "shipped"]), default="trained")
@click.option("--fresh", is_flag=True, help="Execute unchanged notebooks, too.")
@click.option("--no-site", is_flag=True, help="Build no site.")
def reproduce(into: Path | None, fresh: bool, no_site: bool, **study: Any) -> None:
    """Render the faces, train, run all notebooks, and build the site."""
    from tinyvgg.book import records, reproduce
    from tinyvgg.book.notebooks import check, shown

    made = reproduce.reproduce(check(study), _root(into), fresh)
    if not no_site:
        click.echo(f"building the site in {shown(made.folder / 'site')}")
        click.echo(f"\nThe site: {shown(reproduce.build_site(made))}\n")
    click.echo(records.aligned(records.headlines(made.records.numbers)))


@cli.command()
@_into("reproduce")
@click.option("--anew", is_flag=True, help="Ship the networks just trained in place of others.")
def record(into: Path | None, anew: bool) -> None:
    """Ship the networks of the last reproduction, and renew the book and results from these.

    Networks that ship for the same experiment already stay.
    """
    from tinyvgg.book import notebooks, reproduce
    from tinyvgg.training.experiments import open_study

    root = _root(into)
    asked = dict(reproduce.last(root).parameters)
    reproduce.check_recording(asked)
    written = reproduce.ship(open_study(**{**asked, "networks": "trained"}), anew)
    asked["networks"] = "shipped"
    picture = reproduce.draw_overview(open_study(**asked))
    made = reproduce.reproduce(asked, root, noted=False)
    for path in [*written, picture, *reproduce.record(made)]:
        click.echo(f"written: {notebooks.shown(path)}")


@cli.command()
@_into("reproduce")
@click.option("--exact", is_flag=True, help="Only analyse the shipped networks, and train none.")
def verify(into: Path | None, exact: bool) -> int:
    """Compare the analysis of the shipped networks, and the last trained networks.

    The analysis of the shipped networks has to give what is committed. The networks of the last
    reproduction have to be like those of other seeds (results/seeds.csv).
    """
    from tinyvgg.book import records, reproduce, verify

    made = None if exact else reproduce.last(_root(into))
    known = None if made is None else verify.known_networks(made)  # fails at once if there are none
    levels = [verify.exact()]
    if made is not None and known is not None:
        levels.append(verify.in_distribution(made, known))
    for level in levels:
        if len(level.table):
            click.echo(records.aligned(level.table))
        click.echo(f"{level.line}: {'passed' if level.passed else 'FAILED'}\n")
    return 0 if all(level.passed for level in levels) else DIFFERENT


@cli.command()
@_source_options
@click.option("--seeds", default="0-9", show_default=True, metavar="SEEDS", help="Such as 0,1,2.")
@click.option("--table", type=FOLDER, help="FILE.csv (default: results/seeds.csv, or in build).")
@_workers
def seeds(profile: str, faces: str, seeds: str, table: Path | None, workers: int | None) -> int:
    """Train and analyse the networks of several seeds, and write the table of their numbers."""
    from tinyvgg.book import seeds as book
    from tinyvgg.training.experiments import open_study
    from tinyvgg.training.settings import parse_seeds

    numbers = parse_seeds(seeds)
    path = table.resolve() if table else book.table_path(profile, faces)
    study = open_study(profile, faces)
    return JOBS_FAILED if book.make_table(study, numbers, path, workers) else 0


@cli.command()
@click.argument("name", type=click.Choice(TRIALS))
@_source_options
@_workers
def trial(name: str, profile: str, faces: str, workers: int | None) -> int:
    """Train the networks that a claim takes, and record what they say about it.

    P2: other optimisers. P3: VGG-16 and VGG-19. P4: average pools and an inception module. W1:
    augmentation where features mislead. size: both networks at the size of the paper, for whose
    numbers the notebooks are executed. causes: faces rendered again with one cause changed.
    blindness, patching, sanity, negative: what their chapters show of many networks.
    """
    from tinyvgg.book import notebooks, seeds
    from tinyvgg.chapters import paper_size, trials
    from tinyvgg.training.experiments import open_study

    if name == "size":
        if faces != "synthetic":
            way = "'tinyvgg reproduce --profile paper' takes any"
            raise UserError(f"faces {faces!r} are not the synthetic ones of this record; {way}")
        study, table = open_study("paper", faces), files.build() / "seeds" / "paper.csv"
        if seeds.make_table(study, [study.seed], table, workers):
            return JOBS_FAILED
        path = paper_size.write(study, table)
    else:
        path = trials.make(name, open_study(profile, faces), workers)
    click.echo(f"The record: {notebooks.shown(path)}")
    return 0


@cli.command()
@click.argument("method", metavar="MODULE:FUNCTION")
@_source_options
@click.option("--seeds", default="0-4", show_default=True, metavar="SEEDS", help="Such as 0,1,2.")
def audit(method: str, profile: str, faces: str, seeds: str) -> None:
    """Ask a method of your own which half of a face flipped the answer, part, and pixels.

    The function takes a model, images (n, 3, height, width) and the answers (n), and returns maps
    (n, height, width). What flipped the answer is known: faces are rendered again with one cause
    changed, which takes some seconds an image the first time.
    """
    from tinyvgg.chapters import causes
    from tinyvgg.training.experiments import open_study
    from tinyvgg.training.own_model import imported
    from tinyvgg.training.settings import parse_seeds

    function = imported("method", method)
    study, numbers = open_study(profile, faces), parse_seeds(seeds)
    click.echo(causes.audit(study, numbers, method, function).to_string())


@cli.command()
@click.argument("folder", type=FOLDER)
@_into("reproduce")
@click.option(
    "--confirm", is_flag=True, help="The images may be published: I have the right to do so."
)
def publish(folder: Path, into: Path | None, confirm: bool) -> None:
    """Copy the last site to a new FOLDER, to be put on the web."""
    from tinyvgg.book import reproduce, site
    from tinyvgg.faces.sources import check_publishing

    made = reproduce.last(_root(into))
    check_publishing(made.parameters["faces"], confirm)
    site.publish(made.site, folder, made.parameters["faces"])
    click.echo(f"The site, to be put on the web: {folder}")


@cli.command()
@click.argument("name")
@click.option("-p", "pairs", type=(str, str), multiple=True, metavar="NAME VALUE", help="Parameter")
@click.option("-o", "--output", type=FOLDER, help="Path of the executed notebook.")
def notebook(name: str, pairs: Sequence[tuple[str, str]], output: Path | None) -> None:
    """Convert and run one notebook, by its number or name such as 04_backtracking."""
    from tinyvgg.book import notebooks, reproduce

    source = notebooks.find(name)
    parameters = notebooks.check(notebooks.typed_parameters(source, pairs))
    if output and output.is_dir():
        raise UserError(f"output {str(output)!r} is a folder; name a file")
    needed = notebooks.needs(source, tasks_of(parameters["faces"]))
    reproduce.prepare(parameters, training=bool(needed))
    usual = files.build() / "executed" / notebooks.slug(parameters) / f"{source.stem}.ipynb"
    target = output or usual
    converted = notebooks.convert(source, notebooks.folder(), plain=True)
    notebooks.execute(source, converted, target, parameters, progress=source.stem)
    click.echo(f"The executed notebook: {notebooks.shown(target)}")


@cli.command()
@_into("notebooks")
def notebooks(into: Path | None) -> None:
    """Convert all notebooks, and run none."""
    from tinyvgg.book import notebooks

    for source in notebooks.sources():
        converted = notebooks.convert(source, into or notebooks.folder(), plain=True)
        click.echo(notebooks.shown(converted))


@cli.command()
@_into("site")
def site(into: Path | None) -> None:
    """Build the committed book; warnings are errors."""
    from tinyvgg.book import notebooks, site

    page = site.build(site.pages(), into or files.build() / "site", strict=True)
    click.echo(f"The site: {notebooks.shown(page)}")


# ----------------------------------------------------------------- networks


@cli.command()
@_study_options
@click.option("--task", help="subject or emotion; class of a folder.")
@_set("VALUE")
@click.option("--device", help="cuda, mps or cpu (default: the best there is).")
def train(task: str | None, settings: Texts, device: str | None, **study: Any) -> None:
    """Train one network, or load it if it is there; alone or in the processes of torchrun."""
    from tinyvgg.faces.sources import check_task
    from tinyvgg.training.experiments import open_study

    task, changed = check_task(task, study["faces"]), _settings(settings)
    first = rank() == 0
    opened = open_study(**study, progress=first, settings=changed)
    run = opened.run(task, device=device)
    if first:
        wrong = f"{len(run.errors)} of {len(run.labels)} wrong"
        click.echo(f"{task}: accuracy {run.accuracy:.2%}, {wrong}; ended {run.ended}; {run.folder}")
        if len(run.faces.left_out):
            click.echo(f"files left out: {len(run.faces.left_out)}; 'tinyvgg report' lists them")


def _settings(given: Texts) -> dict[str, Any]:
    """Return the settings of one training, as typed.

    Raises:
        UserError: one that does not exist, a value it cannot have, or several values.
    """
    from tinyvgg.training.settings import parse_settings

    settings = parse_settings(given)
    for name, values in settings.items():
        if len(values) > 1:
            raise UserError(f"setting {name!r} has several values; a training takes one")
    return {name: values[0] for name, values in settings.items()}


@cli.command()
@_source_options
@click.option("--task", default="", metavar="TASK,...", help="Default: all of the faces.")
@click.option("--seeds", default="0", metavar="SEEDS", help="Such as 0,1,2 or 0-4.")
@_set("VALUE,...")
@click.option("--name", default="sweep", show_default=True, help="Name of the table.")
@_into("sweeps")
@click.option("--dry-run", is_flag=True, help="Say how long it will take, and train none.")
@click.option("--workers", type=click.IntRange(1), help="Processes (default: half of the cores).")
@click.option("--scheduler", metavar="ADDRESS", help="Dask cluster instead, tcp://HOST:PORT.")
def sweep(
    name: str, into: Path | None, dry_run: bool, profile: str, faces: str, **asked: Any
) -> int:
    """Train many networks, over seeds and settings."""
    if asked["workers"] and asked["scheduler"]:
        raise click.UsageError("--workers and --scheduler exclude each other")
    workers = asked["workers"] or max(1, synthfaces.cores() // 2)
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise UserError(f"name {name!r} is not letters, digits, '_', '-' and '.'")
    from tinyvgg.training import sweeps
    from tinyvgg.training.experiments import open_study
    from tinyvgg.training.settings import parse_seeds, parse_settings

    seeds, settings = parse_seeds(asked["seeds"]), parse_settings(asked["settings"])
    study = open_study(profile, faces)
    tasks = [part.strip() for part in asked["task"].split(",") if part.strip()]
    jobs = sweeps.plan(study, tasks, seeds, settings)
    if dry_run:
        click.echo(sweeps.forecast(study, jobs, workers))
        return 0
    path = (into or files.build() / "sweeps").resolve() / f"{name}.csv"
    return JOBS_FAILED if sweeps.do_jobs(jobs, path, workers, asked["scheduler"]) else 0


@cli.command()
def runs() -> None:
    """List all runs, the newest first."""
    from tinyvgg.training.runs import listed

    table = listed()
    if table.empty:
        click.echo(f"There are no runs in {files.runs()}: 'tinyvgg train' makes one.")
        return
    shown = {"accuracy": lambda x: f"{x:.2%}", "age": lambda x: f"{x / 3600:.1f} h"}
    click.echo(table.to_string(index=False, na_rep="-", formatters=shown))


def _own_options(command: Command) -> Command:
    """Add the options that put a model of one's own in the place of a run."""
    for name, kind, about in (
        ("--model", str, "A model of your own, PACKAGE.MODULE:FUNCTION."),
        ("--weights", FOLDER, "Its weights: safetensors, or what torch.save wrote."),
        (
            "--classes",
            FOLDER,
            "Names of its outputs, a line each (default: the set's, or numbers).",
        ),
        ("--preprocessing", str, "R,G,B/R,G,B (mean/deviation), or torchvision's weights."),
        ("--size", SIZE, "Side of its images in pixels (default: 224)."),
    ):
        command = click.option(name, type=kind, help=about)(command)
    return command


def _own(asked: dict[str, Any]) -> Any:
    """Return the model of one's own that was asked for; None where none was."""
    from tinyvgg.training.own_model import load_own

    given = {name: asked.pop(name) for name in ("weights", "classes", "preprocessing", "size")}
    model = asked.pop("model")
    if model is None:
        for name, value in given.items():
            if value is not None:
                raise click.UsageError(f"--{name} goes with --model")
        return None
    if given["classes"] is not None:
        try:
            names = given["classes"].read_text("utf-8-sig").split("\n")
        except (OSError, ValueError) as error:
            raise UserError(f"classes {str(given['classes'])!r} cannot be read ({error})") from None
        given["classes"] = [name.strip() for name in names if name.strip()]
    return load_own(model, **given)


@cli.command()
@click.argument("images", nargs=-1, required=True, type=FOLDER, metavar="IMAGE...")
@click.option("--run", help="Name of a run, or any part that no other has.")
@_own_options
@click.option(
    "--rule", type=click.Choice(RULES), help="Default: cutoff, and contrastive with --model."
)
@click.option("--target", metavar="CLASS", help="Class to start from (default: the answer).")
@click.option("--true", "true_class", metavar="CLASS", help="Right answer, to find a repair for.")
@click.option("-o", "--output", type=FOLDER, help="FILE.html (default: build/explained/RUN.html).")
def explain(
    images: Sequence[Path], run: str | None, rule: str | None, output: Path | None, **asked: Any
) -> int:
    """Explain single images: what a run, or a model of your own, sees in them, and why."""
    from tinyvgg.explain import KIND, explain_images, save
    from tinyvgg.training.runs import load_trained

    if (asked["model"] is None) == (run is None):
        raise click.UsageError("name a network, either by --run or by --model")
    network = _own(asked) or load_trained(str(run))
    page = output or files.build() / "explained" / f"{_plain(network.name)}.html"
    files.check_page(page, KIND)
    explained = explain_images(network, images, rule, progress=True, **asked)
    facts = save(explained, page)
    for one in explained.explanations:
        label, chance = one.predicted, float(one.probabilities.max())
        click.echo(f"{one.path}: {network.classes[label]}, probability {chance:.3f}")
    for missed in explained.unreadable:
        click.echo(f"passed over: {missed.reason}", err=True)
    click.echo(f"The numbers: {facts}\nThe page: {page}")
    return SOME_UNREADABLE if explained.unreadable else 0


@cli.command()
@_study_options
@click.option("--task", help="Report on this alone (default: all that the faces have).")
@_set("VALUE")
@_own_options
@click.option("-o", "--output", type=FOLDER, help="FILE.html (default: below build/reports).")
def report(task: str | None, settings: Texts, output: Path | None, **study: Any) -> None:
    """Analyse a whole set of images, as one page with its numbers as JSON beside it.

    A network is trained on them, or a model of your own is asked about them (--model).
    """
    from tinyvgg.book.notebooks import check
    from tinyvgg.book.site import report
    from tinyvgg.explain import explain_set, save
    from tinyvgg.faces.sources import check_task, named

    own, given = _own(study), click.get_current_context().get_parameter_source
    for name in ("profile", "seed", "settings") if own is not None else ():
        if given(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{name} is of trainings, and does not go with --model")
    asked = check(study)
    tasks = [] if task is None else [check_task(task, asked["faces"])]
    about = f"{asked['profile']}-seed{asked['seed']}" if own is None else own.name
    usual = f"{_plain(named(asked['faces']))}-{_plain(about)}.html"
    page = output or files.build() / "reports" / usual
    if own is not None:
        files.check_page(page, files.REPORT)
        found = explain_set(own, asked["faces"], task=task and tasks[0], progress=True)
        numbers = save(found, page)
    else:
        page, numbers = report(page, tasks, {**HE, **_settings(settings)}, **asked)
    click.echo(f"The numbers: {numbers}")
    click.echo(f"The report: {page}")


# ----------------------------------------------------------------- faces


_seed = click.option("--seed", type=click.IntRange(0), default=0, help="Seed of the set.")
_subjects = click.option(
    "--subjects", type=click.IntRange(1, 67), default=67, help="The first N of 67."
)
_difficulty = click.option("--difficulty", multiple=True, help="A knob, such as intensity=0.7.")


def _knobs(given: Texts) -> Any:
    """Return the difficulty with the knobs given here and before the sub-command."""
    outer = click.get_current_context().parent
    before = outer.params.get("difficulty", ()) if outer and outer.info_name == "faces" else ()
    knobs = ",".join([*before, *given])
    return synthfaces.difficulty_of(f"synthetic:{knobs}" if knobs else "synthetic")


@cli.group(invoke_without_command=True)
@click.option("--size", type=SIZE, default=64, show_default=True, help="Side in pixels.")
@_subjects
@_seed
@_workers
@_difficulty
@click.pass_context
def faces(
    context: click.Context,
    size: int,
    subjects: int,
    seed: int,
    workers: int | None,
    difficulty: Texts,
) -> None:
    """Render the synthetic faces that are missing; sub-commands do other work on faces."""
    if context.invoked_subcommand:
        return
    knobs, folder = _knobs(difficulty), files.faces_cache()
    table = synthfaces.design(subjects)
    images = synthfaces.render(table, size, folder, seed, workers, difficulty=knobs)
    where = folder / synthfaces.fingerprint(size, seed, knobs)
    click.echo(f"{len(images)} images of {subjects} subjects, {size} pixels; {where}")


@faces.command()
@click.argument("folder", type=FOLDER)
@_subjects
@_seed
@_difficulty
@_workers
def rafd(folder: Path, difficulty: Texts, **asked: Any) -> None:
    """Write the set as RaFD's FOLDER: names, 681 x 1024 frames, numbers of subjects."""
    table = synthfaces.write_rafd(folder, difficulty=_knobs(difficulty), **asked)
    click.echo(f"{len(table)} synthetic images in the form of RaFD: {folder}")
