"""Notebooks: found, converted from their percent sources, executed by papermill, and normalised.

Executed notebooks are the same, byte for byte, for every run with the same results.
"""

import ast
import copy
import hashlib
import os
import platform
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
import yaml
from jinja2 import StrictUndefined, Template
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from papermill.exceptions import PapermillExecutionError
from pybtex.database import parse_file

from tinyvgg import files, paper
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import absolute, check_one_of
from tinyvgg.training.settings import AUTO, NETWORKS, PROFILES, RECORDED, check_study

DEFAULTS: Mapping[str, Any] = {**RECORDED, "networks": AUTO}
"""The parameters of a notebook."""
PATTERN = "[0-9][0-9]_*.py"
PARAMETERS = re.compile(r'(?ms)^# %%[^\n]*tags=\[[^\]\n]*"parameters".*?(?=^# %%|\Z)')
"""The cell with a notebook's parameters."""
DECIDING = ("numpy", "torch", "matplotlib", "pandas", "papermill", "ipywidgets")
"""Libraries that a notebook's result depends on."""
ROLE = re.compile(r"\{(?P<kind>paper|doc|cite:[tp])\}`(?P<text>[^`]+)`")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
PRIVATE = re.compile(
    r"(?<![\w.])(?:/(?:home|Users|root|tmp|private)/\S+|[A-Z]:\\\\?Users\\\S+|at 0x[0-9a-f]{6,})"
)
"""Paths and memory addresses of one machine."""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}


def source_folder() -> Path:
    """Return the folder of the sources: in the checkout, or where the package put them."""
    folder = files.project() / "notebooks"
    return folder if folder.is_dir() else Path(sys.prefix) / "share" / "tinyvgg" / "notebooks"


def sources() -> list[Path]:
    """Return all chapters' sources, in the order of the book."""
    return sorted(source_folder().glob(PATTERN))


def find(name: str) -> Path:
    """Return the source that a number, a stem or a file name stands for."""
    stem = Path(name).stem
    for source in sources():
        if stem == source.stem or (stem.isdigit() and int(stem) == int(source.stem[:2])):
            return source
    names = ", ".join(source.stem for source in sources()) or "none; they are in a checkout"
    raise UserError(f"notebook {name!r} is not one of {names}")


def defaults(source: Path) -> dict[str, Any]:
    """Return a notebook's parameters with their defaults, from its cell tagged ``parameters``."""
    cell = PARAMETERS.search(_text(source).decode())
    return {
        target.id: ast.literal_eval(line.value)
        for line in ast.parse(cell.group() if cell else "").body
        if isinstance(line, ast.Assign)
        for target in line.targets
        if isinstance(target, ast.Name)
    }


def typed_parameters(source: Path, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return all parameters of a notebook: its defaults, and those typed on a command line."""
    typed = defaults(source)
    for name, value in pairs:
        check_one_of(f"{source.stem}: parameter", name, tuple(typed))
        whole = isinstance(typed[name], int)
        if whole and not value.removeprefix("-").isdecimal():
            raise UserError(f"{name} {value!r} is not a whole number, such as {typed[name]}")
        typed[name] = int(value) if whole else value
    return typed


def check(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse values that no study can be opened with; return them with an absolute source."""
    check_study(*(parameters[name] for name in RECORDED))
    check_one_of("networks", parameters.get("networks", AUTO), NETWORKS)
    # folders are named in this order
    ordered = {name: parameters[name] for name in DEFAULTS if name in parameters}
    return {**ordered, **parameters, "faces": absolute(parameters["faces"])}


def needs(source: Path, tasks: Sequence[str]) -> tuple[str, ...]:
    """Return the tasks whose networks a notebook asks for: none, the first alone, or all."""
    asked = set(re.findall(r"\.run\((.*?)\)", source.read_text("utf-8")))
    return tuple(tasks if asked - {"study.tasks[0]"} else tasks[: len(asked)])


def source_digest(source: Path) -> str:
    """Return the hash of a notebook's source, the same whatever its line ends."""
    return hashlib.sha256(_text(source) + first_cell().encode()).hexdigest()


def package_digest(results: bool = False) -> str:
    """Return a hash of everything else that a notebook's result may depend on.

    That is the packages, the reports in ``results`` that notebooks read, and libraries; where asked
    for, also the numbers of other networks, on which verdicts and some chapters rest.
    """
    root = Path(__file__).resolve().parents[2]
    kept, made = files.results(), files.build()
    read = [path for path in kept.glob("*.json") if path.stem not in PROFILES]
    if results:
        read += [*kept.glob("seeds.csv"), *kept.glob("paper.json"), *kept.glob("trials/*.json")]
        read += [*made.glob("seeds/*.csv"), *made.glob("trials/*.json")]
    for package in ("synthfaces", "tinyvgg"):
        read += (root / package).rglob("*.*")
    digest = hashlib.sha256()
    for path in sorted(read):
        if path.suffix in (".py", ".toml", ".json", ".j2", ".js", ".csv") and path.is_file():
            digest.update(b"\0".join([path.name.encode(), _text(path), b""]))
    for name in DECIDING:
        digest.update(f"{name}=={version(name)}\0".encode())
    digest.update(platform.python_version().encode())
    return digest.hexdigest()


def _text(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")


def folder() -> Path:
    """Return the folder of converted notebooks, ready for papermill and JupyterLab."""
    return files.build() / "notebooks"


def slug(parameters: Mapping[str, Any]) -> str:
    """Return a folder name for parameters: readable, and different for different ones."""
    return "-".join(_word(str(value)) for value in parameters.values())


def _word(value: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9]+", "_", value.rsplit("/", 1)[-1]).strip("_")
    return plain if plain == value else f"{plain}_{hashlib.sha256(value.encode()).hexdigest()[:6]}"


def shown(path: Path) -> str:
    """Return a path as messages show it: relative to the working folder where it lies below."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def first_cell() -> str:
    """Return code that fetches the project where it is missing; none if it has no address."""
    settings = source_folder().parent / "_config.yml"
    known = yaml.safe_load(settings.read_text("utf-8")) if settings.exists() else {}
    text = (Path(__file__).with_name("templates") / "first_cell.py.j2").read_text("utf-8")
    return str(Template(text, undefined=StrictUndefined).render(known.get("repository", {})))


def convert(source: Path, folder: Path, plain: bool = False) -> Path:
    """Write a source as a notebook that papermill and JupyterLab open, and return its path.

    The site folds the code of all cells but those that are tagged ``open``, which teach. Roles,
    which the site alone knows, are written out for JupyterLab if it is to be `plain`.
    """
    notebook, unseen = jupytext.read(source), {"tags": ["remove-cell"]}
    if code := first_cell():
        notebook.cells.insert(0, nbformat.v4.new_code_cell(code, metadata=unseen))
    notebook, target = normalise(notebook), folder / f"{source.stem}.ipynb"
    for cell in notebook.cells:
        if plain and cell.cell_type == "markdown":
            cell.source = ROLE.sub(_written_out, cell.source)
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and not {"open", "hide-cell"} & {*tags}:
            cell.metadata["tags"] = [*tags, "hide-input"]
    write_notebook(notebook, target)
    return target


def _written_out(role: re.Match[str]) -> str:
    """Return what a role shows: a number of the paper, authors and years, or a link."""
    kind, text = role["kind"], " ".join(role["text"].split())
    if kind == "paper":
        return paper.quantity(text).text
    if kind == "doc":
        title, place = re.fullmatch(r"(.*?)\s*<(.*)>|.*", text).groups()  # type: ignore[union-attr]
        return title or (place or text).rpartition("/")[2].replace("_", " ")
    works = parse_file(str(files.project() / "book" / "references.bib")).entries
    cited = []
    for key in text.split(","):
        names = [" ".join(person.last_names) for person in works[key.strip()].persons["author"]]
        who = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
        year = works[key.strip()].fields.get("year", "")
        cited.append(f"{who} ({year})" if kind == "cite:t" else f"{who}, {year}")
    return " and ".join(cited) if kind == "cite:t" else f"({'; '.join(cited)})"


def execute(
    source: Path,
    converted: Path,
    target: Path,
    parameters: Mapping[str, Any],
    about: Mapping[str, Any] | None = None,
    progress: str | None = None,
) -> None:
    """Run a notebook and write the result, normalised, once it is complete."""
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
            extra_arguments=["--IPKernelApp.log_level=50"],
            progress_bar={"desc": progress, "leave": False} if progress else False,
        )
        facts = {"source_sha256": source_digest(source), **parameters, **(about or {})}
        done.metadata["tinyvgg"] = facts
        write_notebook(normalise(done), target)
    except PapermillExecutionError as error:
        if error.ename in ("UserError", "FaceError"):
            raise UserError(error.evalue) from error
        os.replace(running, failed)
        reason = f"{error.ename}: {error.evalue}".splitlines()[0]
        raise UserError(
            f"notebook {source.stem} failed in cell {error.exec_count} with {reason}; "
            f"see {shown(failed)}"
        ) from error
    finally:
        running.unlink(missing_ok=True)


def facts(executed: Path) -> dict[str, Any]:
    """Return the facts that `execute` wrote into its result; nothing where there is none."""
    return dict(files.plain(executed).get("metadata", {}).get("tinyvgg", {}))


def write_notebook(notebook: Any, path: Path) -> None:
    """Write a notebook whole or not at all, with one final line end."""
    text = nbformat.writes(notebook, nbformat.NO_CONVERT).rstrip("\n")
    files.write_text(path, text + "\n")


def normalise(notebook: Any) -> Any:
    """Return a copy with the sources, tags, outputs and the project's own metadata alone.

    Ids of cells follow from their text. Progress bars and widgets, which need a kernel, go.
    """
    made = copy.deepcopy(notebook)
    own = {name: value for name, value in made.metadata.items() if name == "tinyvgg"}
    made.metadata = nbformat.from_dict({**METADATA, **own})
    seen: Counter[str] = Counter()
    for cell in made.cells:
        _normalise_cell(cell)
        name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[name] += 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"
    made.nbformat, made.nbformat_minor = 4, 5
    return made


def _normalise_cell(cell: Any) -> None:
    dropped = ("papermill", "execution")
    kept = {k: v for k, v in cell.metadata.items() if k not in dropped and v != []}
    cell.metadata = nbformat.from_dict(kept)
    if cell.cell_type != "code":
        return
    if kept.get("tags") == ["injected-parameters"]:
        cell.metadata["tags"].append("remove-cell")  # the footer names what the site was made with
    cell.outputs = [output for output in cell.outputs if not _is_progress(output)]
    CoalesceStreamsPreprocessor().preprocess_cell(cell, {}, 0)
    data = [output.data for output in cell.outputs if "data" in output]
    if data and not any(mime.startswith("image/") for shown in data for mime in shown):
        cell.metadata.pop("mystnb", None)  # a sentence in place of a figure has no caption
    for shown in data:
        shown.pop(WIDGET_VIEW, None)


def _is_progress(output: Any) -> bool:
    if output.output_type == "stream":
        return output.name == "stderr" and bool(re.search(r"\r|\d+%\|", output.text))
    data = output.get("data", {})
    return WIDGET_VIEW in data and bool(re.search(r"\d+%\||\?it/s", data.get("text/plain", "")))


def refuse_private(notebook: Any, name: str) -> None:
    """Refuse outputs and metadata with paths or memory addresses of one machine."""
    texts = {"its metadata": _strings(notebook.metadata)}
    for number, cell in enumerate(notebook.cells, start=1):
        texts[f"cell {number}"] = _strings([cell.source, cell.get("outputs", [])])
    own = [str(p) for p in (files.project(), files.home(), Path.home()) if len(p.parts) > 1]
    for place, text in texts.items():
        found = [path for path in own if path in text]
        found += PRIVATE.findall(text)
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
