"""Fetch the JavaScript that the site needs without a network, with `npm pack`, and trim it.

Run by `make vendor`. What is fetched, under which licence, is written down in VENDORED.md there.
"""

import json
import shutil
import subprocess
import tarfile
import tempfile
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


MATHJAX = {
    "es5/tex-chtml.js": "mathjax/tex-chtml.js",
    "es5/output/chtml/fonts/woff-v2": "mathjax/output/chtml/fonts/woff-v2",
    "LICENSE": "mathjax/LICENSE",
}
for name in EXTENSIONS:
    MATHJAX[f"es5/input/tex/extensions/{name}.js"] = f"mathjax/input/tex/extensions/{name}.js"
WIDGETS = {"dist/embed-amd.js": "widgets/embed-amd.js", "LICENSE": "widgets/LICENSE-html-manager"}
PACKAGES = (
    ("mathjax", "3.2.2", "formulas", MATHJAX),
    ("requirejs", "2.3.7", "loading the widgets", {"require.js": "widgets/require.js"}),
    ("@jupyter-widgets/html-manager", "1.0.14", "widgets", WIDGETS),
)
"""Name, version and purpose of npm packages; what is taken of them, and where it goes."""


def main() -> None:
    """Fetch everything anew into a folder beside the old one, then change places."""
    with tempfile.TemporaryDirectory(dir=TARGET.parent) as temporary:
        fresh = Path(temporary) / "vendor"
        rows = [fetch(*package, fresh) for package in PACKAGES]
        kept = "widgets/LICENSE-requirejs"  # the package comes without the text of its licence
        shutil.copyfile(TARGET / kept, fresh / kept)
        (fresh / "VENDORED.md").write_text(HEAD + "".join(rows), encoding="utf-8")
        shutil.rmtree(TARGET)
        fresh.rename(TARGET)


def fetch(name: str, version: str, purpose: str, files: dict[str, str], target: Path) -> str:
    """Unpack what is taken of one package, and return its row of the table."""
    with tempfile.TemporaryDirectory() as temporary:
        command = ["npm", "pack", "--silent", f"{name}@{version}"]
        subprocess.run(command, cwd=temporary, check=True)
        root = Path(temporary) / "package"
        with tarfile.open(next(root.parent.glob("*.tgz"))) as archive:
            archive.extractall(root.parent, filter="data")
        for source, place in files.items():
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (root / source).is_dir() else shutil.copyfile
            copy(root / source, target / place)
        licence = json.loads((root / "package.json").read_text("utf-8"))["license"]
    folders = {place.split("/extensions/")[0] for place in files.values()}
    places = ", ".join(f"`{place}`" for place in sorted(folders))
    return f"| {name}=={version} | {licence} | {purpose} | {places} |\n"


if __name__ == "__main__":
    main()
