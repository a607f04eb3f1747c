"""A small run on random images, and its errors beside their look-alikes."""

import pytest

from tests.helpers import small_runs
from tinyvgg.chapters.cases import Pairs, find_cases, record_pairs
from tinyvgg.training.runs import Run


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest) -> Run:
    """Return the run on the module's TASK, by default emotion."""
    return small_runs.run(getattr(request.module, "TASK", "emotion"))


@pytest.fixture(scope="module")
def pairs(run: Run) -> Pairs:
    return record_pairs(run, find_cases(run))
