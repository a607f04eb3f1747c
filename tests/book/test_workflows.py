"""CI to copy: each command of the workflows, of GitLab's example and of Binder runs in a shell."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from tinyvgg import files as paths

ROOT = paths.project()
TOOLS = ("mypy", "pytest", "python", "ruff", "zizmor", "apt-get", "npm", "chromium")
STUB = '#!/bin/sh\necho "$(basename "$0") $*" >> "$CALLS"\n'
TINYVGG = f"""#!{sys.executable}
import os, pathlib, sys, click
from tinyvgg.cli import cli
print("tinyvgg", *sys.argv[1:], file=open(os.environ["CALLS"], "a"))
name, command, rest = cli.resolve_command(click.Context(cli), sys.argv[1:])
given = command.make_context(name, rest).params
made = {{"site": "build/site/_build/html", "publish": given.get("folder")}}.get(name)
made and pathlib.Path(made).mkdir(parents=True)
"""
"""Reads what it is given as the real one does, and leaves folders where that leaves sites."""
LAST = {"test": "pytest --nbval", "binder": "python -m ipykernel", "reproduce": "tinyvgg verify"}
LAST |= dict.fromkeys(("book", "pages"), "tinyvgg site")
"""The last call of each job, which is not reached if one before it fails."""


def jobs():
    """Yield the name of each job, its commands, and the folders that it uploads."""
    yield "binder", ["binder/postBuild"], []
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        parts = yaml.safe_load(path.read_text())["jobs"].values()
        steps = [step for part in parts for step in part["steps"]]
        uploads = [step["with"]["path"] for step in steps if "/upload-" in step.get("uses", "")]
        yield path.stem, [step["run"] for step in steps if "run" in step], uploads
    (example,) = re.findall(r"(?s)```yaml\n(.*?)```", (ROOT / "book" / "ci.md").read_text())
    for name, job in yaml.safe_load(example).items():
        if "script" in job:
            yield name, job["script"], job.get("artifacts", {}).get("paths", [])


@pytest.fixture
def shell(tmp_path):
    """Run a command as CI does, in a checkout whose environment has stand-ins for what is heavy."""
    for name in (".ci", "binder"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for path in (ROOT / "Makefile", ROOT / "pyproject.toml", *ROOT.glob("*.lock")):
        shutil.copy(path, tmp_path)
    stubs = tmp_path / ".venv" / "bin"
    stubs.mkdir(parents=True)
    for name in (*TOOLS, "tinyvgg"):
        (stubs / name).write_text(TINYVGG if name == "tinyvgg" else STUB)
        (stubs / name).chmod(0o755)
    for name in ("cpu.lock", ".ready"):
        (tmp_path / ".venv" / name).touch()
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    env = {"PATH": f"{stubs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    env["CALLS"] = str(tmp_path / "calls")
    options = {"cwd": tmp_path, "env": env, "capture_output": True, "text": True}
    return lambda command: subprocess.run(["bash", "-e", "-c", command], **options)


@pytest.mark.parametrize(("name", "commands", "uploads"), jobs())
def test_a_job_runs_to_its_end_and_leaves_what_it_uploads(name, commands, uploads, shell, tmp_path):
    for command in commands:
        done = shell(command)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "calls").read_text().splitlines()[-1].startswith(LAST[name])
    assert all((tmp_path / path).is_dir() for path in uploads)


@pytest.mark.parametrize("command", ["make sites", "make (", "make reproduce PROFILE=huge"])
def test_a_command_that_cannot_run_would_be_found(command, shell):
    assert shell(command).returncode != 0
