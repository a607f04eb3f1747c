"""Scripts keep the linter's rules, and the built site is whole in a browser without a network."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

LINT = ["lint", "--error-on-warnings"]
LINT += ["--skip=complexity/useSimpleNumberKeys", "--skip=complexity/noImportantStyles"]
LINT += ["--skip=suspicious/noAssignInExpressions", "--skip=suspicious/useIterableCallbackReturn"]


@pytest.fixture
def modules(repository: Path) -> Path:
    """Return the folder of the packages for node that `.ci/run` installs."""
    folder = repository / "build" / "node"
    if not (folder / "node_modules").is_dir() or not shutil.which("node"):
        pytest.skip(f"needs node and its packages in {folder.name!r}: see .ci/run")
    return folder


def test_the_linter_finds_nothing_in_the_scripts(repository: Path, modules: Path) -> None:
    command = [modules / "node_modules" / ".bin" / "biome", *LINT, "book/bench", "tests"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_site_is_whole_in_a_browser_without_a_network(repository: Path, modules: Path) -> None:
    site = repository / "build" / "site" / "_build" / "html"
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None or not (site / "intro.html").exists():
        pytest.skip("needs Chromium, and a site that 'make site' has built")
    script = Path(__file__).parent / "open_site.mjs"
    done = subprocess.run(
        ["node", script, site, modules, browser], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert "intro.html" in found["pages"]
    assert found["faults"] == []
