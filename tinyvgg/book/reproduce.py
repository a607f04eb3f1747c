"""From nothing to the site: faces, training, notebooks, pages. What is done is not done twice."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tinyvgg import paths
from tinyvgg.book import notebooks, report, site, sources
from tinyvgg.book.records import Records
from tinyvgg.book.reproduction import LAST, Reproduction, noted
from tinyvgg.claims import claims_page
from tinyvgg.errors import UserError
from tinyvgg.experiments import open_study
from tinyvgg.parameters import named


def reproduce(parameters: Mapping[str, Any], root: Path, fresh: bool = False) -> Reproduction:
    """Render, train and execute every notebook, going on where an earlier call was interrupted.

    `tinyvgg.book.reproduction.last` keeps pointing at the last complete reproduction: until this
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
        raise UserError(f"folder {str(sources.folder())!r} has no notebooks named NN_name.py")
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
    site.fit(book, records.glued, report.what_came_out(records.numbers, profile, named(faces)))
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
