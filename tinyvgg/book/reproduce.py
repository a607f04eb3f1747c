"""From nothing to the site: faces, training, notebooks, pages. Finished work is not repeated."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from tinyvgg import files, paper
from tinyvgg.book import notebooks, records, site
from tinyvgg.book.claims import claims_page
from tinyvgg.book.notebooks import DEFAULTS
from tinyvgg.book.records import Records, collect, read_notebook
from tinyvgg.chapters import paper_size, statistics, style
from tinyvgg.chapters.bench import write_errors
from tinyvgg.chapters.bench_scripts import ERRORS
from tinyvgg.diagnosis import explain_errors
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import named, tasks_of
from tinyvgg.training import runs
from tinyvgg.training.experiments import Study, load_shipped, open_study
from tinyvgg.training.settings import RECORDED, SHIPPED
from tinyvgg.training.sweeps import Meanwhile, Work, processes, train_all

LAST = "last.json"
AT_A_TIME = 2  # notebooks
RUN_ONLY = ("package_sha256", "fingerprint", "weights_sha256")
"""Facts that a committed notebook does not carry."""
COPIED = (runs.CONFIGURATION, runs.HISTORY, runs.GRADIENTS, runs.TIMINGS)
CARD = "README.md"
OVERVIEW = 8
"""Errors in the README's picture."""


@dataclass(frozen=True)
class Reproduction:
    """A profile, a source of faces and a seed, and the folder where their results are."""

    parameters: Mapping[str, Any]
    folder: Path

    @property
    def executed(self) -> list[Path]:
        """The executed notebooks."""
        return sorted((self.folder / "notebooks").glob("[0-9][0-9]_*.ipynb"))

    @property
    def records(self) -> Records:
        """Everything that its notebooks recorded."""
        return collect(self.executed)

    @property
    def claims(self) -> str:
        """Its claims page."""
        found = self.records
        values = {key: number.value for key, number in found.numbers.items()}
        profile, faces = self.parameters["profile"], named(self.parameters["faces"])
        fingerprint = str(notebooks.facts(self.executed[0]).get("fingerprint"))
        measured = statistics.networks(profile, fingerprint)
        sized = paper_size.record().get("numbers", {}) if faces == RECORDED["faces"] else {}
        return claims_page(values, found.verdicts, measured, profile, faces, sized)

    @property
    def site(self) -> Path:
        """The folder of its site's pages."""
        return self.folder / "site" / "_build" / "html"

    def place(self, source: Path) -> Path:
        """Return where the executed notebook of a source belongs."""
        return self.folder / "notebooks" / f"{source.stem}.ipynb"


def last(root: Path) -> Reproduction:
    """Return the last reproduction that was completed in a folder."""
    made = _noted(root)
    if made is None or not made.executed:
        raise UserError(f"nothing was reproduced in {str(root)!r} yet: run 'make reproduce'")
    return made


def _noted(root: Path) -> Reproduction | None:
    try:
        content = files.plain(root / LAST)
        parameters = {name: content["parameters"][name] for name in DEFAULTS}
        return Reproduction(parameters, root / content["folder"])
    except (KeyError, TypeError):
        return None


def reproduce(
    parameters: Mapping[str, Any], root: Path, fresh: bool = False, noted: bool = True
) -> Reproduction:
    """Render, train and execute every notebook, going on where an earlier call was interrupted.

    `last` keeps pointing at the last complete reproduction: until this one is complete, too, or,
    if it is the same one again, until a notebook of it is no longer current. One that is not to be
    `noted` leaves it alone.
    """
    # the longest first, so that short ones fill both processes to the end
    chapters = sorted(notebooks.sources(), key=lambda path: -path.read_text("utf-8").count("\n"))
    if not chapters:
        raise UserError(f"folder {str(files.project() / 'notebooks')!r} has no notebooks")
    made = Reproduction(parameters, root / notebooks.slug(parameters))
    facts = {"package_sha256": notebooks.package_digest(results=True)}
    facts |= prepare(parameters, training=False)
    before, tasks = _noted(root), tasks_of(parameters["faces"])
    needed = {source: notebooks.needs(source, tasks) for source in chapters}

    def left(weights: Mapping[str, str]) -> list[Work]:
        """Return the work on the outdated notebooks that need just these networks."""
        about = {**facts, "weights_sha256": dict(weights)}
        asked = [source for source, some in needed.items() if some == tuple(weights)]
        found = [source for source in asked if not is_current(source, made, about)]
        if found and (before is None or before.folder == made.folder):
            (root / LAST).unlink(missing_ok=True)
        return [partial(execute, source, made, about) for source in found]

    for source in chapters if fresh else ():
        made.place(source).unlink(missing_ok=True)
    weights = prepare(parameters, meanwhile=left)["weights_sha256"]
    parts = [{task: weights[task] for task in some} for some in dict.fromkeys(needed.values())]
    if waiting := [work for part in parts for work in left(part)]:
        _execute_all(waiting, len(chapters))
    for path in (made.folder / "notebooks").glob("*.ipynb"):  # an interruption leaves some
        if path.stem not in {source.stem for source in chapters}:
            path.unlink()
    if noted or before == made:
        files.write_json(root / LAST, {"folder": made.folder.name, "parameters": dict(parameters)})
    return made


def prepare(
    parameters: Mapping[str, Any], training: bool = True, meanwhile: Meanwhile = lambda weights: ()
) -> dict[str, Any]:
    """Render or decode the faces, train the networks (`train_all`), and return their hashes."""
    study = open_study(**parameters)
    if not training:
        return {"fingerprint": study.faces.fingerprint}
    train_all(study, meanwhile)
    weights = {task: study.run(task).weights_hash for task in study.tasks}
    return {"fingerprint": study.faces.fingerprint, "weights_sha256": weights}


def is_current(source: Path, made: Reproduction, facts: Mapping[str, Any]) -> bool:
    """Whether a notebook's result is there, made by the same code of the same faces."""
    expected = {"source_sha256": notebooks.source_digest(source), **made.parameters, **facts}
    return notebooks.facts(made.place(source)) == expected


def _execute_all(waiting: Sequence[Work], chapters: int) -> None:
    """Execute notebooks side by side; after a failure those that run already are completed."""
    done = chapters - len(waiting)
    with (
        tqdm(total=chapters, initial=done, unit="notebook", desc="notebooks") as bar,
        processes(min(AT_A_TIME, len(waiting))) as pool,
    ):
        futures = [pool.submit(work) for work in waiting]
        try:
            for future in as_completed(futures):
                future.result()
                bar.update()
        except BrokenExecutor:
            raise UserError("a notebook was killed; run one at a time: tinyvgg notebook") from None
        except Exception:
            pool.shutdown(cancel_futures=True)
            raise


def execute(source: Path, made: Reproduction, facts: Mapping[str, Any]) -> None:
    """Execute one notebook of a reproduction."""
    target = made.place(source)
    target.unlink(missing_ok=True)
    converted = notebooks.convert(source, made.folder / "converted")
    notebooks.execute(source, converted, target, made.parameters, facts)


def check_recording(parameters: Mapping[str, Any]) -> None:
    """Refuse to record another study than the one whose networks ship."""
    for name, usual in RECORDED.items():
        if parameters[name] != usual:
            raise UserError(
                f"{name} {parameters[name]!r} is not recorded: what is committed is of {name}"
                f" {usual}; run 'make reproduce' with the defaults"
            )


def ship(study: Study, anew: bool = False) -> list[Path]:
    """Round the trained networks of a study to 16 bits, and write them to where they ship.

    A network that ships already for the same experiment stays as it is, byte for byte, unless
    networks are to be shipped `anew`: it would be another one on each machine that trains it.
    """
    for task in study.tasks:
        run, folder = study.run(task), runs.shipped(task)
        ships = runs.is_complete(folder) and runs.read_manifest(folder)["name"] == run.name
        if anew or not ships:
            files.write_folder_whole(folder, partial(_write_rounded, run))
    shipped = [load_shipped(study.experiment(task), study.faces) for task in study.tasks]
    template = site.TEMPLATES.get_template("networks.md.j2")
    files.write_text(runs.shipped(CARD), template.render(runs=shipped, names=paper.TASK_NAMES))
    write_errors(shipped)
    return [*map(runs.shipped, (CARD, ERRORS)), *(run.folder for run in shipped)]


def _write_rounded(run: runs.Run, folder: Path) -> None:
    """Write a run with rounded weights, and its errors with these, into an empty folder."""
    weights = {name: each.half() for name, each in load_file(run.folder / runs.WEIGHTS).items()}
    writers: dict[str, Callable[[Path], object]]
    writers = {name: partial(shutil.copyfile, run.folder / name) for name in COPIED}
    writers[runs.WEIGHTS] = lambda to: save_file(weights, to)
    facts = {name: value for name, value in run.manifest.items() if name not in ("bytes", "sha256")}
    facts |= {"name": run.name, "rounded": "float16", "errors_before_rounding": len(run.errors)}
    runs.write(folder, writers, facts)
    rounded = load_shipped(run.experiment, run.faces, folder)
    facts |= {"errors": len(rounded.errors), "accuracy": rounded.accuracy}
    runs.write(folder, writers, facts)


def draw_overview(study: Study) -> Path:
    """Draw errors of the last task, those that the fewest cells repair: the README's picture."""
    run, path = study.run(study.tasks[-1]), files.project() / "book" / "_static" / "overview.png"
    images = run.tensor(run.split.test[run.errors])
    batch = images, torch.from_numpy(run.labels[run.errors])
    found = explain_errors(run.model, [batch], run.classes, progress=False)
    cells = found.table["cells"].where(found.table["repaired"]).to_numpy(float)
    with style.styled():  # which can be read on light and on dark pages
        shown = found.show(cells.argsort(kind="stable")[:OVERVIEW].tolist())
        shown.savefig(path, dpi=150, metadata={"Software": None})
    return path


def record(made: Reproduction) -> list[Path]:
    """Copy a reproduction's notebooks, claims page and numbers into what is committed."""
    check_recording(made.parameters)
    if made.parameters["networks"] != SHIPPED:
        raise UserError("only what is executed with networks=shipped is recorded")
    chapters = {}
    for path in made.executed:
        chapters[path.name] = notebook = read_notebook(path)
        for fact in RUN_ONLY:
            notebook.metadata["tinyvgg"].pop(fact, None)
        notebooks.refuse_private(notebook, path.stem)
    found, page = made.records, made.claims
    folder = site.pages() / "notebooks"
    for name, notebook in chapters.items():
        notebooks.write_notebook(notebook, folder / name)
    for path in folder.glob("*.ipynb"):
        if path.name not in chapters:
            path.unlink()
    files.write_text(site.pages() / "claims.md", page)
    fingerprint = notebooks.facts(made.executed[0])["fingerprint"]
    results = records.results_path(made.parameters)
    files.write_json(results, records.as_results(made.parameters, fingerprint, found))
    return [folder, site.pages() / "claims.md", results]


def build_site(made: Reproduction) -> Path:
    """Build a site of a reproduction beside its notebooks, and return its first page."""
    found, book = made.records, made.folder / "book"
    profile, faces = made.parameters["profile"], made.parameters["faces"]
    site.copy_pages(book, made.executed)
    site.sign(book, profile, faces, {**made.parameters, "progress": False})
    site.fit(book, found.glued, records.headlines(found.numbers), profile, faces)
    (book / "claims.md").write_text(made.claims, encoding="utf-8")
    return site.build(book, made.folder / "site", strict=False)
