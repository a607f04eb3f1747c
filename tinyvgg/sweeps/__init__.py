"""Sweeps: many networks over seeds and settings, and what rules of backtracking find in each."""

from tinyvgg.extras import need

need("faces", "filelock", "pandas", "safetensors", "scipy", "tqdm")

from tinyvgg.jobs import Job, plan
from tinyvgg.sweeps.findings import RULES, Finding, explain
from tinyvgg.sweeps.sweep import sweep
from tinyvgg.sweeps.table import summary, tabulate
from tinyvgg.sweeps.work import Row, run_job, states

__all__ = [
    "RULES",
    "Finding",
    "Job",
    "Row",
    "explain",
    "plan",
    "run_job",
    "states",
    "summary",
    "sweep",
    "tabulate",
]
