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
# the package itself comes without the text of its licence
REQUIREJS_LICENCE = """Copyright jQuery Foundation and other contributors

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


@dataclass(frozen=True)
class Package:
    """An npm package and what is taken of it: paths or folders in it, and where they go."""

    name: str
    version: str
    purpose: str
    files: dict[str, str]


PACKAGES = (
    Package(
        "mathjax",
        "3.2.2",
        "formulas",
        {
            "es5/tex-chtml.js": "mathjax/tex-chtml.js",
            "es5/output/chtml/fonts/woff-v2": "mathjax/output/chtml/fonts/woff-v2",
            "LICENSE": "mathjax/LICENSE",
            **{
                f"es5/input/tex/extensions/{name}.js": f"mathjax/input/tex/extensions/{name}.js"
                for name in EXTENSIONS
            },
        },
    ),
    Package(
        "requirejs",
        "2.3.7",
        "loading the widgets",
        {"require.js": "widgets/require.js"},
    ),
    Package(
        "@jupyter-widgets/html-manager",
        "1.0.14",
        "widgets",
        {
            "dist/embed-amd.js": "widgets/embed-amd.js",
            "LICENSE": "widgets/LICENSE-html-manager",
        },
    ),
)


def main() -> None:
    """Fetch everything anew into a folder beside the old one, then change places."""
    if shutil.which("npm") is None:
        sys.exit("npm is not installed; it is needed only to renew what is vendored")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TARGET.parent) as temporary:
        fresh = Path(temporary) / "vendor"
        rows = [fetch(package, fresh) for package in PACKAGES]
        (fresh / "widgets" / "LICENSE-requirejs").write_text(REQUIREJS_LICENCE, encoding="utf-8")
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
            copy(root / source, target / place)
        licence = json.loads((root / "package.json").read_text("utf-8"))["license"]
    folders = {place.split("/extensions/")[0] for place in package.files.values()}
    places = ", ".join(f"`{place}`" for place in sorted(folders))
    return f"| {package.name}=={package.version} | {licence} | {package.purpose} | {places} |\n"


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


if __name__ == "__main__":
    main()
