"""What a sweep is asked for: typed, checked at once, and multiplied out."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.small_jobs import environment
from tinyvgg import cli
from tinyvgg.errors import UserError
from tinyvgg.training.sweeps import (
    RULE_NAMES,
    RULES,
    check_scheduler,
    parse_names,
    parse_seeds,
    parse_settings,
    parse_workers,
    plan,
    table_path,
)


def test_every_task_setting_and_seed_meet_once_and_seeds_vary_fastest() -> None:
    settings = {"optimiser": ["sgd", "adam"], "rate": [0.1, 0.01]}
    jobs = plan("smoke", "synthetic", ["emotion"], [3, 5], settings, ["cutoff"])
    assert [(dict(job.settings)["optimiser"], job.settings[1][1], job.seed) for job in jobs] == [
        (optimiser, rate, seed)
        for optimiser in ("sgd", "adam")
        for rate in (0.1, 0.01)
        for seed in (3, 5)
    ]
    assert {job.task for job in plan("smoke", "synthetic", [], [0], {}, [])} == {
        "subject",
        "emotion",
    }
    assert jobs[0].name == "emotion, seed 3, optimiser=sgd, rate=0.1"


def test_a_job_travels_and_means_the_same_everywhere(
    faces: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(faces.partition(":")[2])
    monkeypatch.chdir(place.parent)
    (job,) = plan("smoke", f"folder:{place.name}", [], [0], {"rate": [0.1]}, ["literal"])
    assert job.faces == faces
    assert job.home == str(home)
    assert pickle.loads(pickle.dumps(job)) == job
    assert len({job, pickle.loads(pickle.dumps(job))}) == 1


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0", [0]), ("0-4", [0, 1, 2, 3, 4]), ("2, 0,1", [2, 0, 1]), ("0-2,7,1", [0, 1, 2, 7])],
)
def test_seeds_are_numbers_and_ranges(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "seeds '' are not whole numbers such as 0,1,2 or 0-4"),
        ("-1", "seeds '-1' are not whole numbers"),
        ("one", "seeds 'one' are not whole numbers"),
        ("0,,1", "seeds '' are not whole numbers"),
        ("4-0", "seeds '4-0' run backwards: 0-4"),
        ("0-99999999999", "seeds '0-99999999999' are 100000000000; the most are 10000"),
    ],
)
def test_what_is_no_seed_is_named(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse_seeds(text)


def test_values_of_a_setting_are_taken_once_each_and_a_setting_once() -> None:
    assert parse_settings(["rate=0.1,1e-1,0.2", "epochs=3"]) == {"rate": [0.1, 0.2], "epochs": [3]}
    with pytest.raises(UserError, match="setting 'rate' is given twice"):
        parse_settings(["rate=0.1", "epochs=3", "rate=0.2"])


def test_names_are_among_the_known_ones() -> None:
    assert parse_names("cutoff, literal,cutoff", RULE_NAMES, "rule") == ["cutoff", "literal"]
    assert parse_names("", RULE_NAMES, "rule") == []
    with pytest.raises(UserError, match="rule 'deep' is not one of literal, cutoff, published"):
        parse_names("literal,deep", RULE_NAMES, "rule")
    assert tuple(RULES) == RULE_NAMES


def test_an_address_and_a_name_are_what_they_should_be(home: Path) -> None:
    for address in ("tcp://10.0.0.1:8786", "tls://host.example:1", "tcp://[::1]:8786"):
        assert check_scheduler(address) == address
    for address in ("10.0.0.1:8786", "tcp://host", "foo://host:1", ""):
        with pytest.raises(UserError, match="is not an address such as tcp://127.0.0.1:8786"):
            check_scheduler(address)
    assert table_path("rates-1.2") == home / "build" / "sweeps" / "rates-1.2.csv"
    for name in ("", "../up", "a/b", ".hidden"):
        with pytest.raises(UserError, match="is not letters, digits"):
            table_path(name)
    for workers in ("0", "-1", "two", "1.5", "99999"):
        with pytest.raises(UserError, match="is not a whole number from 1"):
            parse_workers(workers)


def test_tasks_are_those_of_the_faces() -> None:
    with pytest.raises(UserError, match="task 'class' is not one of subject, emotion"):
        plan("smoke", "synthetic", ["class"], [0], {}, [])


BAD: list[list[Any]] = [
    ["--profile", "fast"],
    ["--faces", "rafd"],
    ["--task", "class"],
    ["--seeds", "x"],
    ["--set", "colour=red"],
    ["--set", "rate"],
    ["--rules", "deep"],
    ["--workers", "0"],
    ["--scheduler", "somewhere"],
    ["--name", "a/b"],
]


def test_bad_input_is_one_line_before_anything_large_is_imported_and_writes_nothing(
    tmp_path: Path,
) -> None:
    code = (
        "import sys\nfrom tinyvgg import cli\n"
        f"for given in {BAD}:\n"
        f"    assert cli.main(['sweep', *given]) == {cli.BAD_INPUT}\n"
        "print(*{'torch', 'pandas', 'numpy', 'distributed'}.intersection(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment(), cwd=tmp_path
    )
    assert done.stdout.split() == []
    lines = done.stderr.splitlines()
    assert len(lines) == len(BAD)
    assert all(line.startswith("tinyvgg: ") for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_workers_and_a_scheduler_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["sweep", "--workers", "2", "--scheduler", "tcp://127.0.0.1:1"])
    assert ended.value.code == cli.BAD_INPUT
    assert "not allowed with" in capsys.readouterr().err
