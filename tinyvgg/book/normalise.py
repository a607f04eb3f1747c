"""Executed notebooks that are the same, byte for byte, for every run with the same results."""

import copy
import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat

from tinyvgg import files
from tinyvgg.errors import UserError

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_LIMIT = 3_000_000
"""Bytes of widget state that a notebook may carry."""
UNSEEN = "remove-output"
"""Tag of cells whose output no page shows."""
LINKS = ("LinkModel", "DirectionalLinkModel")
REFERENCE = re.compile(r"IPY_MODEL_([0-9a-f]{32})")
PRIVATE = re.compile(r"(?<![\w.])(?:/(?:home|Users|root|tmp|private)/\S+|[A-Z]:\\\\?Users\\\S+)")
ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}


def write_notebook(notebook: Any, path: Path) -> None:
    """Write a notebook whole or not at all, with one final line end."""
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"
    files.write_whole(path, lambda to: to.write_text(text, encoding="utf-8", newline="\n"))


def normalise(notebook: Any) -> Any:
    """Return a copy with the sources, tags, outputs and the project's own metadata alone.

    Ids of cells follow from their text, those of widgets from their order; progress bars and
    widgets that no output shows are dropped.
    """
    made = copy.deepcopy(notebook)
    state = made.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    own = {name: value for name, value in made.metadata.items() if name == "tinyvgg"}
    made.metadata = nbformat.from_dict({**METADATA, **own})
    seen: Counter[str] = Counter()
    for cell in made.cells:
        _normalise_cell(cell)
        name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[name] += 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"
    _normalise_widgets(made, state)
    made.nbformat, made.nbformat_minor = 4, 5
    return made


def _normalise_cell(cell: Any) -> None:
    dropped = ("papermill", "execution")
    kept = {name: value for name, value in cell.metadata.items() if name not in dropped}
    cell.metadata = nbformat.from_dict({k: v for k, v in kept.items() if v != []})
    if cell.cell_type != "code":
        return
    cell.outputs = _merge_streams([out for out in cell.outputs if not _is_progress(out)])
    data = [output.data for output in cell.outputs if "data" in output]
    if data and not any(mime.startswith("image/") for shown in data for mime in shown):
        cell.metadata.pop("mystnb", None)  # a sentence in place of a figure has no caption
    if UNSEEN in cell.metadata.get("tags", []):
        for shown in data:
            shown.pop(WIDGET_VIEW, None)


def _merge_streams(outputs: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for output in outputs:
        if output.output_type == "stream" and kept and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def _is_progress(output: Any) -> bool:
    if output.output_type == "stream":
        return output.name == "stderr" and bool(re.search(r"\r|\d+%\|", output.text))
    data = output.get("data", {})
    return WIDGET_VIEW in data and bool(re.search(r"\d+%\||\?it/s", data.get("text/plain", "")))


def _normalise_widgets(notebook: Any, state: dict[str, Any]) -> None:
    """Name the widgets that are shown by their order, and drop all others."""
    views = [
        output["data"][WIDGET_VIEW]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if WIDGET_VIEW in output.get("data", {})
    ]
    order = _reachable([view["model_id"] for view in views], state)
    if not order:
        return
    names = {old: f"{place:032x}" for place, old in enumerate(order)}
    for view in views:
        view["model_id"] = names.get(view["model_id"], view["model_id"])
    text = json.dumps({names[old]: _without_empty_settings(state[old]) for old in order})
    text = REFERENCE.sub(lambda match: f"IPY_MODEL_{names.get(match[1], match[1])}", text)
    if len(text) > WIDGET_LIMIT:
        raise UserError(
            f"widgets of a notebook hold {len(text):,} bytes, {WIDGET_LIMIT:,} are allowed: "
            "show fewer or smaller images"
        )
    content = {"version_major": 2, "version_minor": 0, "state": json.loads(text)}
    notebook.metadata["widgets"] = nbformat.from_dict({WIDGET_STATE: content})


def _reachable(roots: list[str], state: dict[str, Any]) -> list[str]:
    """Return the models that the shown ones need, in the order they are met, then their links."""
    order: dict[str, None] = {}
    waiting = roots[::-1]
    while waiting:
        model = waiting.pop()
        if model in state and model not in order:
            order[model] = None
            waiting += _references(state[model])[::-1]
    place = {model: number for number, model in enumerate(order)}
    links = {
        model: [place[end] for end in _references(content)]
        for model, content in state.items()
        if content["model_name"] in LINKS and place.keys() >= set(_references(content))
    }
    return [*order, *sorted(links, key=lambda model: (links[model], _without_ids(state[model])))]


def _references(model: Any) -> list[str]:
    return REFERENCE.findall(json.dumps(model, sort_keys=True))


def _without_ids(link: Any) -> str:
    return REFERENCE.sub("", json.dumps(link, sort_keys=True))


def _without_empty_settings(model: Any) -> Any:
    if not model["model_name"].endswith(("LayoutModel", "StyleModel")):
        return model
    filled = {key: value for key, value in model["state"].items() if value is not None}
    return {**model, "state": filled}


def refuse_private(notebook: Any, name: str) -> None:
    """Refuse outputs and metadata with paths or memory addresses of one machine."""
    texts = {"its metadata": _strings(notebook.metadata)}
    for number, cell in enumerate(notebook.cells, start=1):
        texts[f"cell {number}"] = _strings([cell.source, cell.get("outputs", [])])
    own = [str(p) for p in (files.project(), files.home(), Path.home()) if len(p.parts) > 1]
    for place, text in texts.items():
        found = [path for path in own if path in text]
        found += [
            match[0].strip() for match in (PRIVATE.search(text), ADDRESS.search(text)) if match
        ]
        if found:
            raise UserError(
                f"notebook {name} shows {found[0]!r} in {place}, which only one machine has: "
                "show a relative path or a name instead"
            )


def _strings(value: Any) -> str:
    """Return all text in nested data, without the images, whose base64 may spell anything."""
    if isinstance(value, dict):
        return "\n".join(_strings(v) for k, v in value.items() if not k.startswith("image/p"))
    if isinstance(value, list):
        return "\n".join(_strings(v) for v in value)
    if isinstance(value, str):
        return re.sub(r"base64,[A-Za-z0-9+/=\s]+", "base64,", value)
    return ""
