"""``tinyvgg sweep``: many networks, by seeds and settings, and what rules find in their errors."""

import argparse
from pathlib import Path

from tinyvgg.faces.sources import tasks_of
from tinyvgg.training import sweeps as jobs

JOBS_FAILED = 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """What can be asked for besides profile and faces."""
    add, rules = parser.add_argument, ", ".join(jobs.RULE_NAMES)
    add("--task", default="", metavar="TASK[,TASK]", help="default: all of the faces")
    add("--seeds", default="0", metavar="SEEDS", help="such as 0,1,2 or 0-4 (default: 0)")
    add("--set", action="append", default=[], metavar="NAME=VALUE[,VALUE]", help="such as rate=0.1")
    add("--rules", default="", metavar="RULE[,RULE]", help=f"among {rules} (default: none)")
    add("--name", default="sweep", help="of the table (default: sweep)")
    add("--into", type=Path, help="folder of the table (default: build/sweeps)")
    add("--dry-run", action="store_true", help="list the jobs and how far they are")
    workers = parser.add_mutually_exclusive_group()
    workers.add_argument("--workers", help="processes (default: half as many as cores)")
    workers.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask cluster, tcp://HOST:PORT"
    )


def run(given: argparse.Namespace) -> int:
    """Do the jobs, or list them."""
    tasks = tasks_of(given.faces)
    plan = jobs.plan(
        given.profile,
        given.faces,
        jobs.parse_names(given.task, tasks, "task"),
        jobs.parse_seeds(given.seeds),
        jobs.parse_settings(given.set),
        jobs.parse_names(given.rules, jobs.RULE_NAMES, "rule"),
    )
    workers = None if given.workers is None else jobs.parse_workers(given.workers)
    scheduler = None if given.scheduler is None else jobs.check_scheduler(given.scheduler)
    path = jobs.table_path(given.name, given.into)
    from tinyvgg.training import sweeps as command

    if given.dry_run:
        command.list_jobs(plan)
        return 0
    failed = command.do_jobs(plan, path, workers, scheduler)
    return JOBS_FAILED if failed else 0
