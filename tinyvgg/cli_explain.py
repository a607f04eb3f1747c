"""``tinyvgg explain``: what a trained network sees in single images, and why."""

import argparse
import sys
from pathlib import Path

from tinyvgg import files as paths
from tinyvgg.errors import UserError, need
from tinyvgg.training import sweeps as jobs

SOME_UNREADABLE = 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Images, the network that is asked, and what of it."""
    add, rules = parser.add_argument, ", ".join(jobs.RULE_NAMES)
    add("images", nargs="+", type=Path, metavar="IMAGE", help="path of an image")
    add("--run", required=True, metavar="RUN", help="name of a run, or any part no other has")
    add("--rule", default="cutoff", help=f"of backtracking, one of {rules} (default: cutoff)")
    add("--target", metavar="CLASS", help="class to start from (default: the answer)")
    add("--true", metavar="CLASS", help="the right answer, to find the smallest repair for")
    add("-o", "--output", type=Path, metavar="FOLDER", help="default: build/explained/RUN")


def run(given: argparse.Namespace) -> int:
    """Explain the images, and say what the network answers and where the page is."""
    if given.rule not in jobs.RULE_NAMES:
        raise UserError(f"rule {given.rule!r} is not one of {', '.join(jobs.RULE_NAMES)}")
    if given.output is not None and given.output.exists() and not given.output.is_dir():
        raise UserError(f"output {str(given.output)!r} is a file; name a folder")
    need("faces", "filelock", "pandas", "PIL", "safetensors", "scipy", "torchvision", "tqdm")
    from tinyvgg.backtracking import NAMED
    from tinyvgg.explain import check_folder, explain_images, save
    from tinyvgg.training.runs import load_trained

    network = load_trained(given.run)
    folder = given.output or paths.build() / "explained" / network.name
    check_folder(folder)
    explained = explain_images(
        network, given.images, NAMED[given.rule], given.target, given.true, progress=True
    )
    page = save(explained, folder)
    for one in explained.explanations:
        label, chance = one.predicted, float(one.probabilities.max())
        print(f"{one.path}: {network.classes[label]}, probability {chance:.3f}")
    for missed in explained.unreadable:
        print(f"passed over: {missed.reason}", file=sys.stderr)
    print(f"The page: {page}")
    return SOME_UNREADABLE if explained.unreadable else 0
