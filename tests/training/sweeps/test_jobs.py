"""What a sweep is asked for: checked at once, and multiplied out."""

import pickle
from pathlib import Path

import pytest

from tests.helpers.small_jobs import sweeping
from tinyvgg import cli
from tinyvgg.errors import UserError
from tinyvgg.training.experiments import Study, open_study
from tinyvgg.training.sweeps import plan


@pytest.fixture
def study(faces: str) -> Study:
    return open_study("smoke", faces, 0, False)


def test_every_task_setting_and_seed_meet_once_and_seeds_vary_fastest(study: Study) -> None:
    settings = {"optimiser": ["sgd", "adam"], "rate": [0.1, 0.01]}
    jobs = plan(study, [], [3, 5], settings)
    assert [(*dict(job.settings).values(), job.seed) for job in jobs] == [
        (optimiser, rate, seed)
        for optimiser in ("sgd", "adam")
        for rate in (0.1, 0.01)
        for seed in (3, 5)
    ]
    assert {job.task for job in jobs} == {"class"}
    assert jobs[0].name == "class, seed 3, optimiser=sgd, rate=0.1"


def test_a_job_travels_and_means_the_same_everywhere(
    faces: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(faces.removeprefix("folder:").removesuffix("::crop=centre"))
    monkeypatch.chdir(place.parent)
    study = open_study("smoke", f"folder:{place.name}::crop=centre", 0, False)
    (job,) = plan(study, [], [0], {"rate": [0.1]})
    assert (job.faces, job.home) == (faces, str(home))
    assert {job, pickle.loads(pickle.dumps(job))} == {job}


def test_tasks_are_among_the_known_ones(study: Study) -> None:
    with pytest.raises(UserError, match="task 'emotion' is not one of class"):
        plan(study, ["emotion"], [0], {})


def test_a_column_that_no_network_can_be_trained_for_is_no_task(faces: str) -> None:
    place = Path(faces.removeprefix("folder:").removesuffix("::crop=centre"))
    paths = [path.relative_to(place) for path in sorted(place.rglob("*.png"))]
    rows = [f"{path},{number},{path.parent}" for number, path in enumerate(paths)]
    (place / "a.csv").write_text("\n".join(["path,subject,class", *rows]))
    study = open_study("smoke", f"folder:{place / 'a.csv'}::crop=centre", 0, False)
    assert {job.task for job in plan(study, [], [0], {})} == {"class"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--seeds", "4-0"),
        ("--seeds", "4-"),
        ("--set", "colour=red"),
        ("--workers", "0"),
        ("--name", "a/b"),
    ],
)
def test_bad_input_is_named_and_writes_nothing(
    faces: str, home: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    assert cli.main(sweeping(faces, option, value)) == cli.BAD_INPUT
    assert value.partition("=")[0] in capsys.readouterr().err.splitlines()[-1]
    assert not (home / "runs").exists()
