"""The power of verification: what another machine makes has to pass, and what is wrong to fail.

Trains and analyses the networks of the recorded seed with a changed copy of the project, as stated
in `TRIALS`, and compares their numbers with those of the recorded networks. What an earlier call
has trained and analysed is not done again.

    python benchmarks/verification.py OUTPUT.json [--only "two threads"]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tinyvgg import files
from tinyvgg.book.reproduce import Reproduction
from tinyvgg.book.verify import in_distribution, known_networks
from tinyvgg.training.settings import RECORDED, TRAINED

CAPPED = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
LABELS, FITTED, RATE = "faces.index.labels(task)", '"fitted", 3000', "rate: float = 0.01\n    maps"
SHUFFLED = f"np.random.default_rng(0).permutation({LABELS})"
TRIALS = {
    "two threads": ({}, "book/seeds.py", "THREADS = 1", "THREADS = 2"),
    "capped code paths": (CAPPED, "book/seeds.py", "", ""),
    "ended at epoch 20": ({}, "training/settings.py", FITTED, f"{FITTED}, 20"),
    "wrong learning rate": ({}, "training/settings.py", RATE, RATE.replace("0.01", "0.03")),
    "shuffled labels": ({}, "training/batches.py", LABELS, SHUFFLED),
    "flipped sign": ({}, "contribution.py", "gradient - last[", "gradient + last["),
}
"""The environment, the module of the package that is changed, and its text before and after."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--only", choices=TRIALS)
    given = parser.parse_args()
    found = json.loads(given.output.read_text()) if given.output.exists() else {}
    for name in [given.only] if given.only else TRIALS:
        made = attempt(files.build() / "trials" / name.replace(" ", "-"), *TRIALS[name])
        outcome = in_distribution(made, known_networks(made))
        found[name] = {"passed": outcome.passed, "line": outcome.line}
        files.write_json(given.output, found, sort_keys=True)
        print(f"{name}: {outcome.line}")


def attempt(
    home: Path, environment: dict[str, str], module: str, before: str, after: str
) -> Reproduction:
    """Train and analyse the networks with a changed copy of the project."""
    code = home / "code"
    shutil.rmtree(code, ignore_errors=True)
    listed = subprocess.check_output(["git", "ls-files"], cwd=files.project(), text=True)
    for name in listed.splitlines():
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files.project() / name, code / name)
    text = (code / "tinyvgg" / module).read_text("utf-8")
    if before not in text:
        raise SystemExit(f"{module} has no {before!r} to change")
    (code / "tinyvgg" / module).write_text(text.replace(before, after, 1), "utf-8")
    there = {**os.environ, **environment, "TINYVGG_HOME": str(home), "PYTHONPATH": str(code)}
    command = [sys.executable, "-m", "tinyvgg", "seeds", "--seeds", str(RECORDED["seed"])]
    subprocess.run([*command, "--table", home / "seeds.csv"], env=there, cwd=code, check=True)
    (folder,) = home.glob("build/seeds/*/seed-*")
    return Reproduction({**RECORDED, "networks": TRAINED}, folder)


if __name__ == "__main__":
    main()
