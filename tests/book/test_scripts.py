"""Scripts keep the linter's rules, and the built site is whole in a browser without a network."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

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


def opened(script: str, repository: Path, modules: Path) -> Any:
    """Return what a script of this folder finds in the built site, in Chromium."""
    site = repository / "build" / "site" / "_build" / "html"
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None or not (site / "intro.html").exists():
        pytest.skip("needs Chromium, and a site that 'make site' has built")
    command = ["node", Path(__file__).parent / script, site, modules, browser]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_the_site_is_whole_in_a_browser_without_a_network(repository: Path, modules: Path) -> None:
    found = opened("open_site.mjs", repository, modules)
    assert "intro.html" in found["pages"]
    assert found["faults"] == []


def test_the_bench_is_used_by_keyboard_alone_and_by_touch(repository: Path, modules: Path) -> None:
    found = opened("by_hand.mjs", repository, modules)
    assert (found["keys"], found["small"]) == ("right", [])
    assert found["touched"].startswith("1 cell off")
    before, unfolded, after = found["code"]
    assert unfolded == 0 < before == after
