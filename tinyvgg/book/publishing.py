"""A site that can be put on the web as it is."""

import html
import json
import shutil
from pathlib import Path

from tinyvgg.book.reproduction import Reproduction
from tinyvgg.errors import UserError
from tinyvgg.paths import write_folder_whole
from tinyvgg.sources import parse_source
from tinyvgg.terms import terms_of

TERMS = "TERMS.txt"
TEXTS = (".html", ".ipynb", ".js", ".json", ".md", ".txt")
PLAIN = ".nojekyll"
"""Tells a well-known host to serve files as they are."""


def publish(made: Reproduction, target: Path) -> None:
    """Copy the site of a reproduction, whole or not at all, with the terms of its images.

    Whether they allow it is for `tinyvgg.terms.check_publishing` to say. Pages name the folder of
    photographs, and do not tell where on this machine it lies.

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
