"""One notebook: converted, executed, and written whole or not at all."""

import ast
import copy
import hashlib
import json
import os
import platform
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError

from tinyvgg import files as paths
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import Parameters, parse
from tinyvgg.training.settings import PROFILES

PATTERN = "[0-9][0-9]_*.py"
PARAMETERS = re.compile(r'(?ms)^# %%[^\n]*tags=\[[^\]\n]*"parameters".*?(?=^# %%|\Z)')
"""The cell with a notebook's parameters."""
DECIDING = ("numpy", "torch", "matplotlib", "pandas", "papermill", "ipywidgets")


def sources_folder() -> Path:
    """Where the sources are."""
    return paths.project() / "notebooks"


def sources() -> list[Path]:
    """All notebooks' sources, in the order of the book."""
    return sorted(sources_folder().glob(PATTERN))


def find(name: str) -> Path:
    """The source that a name means: its number, its stem, or its file name.

    Raises:
        UserError: if there is none; lists those there are.
    """
    stem = Path(name).stem
    known = sources()
    for source in known:
        if stem == source.stem or (stem.isdigit() and int(stem) == int(source.stem[:2])):
            return source
    names = ", ".join(source.stem for source in known) or f"none in {sources_folder()}"
    raise UserError(f"notebook {name!r} is not one of {names}")


def defaults(source: Path) -> Parameters:
    """A notebook's parameters and their default values, from its cell tagged ``parameters``."""
    cell = PARAMETERS.search(_text(source).decode())
    return {
        target.id: ast.literal_eval(line.value)
        for line in ast.parse(cell.group() if cell else "").body
        if isinstance(line, ast.Assign)
        for target in line.targets
        if isinstance(target, ast.Name)
    }


def typed_parameters(source: Path, pairs: Iterable[tuple[str, str]]) -> Parameters:
    """All parameters of a notebook: its defaults, and those typed on a command line.

    Raises:
        UserError: see `tinyvgg.faces.sources.parse`.
    """
    known = defaults(source)
    return {**known, **parse(pairs, known, source.stem)}


def trains(source: Path) -> bool:
    """Whether a notebook asks for trained networks: they are then made ready before it starts."""
    return bool(re.search(r"\.run\(", source.read_text("utf-8")))


def source_digest(source: Path) -> str:
    """Hash of a notebook's source, the same whatever the line ends."""
    return hashlib.sha256(_text(source)).hexdigest()


def package_digest() -> str:
    """Hash of everything a notebook's result may depend on beside its source and parameters.

    That is the package, the reports that maintainers' tools leave in ``results``, and libraries.
    """
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in _files(package):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + _text(path) + b"\0")
    for path in _reports():
        digest.update(f"results/{path.name}".encode() + b"\0" + _text(path) + b"\0")
    for name in DECIDING:
        digest.update(f"{name}=={version(name)}\0".encode())
    digest.update(platform.python_version().encode())
    return digest.hexdigest()


def _files(package: Path) -> Iterable[Path]:
    return sorted(
        path
        for path in package.rglob("*")
        if path.suffix in (".py", ".toml", ".json") and "__pycache__" not in path.parts
    )


def _reports() -> Iterable[Path]:
    """Those in ``results`` that notebooks read; what is recorded of them is named by a profile."""
    return sorted(path for path in paths.results().glob("*.json") if path.stem not in PROFILES)


def _text(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")


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


def normalise(notebook: Any) -> Any:
    """A copy that is the same, byte for byte, for every run with the same results.

    Kept are sources, tags, outputs and the project's own metadata. Ids of cells follow from their
    text, those of widgets from their order; widgets that no output shows are dropped, and so are
    progress bars.
    """
    made = copy.deepcopy(notebook)
    state = made.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    made.cells = [_cell(cell) for cell in made.cells]
    made.metadata = _metadata(made.metadata)
    _name_cells(made.cells)
    _name_widgets(made, state)
    made.nbformat, made.nbformat_minor = 4, 5
    return made


def write(notebook: Any, target: Path) -> None:
    """Write a notebook whole or not at all, with one final line end."""
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"
    paths.write_whole(target, lambda path: _write_text(path, text))


def refuse_private(notebook: Any, name: str) -> None:
    """Refuse outputs and metadata that tell about one machine: its paths and memory addresses.

    Raises:
        UserError: the first one, with its cell.
    """
    for place, text in _texts(notebook):
        found = _private(text)
        if found:
            raise UserError(
                f"notebook {name} shows {found!r} in {place}, which only one machine has: "
                "show a relative path or a name instead"
            )


def _private(text: str) -> str | None:
    for own in (paths.project(), paths.home(), Path.home()):
        if len(own.parts) > 1 and str(own) in text:
            return str(own)
    found = PRIVATE.search(text) or ADDRESS.search(text)
    return found.group(0).strip() if found else None


def _texts(notebook: Any) -> Iterator[tuple[str, str]]:
    yield "its metadata", _strings(notebook.metadata)
    for number, cell in enumerate(notebook.cells, start=1):
        yield f"cell {number}", _strings([cell.source, cell.get("outputs", [])])


def _strings(value: Any) -> str:
    """All text in nested data, without the images, whose base64 may spell anything."""
    if isinstance(value, dict):
        return "\n".join(_strings(v) for k, v in value.items() if not k.startswith("image/p"))
    if isinstance(value, list):
        return "\n".join(_strings(v) for v in value)
    if isinstance(value, str):
        return re.sub(r"base64,[A-Za-z0-9+/=\s]+", "base64,", value)
    return ""


def _cell(cell: Any) -> Any:
    cell.metadata = nbformat.from_dict(
        {
            key: value
            for key, value in cell.metadata.items()
            if key not in ("papermill", "execution") and value != []
        }
    )
    if cell.cell_type == "code":
        cell.outputs = _outputs(cell.outputs)
        _drop_missing_figure(cell)
        _drop_unseen_widgets(cell)
    return cell


def _drop_unseen_widgets(cell: Any) -> None:
    """Widgets that need a kernel, and that no page shows, are kept in words alone."""
    if UNSEEN in cell.metadata.get("tags", []):
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET_VIEW, None)


def _drop_missing_figure(cell: Any) -> None:
    """Where a cell shows a sentence in place of a figure, it has no number and no caption."""
    shown = [output.data for output in cell.outputs if "data" in output]
    if shown and not any(mime.startswith("image/") for data in shown for mime in data):
        cell.metadata.pop("mystnb", None)


def _outputs(outputs: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for output in outputs:
        if _is_progress(output):
            continue
        if output.output_type == "stream" and kept and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def _is_progress(output: Any) -> bool:
    if output.output_type == "stream":
        return output.name == "stderr" and bool(re.search(r"\r|\d+%\|", output.text))
    text = output.get("data", {}).get("text/plain", "")
    return WIDGET_VIEW in output.get("data", {}) and bool(re.search(r"\d+%\||\?it/s", text))


def _metadata(metadata: Any) -> Any:
    kept = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
    }
    return nbformat.from_dict({**kept, **{k: v for k, v in metadata.items() if k == "tinyvgg"}})


def _name_cells(cells: list[Any]) -> None:
    seen: Counter[str] = Counter()
    for cell in cells:
        name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[name] += 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"


def _name_widgets(notebook: Any, state: dict[str, Any]) -> None:
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
    text = json.dumps({names[old]: _shorten(state[old]) for old in order})
    text = REFERENCE.sub(lambda match: f"IPY_MODEL_{names.get(match[1], match[1])}", text)
    if len(text) > WIDGET_LIMIT:
        raise UserError(
            f"widgets of a notebook hold {len(text):,} bytes, {WIDGET_LIMIT:,} are allowed: "
            "show fewer or smaller images"
        )
    content = {"version_major": 2, "version_minor": 0, "state": json.loads(text)}
    notebook.metadata["widgets"] = nbformat.from_dict({WIDGET_STATE: content})


def _reachable(roots: list[str], state: dict[str, Any]) -> list[str]:
    """Models that the shown ones need, in the order in which they are met, then their links."""
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
    return [*order, *sorted(links, key=lambda model: (links[model], _order_of_ends(state[model])))]


def _references(model: Any) -> list[str]:
    return REFERENCE.findall(json.dumps(model, sort_keys=True))


def _order_of_ends(link: Any) -> str:
    return REFERENCE.sub("", json.dumps(link, sort_keys=True))


def _shorten(model: Any) -> Any:
    """Layouts and styles without their many empty settings."""
    if not model["model_name"].endswith(("LayoutModel", "StyleModel")):
        return model
    filled = {key: value for key, value in model["state"].items() if value is not None}
    return {**model, "state": filled}


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def folder() -> Path:
    """Where converted notebooks lie, ready for papermill and JupyterLab."""
    return paths.build() / "notebooks"


def executed_path(source: Path, parameters: Mapping[str, Any]) -> Path:
    """Where the result of a single notebook goes unless the user says otherwise."""
    return paths.build() / "executed" / slug(parameters) / f"{source.stem}.ipynb"


def convert(source: Path, folder: Path) -> Path:
    """Write a percent source as a notebook that papermill and JupyterLab open; returns its path."""
    notebook = jupytext.read(source)
    notebook.metadata.pop("jupytext", None)
    target = folder / f"{source.stem}.ipynb"
    write(normalise(notebook), target)
    return target


def convert_all(folder: Path) -> list[Path]:
    """Every source as a notebook in `folder`."""
    return [convert(source, folder) for source in sources()]


def slug(parameters: Mapping[str, Any]) -> str:
    """A folder name for a set of parameters: readable, and different for different ones."""
    return "-".join(_word(str(value)) for value in parameters.values())


def execute(
    source: Path,
    converted: Path,
    target: Path,
    parameters: Parameters,
    about: Mapping[str, Any] | None = None,
    progress: str | None = None,
) -> None:
    """Run a notebook and write the result, normalised, once it is complete.

    Args:
        source: the percent source, whose hash the result carries.
        converted: what `convert` made of it.
        target: where the result goes; of a failed run nothing is left there.
        parameters: all of them. Only those that differ from the defaults are injected, so that
            a run with the defaults reads like the source.
        about: further facts for the result's metadata.
        progress: label of a progress bar over the cells; None for no bar.

    Raises:
        UserError: bad input that the notebook met, in its own words, or a cell that failed; then
            the notebook up to there is beside `target`, as ``failed-NAME``.
    """
    known = defaults(source)
    changed = {name: value for name, value in parameters.items() if value != known[name]}
    failed = target.with_name(f"failed-{target.name}")
    failed.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    running = target.with_name(f".{target.stem}.{os.getpid()}.ipynb")
    try:
        done = papermill.execute_notebook(
            str(converted),
            str(running),
            changed,
            cwd=str(converted.parent),
            kernel_name="python3",
            extra_arguments=["--IPKernelApp.log_level=40"],
            progress_bar={"desc": progress, "leave": False} if progress else False,
        )
        facts = {"source_sha256": source_digest(source), **parameters, **(about or {})}
        done.metadata["tinyvgg"] = facts
        write(normalise(done), target)
    except PapermillExecutionError as error:
        raise _failure(error, source, running, failed) from error
    finally:
        running.unlink(missing_ok=True)


def facts(executed: Path) -> dict[str, Any]:
    """What `execute` wrote about a run into its result; nothing where there is no result."""
    try:
        content = json.loads(executed.read_text("utf-8"))
        return dict(content["metadata"]["tinyvgg"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _failure(
    error: PapermillExecutionError, source: Path, running: Path, failed: Path
) -> UserError:
    if error.ename == "UserError":
        return UserError(error.evalue)
    os.replace(running, failed)
    reason = f"{error.ename}: {error.evalue}".splitlines()[0]
    return UserError(
        f"notebook {source.stem} failed in cell {error.exec_count} with {reason}; "
        f"see {shown(failed)}"
    )


def shown(path: Path) -> str:
    """A path as messages show it: relative to the working folder where it lies below it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _word(value: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9]+", "_", value.rsplit("/", 1)[-1]).strip("_")
    return plain if plain == value else f"{plain}_{hashlib.sha256(value.encode()).hexdigest()[:6]}"
