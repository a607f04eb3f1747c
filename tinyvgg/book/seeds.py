"""What the notebooks record of several networks: a row a seed and quantity, in one table.

For each seed both networks are trained, and the notebooks that measure something are executed.
"""

import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from tinyvgg import files
from tinyvgg.book import notebooks, reproduce
from tinyvgg.book.records import Records, collect
from tinyvgg.book.reproduce import Reproduction
from tinyvgg.chapters.statistics import COLUMNS, OF_A_SEED, read_tables
from tinyvgg.faces.sources import synthfaces
from tinyvgg.training import sweeps
from tinyvgg.training.experiments import Study, open_study
from tinyvgg.training.settings import RECORDED, TRAINED
from tinyvgg.training.sweeps import Job, Row

NUMERIC = ("02", "03", "04", "06", "07", "08", "09")
"""The notebooks whose numbers depend on the networks."""
THREADS = 1
"""Threads of each training and notebook, so that no number depends on how many run at once."""


def table_path(profile: str, faces: str) -> Path:
    """Return the path of the table: the committed one for the usual faces at quick."""
    usual = {"profile": profile, "faces": faces}.items() <= RECORDED.items()
    return (files.results() if usual else files.build() / "seeds") / "seeds.csv"


def make_table(study: Study, seeds: Sequence[int], path: Path, workers: int | None = None) -> int:
    """Train and analyse the networks of some seeds, write their table, and return what failed.

    What an earlier call has done is not done again; the table is written whole after each seed.
    The work is that of processes, by default one a processor.
    """
    trainings = sweeps.plan(study, (), seeds, {})
    count = workers or synthfaces.cores()
    said = sweeps.forecast(study, trainings, count)
    print(f"{said}; then come the notebooks of each seed", flush=True)
    failed: list[tuple[Job, Row]] = []
    with sweeps.processes(count, THREADS) as executor:
        for job, row in sweeps.sweep(trainings, executor, desc="trainings", unit="network"):
            failed += [(job, row)] if "error" in row else []
    lost = {job.seed for job, _ in failed}
    whole = {job.seed: job for job in trainings if job.seed not in lost}
    each = [(("notebook", number),) for number in NUMERIC]
    jobs = [replace(job, settings=one) for job in whole.values() for one in each]
    ended = Counter[int]()
    with sweeps.processes(count, THREADS) as executor:  # new ones: the first keep much memory
        for job, row in sweeps.sweep(jobs, executor, analyse, "notebooks", "notebook"):
            failed += [(job, row)] if "error" in row else []
            ended[job.seed] += "error" not in row
            if ended[job.seed] == len(NUMERIC):
                write(path, row, collect(_of(job).place(notebooks.find(n)) for n in NUMERIC))
    for job, row in failed:
        print(f"failed: {job.name}: {row['error']}", file=sys.stderr)
    if whole:
        print(f"The table: {path}")
    return len(failed)


def analyse(job: Job) -> Row:
    """Execute a notebook of a seed if it is not current, and return the facts of its rows."""
    with sweeps.at_home(job.home):
        os.environ["OMP_NUM_THREADS"] = str(THREADS)  # of the notebooks' own processes
        made = _of(job)
        study = open_study(**made.parameters, progress=False)
        names = [study.run(task).name for task in study.tasks]
        fingerprint = study.faces.fingerprint
        facts = {"package_sha256": notebooks.package_digest(), "fingerprint": fingerprint}
        source = notebooks.find(dict(job.settings)["notebook"])
        if not reproduce.is_current(source, made, facts):
            reproduce.execute(source, made, facts)
    cpu = torch.backends.cpu.get_cpu_capability()
    made_with = f"torch {torch.__version__}, numpy {np.__version__}, {cpu}, threads {THREADS}"
    values = (study.source, fingerprint, job.profile, job.seed, " ".join(names), made_with)
    return dict(zip(OF_A_SEED, values, strict=True))


def _of(job: Job) -> Reproduction:
    """Return the parameters and the folder of a seed's notebooks."""
    asked = {"profile": job.profile, "faces": job.faces}
    folder = files.build() / "seeds" / notebooks.slug(asked) / f"seed-{job.seed}"
    return Reproduction({**asked, "seed": job.seed, "networks": TRAINED}, folder)


def write(path: Path, facts: Mapping[str, Any], found: Records) -> None:
    """Put what was recorded of one seed into a table, in place of what it had of this seed.

    Rows of the same source and profile whose faces were others go, too.
    """
    rows = [
        {**facts, "quantity": key, "value": number.value, "error": number.error}
        for key, number in found.numbers.items()
    ]
    fresh = pd.DataFrame(rows, columns=COLUMNS).astype(str)
    table = read_tables([path])
    same = (table["faces"] == facts["faces"]) & (table["profile"] == facts["profile"])
    other = table["fingerprint"] != facts["fingerprint"]
    kept = table[~(same & (other | (table["seed"] == str(facts["seed"]))))]
    table = pd.concat([kept, fresh]).astype({"seed": int})
    table = table.sort_values(["faces", "profile", "seed"], kind="stable")
    files.write_whole(path, lambda to: table.to_csv(to, index=False, lineterminator="\n"))
