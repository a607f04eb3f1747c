"""The page on several machines: its commands are what their programs take, and nothing is begun."""

import re

import pytest
from distributed.cli import dask_scheduler, dask_worker
from torch.distributed.run import config_from_args, parse_args

from tinyvgg.cli import cli


@pytest.fixture(scope="module")
def blocks(repository):
    """Return the page's lines of a language."""
    page = (repository / "book" / "clusters.md").read_text("utf-8").replace("\\\n", "")
    return lambda kind: "".join(re.findall(rf"(?s)```{kind}\n(.*?)```", page)).splitlines()


def test_its_commands_are_what_their_programs_take(blocks):
    torchrun, scheduler, worker, sweep = (x.split() for x in blocks("sh"))
    parsed = parse_args(torchrun[1:])
    assert config_from_args(parsed)[0].min_nodes == 2
    assert (parsed.training_script, parsed.training_script_args[0]) == ("tinyvgg", "train")
    cli.commands["train"].make_context("train", parsed.training_script_args[1:])
    dask_scheduler.main.make_context("scheduler", scheduler[2:])
    asked = dask_worker.main.make_context("worker", worker[2:]).params
    chosen = cli.commands["sweep"].make_context("sweep", sweep[2:]).params
    assert chosen["scheduler"] == asked["scheduler"]


@pytest.mark.filterwarnings("ignore:Port .* is already in use")
def test_a_job_for_slurm_is_shown_before_one_is_submitted(blocks, capsys):
    names, program = {}, "\n".join(blocks("python")).replace("eth0", "lo")
    exec(program[: program.index("slurm.scale")], names)
    with names["slurm"] as slurm:
        script = capsys.readouterr().out.splitlines()
        assert not slurm.workers
        assert f" tcp://127.0.0.1:{slurm.scheduler.port} " in script[-2]
