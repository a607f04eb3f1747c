"""Fetch the JavaScript that the site needs without a network, with `npm pack`, and trim it.

Run by `make vendor`. What is fetched, under which licence, is written down in VENDORED.md there.
"""

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "book" / "_extra" / "vendor"
HEAD = """# Vendored JavaScript

The site works from files, without a network: formulas are set by MathJax, widgets are shown by the
Jupyter widgets' HTML manager, which require.js loads. `make vendor` fetched them from the npm
packages below; nothing in them was changed, only what the site does not use was left out.

| package | licence | used for | files |
| --- | --- | --- | --- |
"""
# what tex-chtml.js does not contain and loads when a formula uses it
EXTENSIONS = (
    "bbox", "boldsymbol", "braket", "cancel", "cases", "centernot", "color", "enclose",
    "extpfeil", "gensymb", "html", "textcomp", "textmacros", "unicode", "upgreek", "verb",
)  # fmt: skip


@dataclass(frozen=True)
class Package:
    """An npm package and what is taken of it: paths or folders in it, and where they go."""

    name: str
    version: str
    purpose: str
    files: dict[str, str]


MATHJAX = {
    "es5/tex-chtml.js": "mathjax/tex-chtml.js",
    "es5/output/chtml/fonts/woff-v2": "mathjax/output/chtml/fonts/woff-v2",
    "LICENSE": "mathjax/LICENSE",
}
for name in EXTENSIONS:
    MATHJAX[f"es5/input/tex/extensions/{name}.js"] = f"mathjax/input/tex/extensions/{name}.js"
WIDGETS = {"dist/embed-amd.js": "widgets/embed-amd.js", "LICENSE": "widgets/LICENSE-html-manager"}
PACKAGES = (
    Package("mathjax", "3.2.2", "formulas", MATHJAX),
    Package("requirejs", "2.3.7", "loading the widgets", {"require.js": "widgets/require.js"}),
    Package("@jupyter-widgets/html-manager", "1.0.14", "widgets", WIDGETS),
)


def main() -> None:
    """Fetch everything anew into a folder beside the old one, then change places."""
    if shutil.which("npm") is None:
        sys.exit("npm is not installed; it is needed only to renew what is vendored")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TARGET.parent) as temporary:
        fresh = Path(temporary) / "vendor"
        rows = [fetch(package, fresh) for package in PACKAGES]
        kept = "widgets/LICENSE-requirejs"  # the package comes without the text of its licence
        shutil.copyfile(TARGET / kept, fresh / kept)
        (fresh / "VENDORED.md").write_text(HEAD + "".join(rows), encoding="utf-8")
        shutil.rmtree(TARGET, ignore_errors=True)
        fresh.rename(TARGET)
    size = sum(path.stat().st_size for path in TARGET.rglob("*") if path.is_file())
    print(f"{TARGET}: {size / 1e6:.1f} MB")


def fetch(package: Package, target: Path) -> str:
    """Unpack what is taken of one package; returns its row of the table."""
    with tempfile.TemporaryDirectory() as temporary:
        where = Path(temporary)
        wanted = f"{package.name}@{package.version}"
        subprocess.run(["npm", "pack", "--silent", wanted], cwd=where, check=True)
        with tarfile.open(next(where.glob("*.tgz"))) as archive:
            archive.extractall(where, filter="data")
        root = where / "package"
        for source, place in package.files.items():
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (root / source).is_dir() else shutil.copyfile
            copy(root / source, target / place)
        licence = json.loads((root / "package.json").read_text("utf-8"))["license"]
    folders = {place.split("/extensions/")[0] for place in package.files.values()}
    places = ", ".join(f"`{place}`" for place in sorted(folders))
    return f"| {package.name}=={package.version} | {licence} | {package.purpose} | {places} |\n"


if __name__ == "__main__":
    main()
