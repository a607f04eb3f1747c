"""A site that can be put on the web as it is."""

import shutil
import uuid
from pathlib import Path

from tinyvgg.book.reproduction import Reproduction
from tinyvgg.errors import UserError
from tinyvgg.terms import terms_of

TERMS = "TERMS.txt"
PLAIN = ".nojekyll"
"""Tells a well-known host to serve files as they are."""


def publish(made: Reproduction, target: Path) -> None:
    """Copy the site of a reproduction, whole or not at all, with the terms of its images.

    Whether they allow it is for `tinyvgg.terms.check_publishing` to say.

    Args:
        made: with a site.
        target: a folder that is new or empty.

    Raises:
        UserError: there is no site; the target holds something, or cannot be written.
    """
    built = made.folder / "site" / "_build" / "html"
    if not (built / "index.html").is_file():
        raise UserError(f"there is no site in {str(made.folder)!r} yet: run 'make reproduce'")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"folder {str(target)!r} is not empty; name a new one, or empty it")
    terms = terms_of(made.parameters["faces"])
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        shutil.copytree(built, temporary)
        said = (f"Images: {terms.name}", f"Licence: {terms.licence}", terms.cite, terms.notice)
        (temporary / TERMS).write_text("\n".join(filter(None, said)) + "\n", encoding="utf-8")
        (temporary / PLAIN).touch()
        if target.exists():
            target.rmdir()
        temporary.rename(target)
    except OSError as error:
        raise UserError(
            f"folder {str(target)!r} cannot be written ({error.strerror}); name another"
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
