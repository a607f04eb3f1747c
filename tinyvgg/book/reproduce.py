"""From nothing to the site: faces, training, notebooks, pages. What is done is not done twice."""

import html
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tqdm import tqdm

from tinyvgg import files as paths
from tinyvgg import paper
from tinyvgg.book import notebooks, site
from tinyvgg.book import notebooks as sources
from tinyvgg.book.claims import claims_page
from tinyvgg.chapters.verdicts import Number, Records
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import DEFAULTS, named, parse_source, terms_of
from tinyvgg.files import write_folder_whole
from tinyvgg.training.experiments import open_study

if TYPE_CHECKING:
    from tinyvgg.chapters.verdicts import Records

LAST = "last.json"


@dataclass(frozen=True)
class Reproduction:
    """A profile, a source of faces and a seed, and the folder where their results are."""

    parameters: Mapping[str, Any]
    folder: Path

    @property
    def executed(self) -> list[Path]:
        """The executed notebooks."""
        return sorted((self.folder / "notebooks").glob("[0-9][0-9]_*.ipynb"))

    def place(self, source: Path) -> Path:
        """Where the executed notebook of a source belongs."""
        return self.folder / "notebooks" / f"{source.stem}.ipynb"

    @property
    def records(self) -> "Records":
        """Everything that its notebooks recorded."""
        from tinyvgg.chapters.verdicts import collect

        return collect(self.executed)


def last(root: Path) -> Reproduction:
    """The last reproduction that was completed in a folder.

    Raises:
        UserError: there is none, or its notebooks are gone.
    """
    made = noted(root)
    if made is None or not made.executed:
        raise UserError(f"nothing was reproduced in {str(root)!r} yet: run 'make reproduce'")
    return made


def noted(root: Path) -> Reproduction | None:
    """What the note on the last reproduction says; None where it is missing or damaged."""
    try:
        content = json.loads((root / LAST).read_text("utf-8"))
        parameters = {name: content["parameters"][name] for name in DEFAULTS}
        return Reproduction(parameters, root / content["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


TERMS = "TERMS.txt"
TEXTS = (".html", ".ipynb", ".js", ".json", ".md", ".txt")
PLAIN = ".nojekyll"
"""Tells a well-known host to serve files as they are."""


def publish(made: Reproduction, target: Path) -> None:
    """Copy the site of a reproduction, whole or not at all, with the terms of its images.

    Whether they allow it is for `tinyvgg.faces.sources.check_publishing` to say. Pages name the
    folder of photographs, and do not tell where on this machine it lies.

    Args:
        made: with a site.
        target: a folder that is new or empty.

    Raises:
        UserError: there is no site; the target holds something, or cannot be written.
    """
    built = made.folder / "site" / "_build" / "html"
    if not (built / "index.html").is_file():
        raise UserError(f"there is no site in {str(made.folder)!r} yet: run 'make reproduce'")
    _check_target(target, built)
    try:
        write_folder_whole(target, lambda to: _copy(built, to, made.parameters["faces"]))
    except OSError as error:
        raise UserError(
            f"folder {str(target)!r} cannot be written ({error.strerror}); name another"
        ) from None


def _copy(built: Path, target: Path, faces: str) -> None:
    """The pages, what may be done with their images, and a word to the host."""
    terms = terms_of(faces)
    shutil.copytree(built, target, dirs_exist_ok=True)
    _forget_place(target, faces)
    said = (f"Images: {terms.name}", f"Licence: {terms.licence}", terms.cite, terms.notice)
    (target / TERMS).write_text("\n".join(filter(None, said)) + "\n", encoding="utf-8")
    (target / PLAIN).touch()


def _forget_place(site: Path, faces: str) -> None:
    """Let the texts of a site call a folder of photographs by its name alone."""
    source = parse_source(faces)
    if source.is_synthetic:
        return
    place, name = f"{source.kind}:{source.path}", f"{source.kind}:{source.path.name}"
    spelled = {spell(place): spell(name) for spell in (str, html.escape, _in_json)}
    for path in site.rglob("*"):
        if path.suffix in TEXTS:
            text = before = path.read_text("utf-8", "surrogateescape")
            for there, instead in spelled.items():
                text = text.replace(there, instead)
            if text != before:
                path.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _check_target(target: Path, built: Path) -> None:
    """Refuse a folder that holds something, is part of what is copied, or cannot be looked at."""
    try:
        taken = target.exists() and (not target.is_dir() or any(target.iterdir()))
        inside = target.resolve().is_relative_to(built.resolve())
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"folder {str(target)!r} cannot be written ({reason}); name another"
        ) from None
    if taken:
        raise UserError(f"folder {str(target)!r} is not empty; name a new one, or empty it")
    if inside:
        raise UserError(f"folder {str(target)!r} lies in the site that is copied; name another")


class Headline(NamedTuple):
    """A quantity of the table: its claim, our name, the paper's name, and what is counted."""

    claim: str
    ours: str
    papers: str
    of: str = ""


COLUMNS = ["quantity", "paper", "ours"]
SETS = ("unique", "common", "random", "contrast")
PAIRS = "pairs shown"
HEADLINES = (
    Headline("t2", "accuracy", "accuracy"),
    Headline("t2", "errors", "errors"),
    Headline("b1", "pixels_literal", "pixels"),
    Headline("b1", "pixels_cutoff", "pixels"),
    Headline("s3", "cases", "cases"),
    Headline("s3", "repaired_common", "repaired_common"),
    Headline("s3", "repaired_unique", "repaired_unique"),
    Headline("s3", "repaired_random", "repaired_random"),
    Headline("s4", "cases", "cases"),
    *(Headline("s4", f"repaired_{name}", f"repaired_{name}", PAIRS) for name in SETS),
    Headline("s4", "all_cases", "all_cases"),
    *(Headline("s4", f"all_repaired_{name}", f"all_repaired_{name}") for name in SETS),
)


@dataclass(frozen=True)
class Difference:
    """One quantity of a fresh run beside the committed one."""

    key: str
    committed: str
    fresh: str
    tolerance: str
    within: bool


def paper_beside_ours(numbers: Mapping[str, Number]) -> str:
    """The headline numbers as a table of text; those that were not recorded are left out."""
    return table(COLUMNS, _headlines(numbers))


def what_came_out(numbers: Mapping[str, Number], profile: str, faces: str) -> str:
    """The headline numbers for a page whose own sentences ask for numbers that a run lacks.

    Args:
        numbers: that the run recorded.
        profile: of the run.
        faces: of the run, as pages call them.
    """
    lines = [COLUMNS, ["---", "---:", "---:"], *_headlines(numbers)]
    shown = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"""\
The book tells here what came out for identity and for emotion on the synthetic faces. These pages
were made with the profile `{profile}` from the faces `{faces}`, which do not have all of those
numbers. The table has the ones that they have, beside the paper's; what became of each claim is
[on one page](claims.md).

{shown}
"""


def _headlines(numbers: Mapping[str, Number]) -> list[list[str]]:
    return [
        _row(key, line, number)
        for line in HEADLINES
        for key, number in numbers.items()
        if key.startswith(f"{line.claim}.") and key.endswith(f".{line.ours}")
    ]


def differences(committed: Records, fresh: Records) -> list[Difference]:
    """Every recorded number and verdict of either side, in order of the committed ones.

    Verdicts are shown and must be there, but may differ: another machine trains other networks.
    """
    keys = [*committed.numbers, *(key for key in fresh.numbers if key not in committed.numbers)]
    rows = [_difference(key, committed.numbers.get(key), fresh.numbers.get(key)) for key in keys]
    claims = [*committed.verdicts, *(id for id in fresh.verdicts if id not in committed.verdicts)]
    return rows + [_verdict(claim, committed, fresh) for claim in claims]


def comparison(rows: Iterable[Difference]) -> str:
    """Differences as a table of text."""
    cells = [
        [row.key, row.committed, row.fresh, row.tolerance, "ok" if row.within else "OUT"]
        for row in rows
    ]
    return table(["number", "committed", "fresh", "tolerance", ""], cells)


def table(header: list[str], rows: list[list[str]]) -> str:
    """Aligned columns of text: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [_line(row, widths) for row in [header, ["-" * width for width in widths], *rows]]
    return "\n".join(lines)


def _line(cells: list[str], widths: list[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(c.rjust(w) for c, w in others)]).rstrip()


def _row(key: str, line: Headline, number: Number) -> list[str]:
    about, task = paper.describe(key), key.split(".")[1]
    label = ", ".join(filter(None, [about.full_label, line.of]))
    theirs = _papers(f"{line.claim}.{task}.{line.papers}")
    return [label, theirs, paper.show(number.value, about.unit)]


def _papers(key: str) -> str:
    try:
        return paper.quantity(key).text
    except UserError:
        return paper.NOTHING


def _difference(key: str, committed: Number | None, fresh: Number | None) -> Difference:
    within = committed is not None and fresh is not None and committed.agrees(fresh)
    tolerance = f"± {committed.tolerance:g}" if committed and committed.tolerance else "exact"
    return Difference(key, _shown(committed), _shown(fresh), tolerance, within)


def _verdict(claim: str, committed: Records, fresh: Records) -> Difference:
    before, after = (
        side.verdicts[claim].verdict if claim in side.verdicts else paper.NOTHING
        for side in (committed, fresh)
    )
    return Difference(
        f"verdict {claim}", before, after, "may differ", paper.NOTHING not in (before, after)
    )


def _shown(number: Number | None) -> str:
    if number is None:
        return paper.NOTHING
    return f"{number.value:.6g}" if isinstance(number.value, float) else str(number.value)


def reproduce(parameters: Mapping[str, Any], root: Path, fresh: bool = False) -> Reproduction:
    """Render, train and execute every notebook, going on where an earlier call was interrupted.

    `tinyvgg.book.reproduce.last` keeps pointing at the last complete reproduction: until this
    one is complete, too, or, if it is the same one again, until the first of its notebooks is
    executed anew.

    Args:
        parameters: profile, faces and seed, checked.
        root: a folder for each set of parameters is made in it.
        fresh: execute notebooks even where nothing changed since they were.

    Raises:
        UserError: there are no notebooks, or one failed.
    """
    chapters = sources.sources()
    if not chapters:
        raise UserError(
            f"folder {str(sources.sources_folder())!r} has no notebooks named NN_name.py"
        )
    made = Reproduction(parameters, root / notebooks.slug(parameters))
    facts = {"package_sha256": sources.package_digest(), "fingerprint": prepare(parameters)}
    waiting = [source for source in chapters if fresh or not _is_current(source, made, facts)]
    if waiting:
        _forget(made, root)
    done = len(chapters) - len(waiting)
    with tqdm(total=len(chapters), initial=done, unit="notebook", desc="notebooks") as bar:
        for source in waiting:
            bar.set_postfix_str(source.stem)
            _execute(source, made, facts)
            bar.update()
    _forget_others(made, {source.stem for source in chapters})
    write_json(root / LAST, {"folder": made.folder.name, "parameters": dict(parameters)})
    return made


def prepare(parameters: Mapping[str, Any], training: bool = True) -> str:
    """Render or decode the faces and train every network, with progress bars.

    Args:
        parameters: profile, faces and seed.
        training: whether networks are needed, too.

    Returns:
        The faces' fingerprint.
    """
    study = open_study(**parameters)
    fingerprint = study.faces.fingerprint
    for task in study.tasks if training else ():
        study.run(task)
    return fingerprint


def build_site(made: Reproduction) -> Path:
    """Build a site of a reproduction beside its notebooks; returns its first page."""
    records, book = made.records, made.folder / "book"
    profile, faces = made.parameters["profile"], made.parameters["faces"]
    site.copy_pages(book, made.executed)
    site.sign(book, profile, faces)
    site.fit(book, records.glued, what_came_out(records.numbers, profile, named(faces)))
    (book / "claims.md").write_text(claims_of(made.parameters, records), encoding="utf-8")
    return site.build(book, made.folder / "site", strict=False)


def _forget(made: Reproduction, root: Path) -> None:
    """Let `last` no longer point at a reproduction that is about to change."""
    before = noted(root)
    if before is None or before.folder == made.folder:
        (root / LAST).unlink(missing_ok=True)


def _is_current(source: Path, made: Reproduction, facts: Mapping[str, Any]) -> bool:
    expected = {"source_sha256": sources.source_digest(source), **made.parameters, **facts}
    return notebooks.facts(made.place(source)) == expected


def _execute(source: Path, made: Reproduction, facts: Mapping[str, Any]) -> None:
    target = made.place(source)
    target.unlink(missing_ok=True)
    converted = notebooks.convert(source, made.folder / "converted")
    notebooks.execute(source, converted, target, dict(made.parameters), facts, source.stem)


def _forget_others(made: Reproduction, stems: Iterable[str]) -> None:
    for path in made.executed:
        if path.stem not in stems:
            path.unlink()


def claims_of(parameters: Mapping[str, Any], records: Records) -> str:
    """The claims page of a reproduction."""
    values = {key: number.value for key, number in records.numbers.items()}
    profile, faces = parameters["profile"], named(parameters["faces"])
    return claims_page(values, records.verdicts, profile=profile, faces=faces)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, one entry a line, whole or not at all."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """Write text whole or not at all, with the same line ends everywhere."""
    paths.write_whole(path, lambda to: _write_bytes(to, text.encode()))


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)
