"""A folder of explanations: pictures, a page, and what scripts read."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor

import tinyvgg
from tinyvgg import paths, run_folder
from tinyvgg.documents import render
from tinyvgg.errors import UserError
from tinyvgg.explaining.explanation import Explained, Explanation, Repaired
from tinyvgg.explaining.page import Pngs, document, draw

FORMAT = 1
MANIFEST = "explanation.json"
PAGE = "explanation.html"
_KIND = "tinyvgg explanation"


def save(explained: Explained, folder: Path) -> Path:
    """Write pictures, page and JSON into a folder, whole or not at all.

    Args:
        explained: of `explain_images`.
        folder: new, empty, or of an earlier explanation, which is replaced.

    Returns:
        The path of the page.

    Raises:
        UserError: a folder that holds something else, or that cannot be written.
    """
    folder = folder.expanduser().resolve()
    check_folder(folder)
    drawn = [draw(one, explained.network.classes) for one in explained.explanations]
    try:
        paths.write_folder_whole(folder, lambda into: _write(explained, drawn, into))
    except OSError as error:
        raise UserError(
            f"folder {str(folder)!r} cannot be written ({error.strerror}); name another"
        ) from None
    return folder / PAGE


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds anything but an explanation.

    Raises:
        UserError: it does, or is no folder.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"output {str(folder)!r} is a file; name a folder that is new or empty")
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if there and not there <= _files_of(folder):
        raise UserError(
            f"output folder {str(folder)!r} holds something else; name one that is new or empty"
        )


def _files_of(folder: Path) -> set[str]:
    """The files of an explanation that is there; none where there is none."""
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
        return {MANIFEST, *found["files"]} if found["kind"] == _KIND else set()
    except (OSError, ValueError, LookupError, TypeError):
        return set()


def _write(explained: Explained, drawn: Sequence[Pngs], folder: Path) -> None:
    names = _names(explained)
    for name, pngs in zip(names, drawn, strict=True):
        (folder / name).mkdir()
        for kind, png in pngs.items():
            (folder / name / f"{kind}.png").write_bytes(png)
    (folder / PAGE).write_text(render(document(explained, drawn)), "utf-8")
    content = _plain(explained, names, drawn)
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, "utf-8")


def _names(explained: Explained) -> list[str]:
    """A folder for each image: its place, and what its name leaves of plain letters."""
    digits = len(str(len(explained.explanations)))
    return [
        f"{place:0{digits}}_{_safe(one.path.stem)}"
        for place, one in enumerate(explained.explanations, 1)
    ]


def _safe(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^\w-]+", "_", plain).strip("_")[:40] or "image"


def _plain(explained: Explained, names: Sequence[str], drawn: Sequence[Pngs]) -> dict[str, Any]:
    """Everything as plain data."""
    network = explained.network
    pictures = [
        {kind: f"{name}/{kind}.png" for kind in pngs}
        for name, pngs in zip(names, drawn, strict=True)
    ]
    return {
        "kind": _KIND,
        "format": FORMAT,
        "tinyvgg": tinyvgg.__version__,
        "torch": version("torch"),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": network.name,
        "weights_sha256": network.weights_hash,
        "rule": repr(explained.rule),
        "task": network.task,
        "size": network.size,
        "classes": list(network.classes),
        "maps": list(explained.explanations[0].maps.shape),
        "images": [
            _image(one, network.classes, files)
            for one, files in zip(explained.explanations, pictures, strict=True)
        ],
        "unreadable": [
            {"path": str(one.path), "reason": one.reason} for one in explained.unreadable
        ],
        "files": [PAGE, *(file for files in pictures for file in files.values())],
    }


def _image(
    explanation: Explanation, classes: tuple[str, ...], files: Mapping[str, str]
) -> dict[str, Any]:
    given, path = explanation.true_class, explanation.path
    return {
        "path": str(path),
        "sha256": run_folder.sha256(path) if path.is_file() else None,
        "predicted": classes[explanation.predicted],
        "target": classes[explanation.target],
        "true": None if given is None else classes[given],
        "logits": explanation.logits.tolist(),
        "probabilities": explanation.probabilities.tolist(),
        "pixels": _set(explanation.pixels),
        "active_pixels": explanation.active,
        "without_pixels": _outcome(explanation.without, classes),
        "repair": None if explanation.repaired is None else _repair(explanation.repaired, classes),
        "pictures": dict(files),
    }


def _repair(repaired: Repaired, classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "found": repaired.found,
        "minimal": repaired.minimal,
        "pixels": _set(repaired.pixels),
        "without_pixels": _outcome(repaired.without, classes),
    }


def _set(pixels: Bool[Tensor, "c h w"]) -> dict[str, Any]:
    """A set by the flat indices of its elements in (maps, height, width), and by map."""
    counts = pixels.flatten(1).sum(1)
    return {
        "count": int(counts.sum()),
        "by_map": counts.tolist(),
        "indices": pixels.flatten().nonzero().flatten().tolist(),
    }


def _outcome(probabilities: Float[Tensor, "k"], classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "predicted": classes[int(probabilities.argmax())],
        "probabilities": probabilities.tolist(),
    }
