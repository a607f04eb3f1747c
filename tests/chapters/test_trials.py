"""Trials: what they train, what they measure, and the record that claims are judged by."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from tests.helpers import small_runs
from tinyvgg import cli, deconvolve, files, record
from tinyvgg.chapters import augmentation, paper_size, trials
from tinyvgg.chapters.augmentation import AREA, FILL, Erasing
from tinyvgg.chapters.deconvolution import correlations, edges
from tinyvgg.chapters.statistics import networks, trial_records
from tinyvgg.chapters.verdicts import judge
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import synthfaces
from tinyvgg.training.experiments import open_study
from tinyvgg.training.settings import Design
from tinyvgg.training.tiny_vgg import build


@pytest.fixture
def study(monkeypatch):
    """Return a study of the usual faces whose networks nobody trains."""
    monkeypatch.setattr(trials.sweeps, "tasks_of", lambda source: ("subject", "emotion"))
    study = open_study("quick", "synthetic", progress=False)
    vars(study)["faces"] = small_runs.run("emotion").faces
    return study


def done(jobs, **found):
    """Return a row a job, as if its network had been trained."""
    rows = []
    for job in jobs:
        row = {"task": job.task, "seed": job.seed, **dict(job.settings)}
        rows.append(row | {name: value(row) for name, value in found.items()})
    return rows


def test_each_optimiser_takes_the_rate_with_the_fewest_held_out_errors(study):
    asked = []

    def do(jobs):
        asked.append(jobs)
        held_out = lambda row: [0.5, 0.2 if row["rate"] in (0.01, 3e-4) else 0.3]  # noqa: E731
        errors = lambda row: 9 + 10 * (row["optimiser"] != "sgd") + row["seed"]  # noqa: E731
        return done(jobs, validation_errors=held_out, errors=errors, last_epoch=lambda _: 30)

    rows, numbers = trials.optimisers(study, do)
    choice, final = asked
    assert {job.seed for job in choice} == {100}
    assert {dict(job.settings)["selection"] for job in choice} == {"validation"}
    assert len(choice) == 2 * 3 * 3
    assert len(final) == 2 * 3 * 5
    chosen = {dict(job.settings)["optimiser"]: dict(job.settings)["rate"] for job in final}
    assert chosen == {"sgd": 0.01, "adam": 3e-4, "adagrad": 0.01}
    assert all("selection" not in dict(job.settings) for job in final)
    assert numbers["p2.subject.adam_ratio"] == {s: (19.5 + s) / (9.5 + s) for s in range(5)}
    assert numbers["p2.emotion.sgd_last_epoch"] == dict.fromkeys(range(5), 30)
    assert len(rows) == len(choice) + len(final)


def test_of_equal_rates_the_smaller_one_is_chosen(study):
    def do(jobs):
        same = {"validation_errors": lambda _: [0.1], "errors": lambda _: 1}
        return done(jobs, last_epoch=lambda _: 1, **same)

    rows, _ = trials.optimisers(study, do)
    rates = {(row["optimiser"], row["rate"]) for row in rows if row["seed"] == 0}
    assert rates == {(name, known[0]) for name, known in trials.RATES.items()}


def test_a_deep_network_learns_if_it_leaves_the_plateau_and_fails_if_it_diverges(study):
    def do(jobs):
        return done(jobs, left_plateau=lambda row: 3 if row["initialisation"] == "he" else None)

    _, numbers = trials.depth(study, do)
    assert numbers["p3.both.he_learns"] == {0: 1.0, 1: 1.0, 2: 1.0}
    assert numbers["p3.both.glorot_fails"] == {0: 1.0, 1: 1.0, 2: 1.0}
    rows, numbers = trials.depth(study, lambda jobs: [r | {"error": "x"} for r in done(jobs)])
    assert set(numbers["p3.both.he_learns"].values()) == {0.0}
    assert {(row["task"], row["architecture"]) for row in rows} == {
        ("subject", "vgg16"),
        ("emotion", "vgg16"),
        ("emotion", "vgg19"),
    }
    assert {row["epochs"] for row in rows} == {trials.DEEP_EPOCHS}


def test_other_layers_are_compared_with_the_plain_network_of_the_same_seed(study):
    of = {"tinyvgg": 0.3, "average": 0.1, "inception": 0.4}

    def do(jobs):
        edge = lambda row: of[row["architecture"]] + 0.01 * row["seed"]  # noqa: E731
        return done(jobs, edges=edge, errors=lambda _: 1)

    _, numbers = trials.layers(study, do)
    assert numbers["p4.emotion.average_more"] == pytest.approx(dict.fromkeys(range(3), -0.2))
    assert numbers["p4.subject.inception_more"] == pytest.approx(dict.fromkeys(range(3), 0.1))


def test_erased_networks_are_compared_with_those_trained_on_and_at_random_places(study):
    of = dict(zip(augmentation.KINDS, (20, 10, 1, 1, 40, 1, 1), strict=True))

    def do(jobs):
        return done(jobs, errors=lambda row: of.get(row.get("augmentation"), 0))

    _, numbers = augmentation.trial(study, do)
    assert numbers["w1.emotion.tracked_to_none"] == dict.fromkeys(range(5), 10.5 / 20.5)
    assert numbers["w1.emotion.tracked_to_moved"] == dict.fromkeys(range(5), 10.5 / 40.5)


@pytest.mark.parametrize("name", ["tinyvgg", "average", "inception"])
def test_what_is_deconvolved_through_other_layers_is_the_adjoint_of_their_pass(name):
    model = build(Design(architecture=name), 8, 16, 8, (24, 16)).double().eval()
    images = torch.rand(3, 3, 16, 16, dtype=torch.float64)
    found = deconvolve(record(model, images, model.features))
    assert not any(layer._backward_hooks for layer in model.modules())
    if name == "tinyvgg":
        torch.testing.assert_close(found, deconvolve(record(model, images)))
        return
    by_hand = slowly(model.features, images)
    torch.testing.assert_close(found, by_hand)


def slowly(layers, images):
    """Return the deconvolution of a chain layer by layer, the branches of an inception summed."""
    passed = [images]
    for layer in layers:
        passed.append(layer(passed[-1]))
    back = passed[-1].detach()
    for layer, before in zip(reversed(list(layers)), reversed(passed[:-1]), strict=True):
        back = undone(layer, before.detach(), back)
    return back


def undone(layer, before, back):
    if isinstance(layer, torch.nn.ReLU):
        return back.clamp_min(0)
    if isinstance(layer, torch.nn.AvgPool2d):
        return (back / 4).repeat_interleave(2, 2).repeat_interleave(2, 3)
    if isinstance(layer, torch.nn.Conv2d):
        return torch.nn.functional.conv_transpose2d(back, layer.weight, padding=layer.padding)
    if isinstance(layer, torch.nn.MaxPool2d):
        before = before.requires_grad_()
        return torch.autograd.grad(layer(before), before, back)[0]
    if isinstance(layer, torch.nn.Sequential):
        passed = [before]
        for each in layer:
            passed.append(each(passed[-1]).detach())
        for each, given in zip(reversed(list(layer)), reversed(passed[:-1]), strict=True):
            back = undone(each, given, back)
        return back
    branches = [layer.branch1, layer.branch2, layer.branch3, layer.branch4]
    parts = back.split([len(branch(before)[0]) for branch in branches], 1)
    return sum(undone(branch, before, part) for branch, part in zip(branches, parts, strict=True))


def test_projections_are_measured_against_the_edges_of_their_images():
    run = small_runs.run("emotion")
    found = trials.projections(run)
    rows = run.split.test
    images = run.tensor(rows)
    ink = deconvolve(record(run.model, images, run.model.features)).abs().mean(1)
    values = correlations(ink, edges(images))
    assert found["edges"] == pytest.approx(float(values[values.isfinite()].mean()), abs=1e-6)
    assert 0 < found["on_face"] < 1
    assert found["pictures"]["tinyvgg.images"].shape == (4, 16, 16, 3)
    assert found["pictures"]["tinyvgg.projections"].dtype == np.uint8


def made(monkeypatch, tmp_path, claim="P4"):
    """Make the record of a trial whose networks are not trained."""
    monkeypatch.setattr(files, "results", lambda: tmp_path)
    monkeypatch.setattr(files, "build", lambda: tmp_path / "build")
    study = open_study("quick", "synthetic", progress=False)
    vars(study)["faces"] = replace(small_runs.run("emotion").faces, fingerprint="f" * 16)

    def measured(jobs, *rest):
        for row, job in zip(done(jobs), jobs, strict=True):
            edge = 0.3 - 0.1 * (dict(job.settings)["architecture"] != "tinyvgg") + 0.01 * job.seed
            row |= {"edges": edge, "errors": 5, "seconds": 60.0, "run": job.name, "device": "cpu"}
            drawn = np.zeros((1, 2, 2, 3), np.uint8)
            yield (
                job,
                row
                | {"made_with": "torch", "train_errors": [0.5, 1 / 3], "pictures": {"a": drawn}},
            )

    monkeypatch.setattr(trials.sweeps, "sweep", measured)
    monkeypatch.setattr(trials.sweeps, "forecast", lambda *asked: "it takes a while")
    return trials.make(claim, study, workers=1)


def test_a_record_has_its_provenance_and_decides_the_claim(monkeypatch, tmp_path, capsys):
    path = made(monkeypatch, tmp_path)
    assert capsys.readouterr().out.startswith("it takes a while")
    kept = json.loads(path.read_text())
    assert path == tmp_path / "trials" / "P4.json"
    facts = {"trial": "P4", "profile": "quick", "faces": "synthetic", "seconds": 18 * 60}
    assert facts.items() <= kept.items()
    assert (kept["device"], kept["made_with"]) == (["cpu"], ["torch"])
    assert kept["networks"][0]["train_errors"] == "0.5 0.3333"
    with np.load(path.with_suffix(".npz")) as pictures:
        assert "emotion.a" in pictures
    assert trial_records("quick", "f" * 16)["P4"]["path"] == path
    assert not trial_records("smoke", "f" * 16)
    found = networks("quick", "f" * 16)
    assert found.values("p4.emotion.average_more")[0] == pytest.approx([-0.1] * 3)
    assert judge(found)["P4"].verdict == "supported"
    assert len(networks("quick", "f" * 16, trials=False)) == 0


def test_a_network_that_cannot_be_trained_is_named_and_nothing_is_written(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(trials.sweeps, "run_job", None)

    def fails(jobs, *rest):
        return ((job, {"error": "no space left"}) for job in jobs)

    with monkeypatch.context() as patched:
        patched.setattr(files, "results", lambda: tmp_path)
        patched.setattr(trials.sweeps, "sweep", fails)
        patched.setattr(trials.sweeps, "forecast", lambda *asked: "")
        study = open_study("quick", "synthetic", progress=False)
        vars(study)["faces"] = small_runs.run("emotion").faces
        with pytest.raises(UserError, match="18 of 18 networks failed; the first: no space left"):
            trials.make("P4", study, workers=1)
    assert "failed: subject, seed 0, architecture=tinyvgg: no space" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_network_sees_erased_images_in_training_alone():
    seen = []

    class Watching(torch.nn.Module):
        def forward(self, images):
            seen.append(images)
            return images.mean((2, 3))

    images = torch.zeros(64, 4, 8, 8)
    images[:, 3, :2] = 255 / 256
    network = Erasing(Watching(), "tracked")
    torch.manual_seed(0)
    network.train()(images)
    network.eval()(images)
    trained, tested = seen
    assert not tested.any()
    erased = (trained == FILL).all(1)
    changed = erased.flatten(1).any(1)
    assert 16 < int(changed.sum()) < 48
    assert erased[changed][:, :2].all()
    assert not erased[:, 2:].any()


@pytest.mark.parametrize("kind", ["moved", "rectangles"])
def test_as_much_is_erased_at_random_places(kind):
    seen = []

    class Watching(torch.nn.Module):
        def forward(self, images):
            seen.append((images == FILL).all(1))
            return images.mean((2, 3))

    images = torch.zeros(64, 4, 30, 30)
    images[:, 3, :9, :10] = 255 / 256
    torch.manual_seed(0)
    Erasing(Watching(), kind).train()(images)
    areas = seen[0].flatten(1).double().mean(1)
    changed = areas[areas > 0]
    assert 16 < len(changed) < 48
    torch.testing.assert_close(changed, torch.full_like(changed, AREA), atol=0.02, rtol=0)
    assert len({tuple(mask.flatten().tolist()) for mask in seen[0]}) > 16


def test_features_of_the_strongest_wrong_class_are_marked_in_each_image():
    run, rows = small_runs.run("emotion"), np.arange(20)
    for kind in ("tracked", "contrastive", "parts"):
        marked = augmentation.places(run, rows, kind)
        assert set(marked.flatten(1).sum(1).tolist()) == {round(AREA * 16 * 16)}
    assert not augmentation.places(run, rows, "none").any()
    labels = run.faces.index.labels("emotion")
    for (trace, _, wrong), start in zip(augmentation.traces(run, rows), (0, 16), strict=True):
        true = torch.from_numpy(labels[start : start + len(trace)])
        assert (wrong.argmax(1) != true).all()
        other = trace.logits.clone()
        other[range(len(trace)), true] = -torch.inf
        assert (wrong == other).all()


def test_near_misses_are_the_half_with_the_smallest_margin_of_the_true_class():
    run, rows = small_runs.run("emotion"), np.arange(20)
    labels = torch.from_numpy(run.faces.index.labels("emotion")[rows])
    with torch.no_grad():
        logits = run.model(run.tensor(rows))
    true = logits[range(20), labels]
    wrong = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    expected = (true - wrong).argsort(stable=True)[:10].tolist()
    assert augmentation.near_misses(run, rows).tolist() == expected


def test_another_take_shows_the_same_person_otherwise():
    first, again = (synthfaces.face_spec(1, "happy", take=take) for take in (0, 1))
    assert first == synthfaces.face_spec(1, "happy")
    assert again == synthfaces.face_spec(1, "happy", take=1)
    assert (again.subject, again.seed, again.angle) == (first.subject, first.seed, first.angle)
    for cause in ("expression", "light", "head", "nuisance"):
        assert getattr(first, cause) != getattr(again, cause)


def test_the_command_runs_a_trial_at_smoke_and_goes_on_from_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path))
    runner = CliRunner()
    said = ["then 7 trainings", "then 2 trainings", "7 of 7 networks are measured already"]
    for words in said:
        ended = runner.invoke(cli.cli, ["trial", "W1", "--profile", "smoke", "--workers", "1"])
        assert ended.exit_code == 0, ended.output
        assert words in ended.output
        (path,) = (tmp_path / "build" / "trials").glob("W1-smoke-*.json")
        if words == said[0]:  # another machine has some of what was measured, and nothing else
            first = path.read_text()
            for kept in sorted(path.with_suffix("").iterdir())[:2]:
                kept.unlink()
            shutil.rmtree(tmp_path / "runs")
    assert without_times(path.read_text()) == without_times(first)
    rows = json.loads(path.read_text())["networks"]
    assert [row["augmentation"] for row in rows] == list(augmentation.KINDS)
    assert rows[-1]["training_images"] == 1.5 * rows[0]["training_images"]


def without_times(record):
    """Return a record without its times, which differ."""
    return re.sub(r'"seconds": [0-9.]+', "", record)


def test_what_was_measured_is_kept_by_all_that_it_depends_on(study):
    plans = [{}, {"architecture": ["average"]}, {"rate": [0.1]}]
    jobs = [job for s in plans for job in trials.sweeps.plan(study, (), [0, 1], s)]
    kinds = trials.sweeps.plan(study, (), [0], {"augmentation": ["none", "parts"]})
    names = [trials.name_of(study, job) for job in jobs]
    names += [trials.name_of(study, job, augmentation) for job in kinds]
    assert len(set(names)) == 3 * 4 + 4
    assert all(augmentation.VERSION in name for name in names[12:])


def test_the_record_of_the_papers_size_is_of_synthetic_faces_alone(tmp_path):
    ended = CliRunner().invoke(cli.cli, ["trial", "size", "--faces", f"rafd:{tmp_path}"])
    assert isinstance(ended.exception, UserError)
    assert "not the synthetic ones" in str(ended.exception)


def test_all_trials_are_those_of_the_command():
    assert set(cli.TRIALS) == {*trials.TRIALS, *trials.ANALYSES, *trials.MODULES, "size"}


def test_a_damaged_record_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "results", lambda: tmp_path)
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "P2.json").write_text("{")
    with pytest.raises(UserError, match=r"P2\.json.* damaged"):
        trial_records("quick", "f" * 16)


def test_networks_at_the_papers_size_are_recorded_with_their_pictures(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "results", lambda: tmp_path)
    study = open_study("paper", "synthetic", progress=False)
    faces = small_runs.run("emotion").faces
    vars(study)["faces"] = faces
    for task in ("subject", "emotion"):
        run = small_runs.run(task)
        facts = {**run.manifest, "seconds": 1.0, "last_epoch": 5, "training_images": 3}
        facts["precision"] = "float32"
        study._runs[task] = run.having(manifest=facts)
    columns = "faces,fingerprint,profile,seed,quantity,value,error,runs,made_with"
    rows = ["t2.subject.errors,7,0.0", "t2.subject.accuracy,0.5,0.1", "m2.emotion.worst,sad,0.0"]
    rows = [f"synthetic,f,paper,0,{row},a b,torch 2" for row in rows]
    table = tmp_path / "paper.csv"
    table.write_text("\n".join([columns, *rows, rows[0].replace("paper,0", "paper,1")]))
    assert paper_size.record() == {}
    path = paper_size.write(study, table)
    kept = json.loads(path.read_text())
    numbers = {"t2.subject.errors": 7, "t2.subject.accuracy": 0.5, "m2.emotion.worst": "sad"}
    assert kept == paper_size.record()
    assert kept["numbers"] == numbers
    assert (kept["device"]["emotion"], kept["last_epoch"]["subject"]) == ("cpu", 5)
    assert [row["task"] for row in kept["blindness"]] == ["subject", "emotion"]
    assert all(0 <= float(row["pixels"].split()[-1]) <= 1 for row in kept["blindness"])
    with np.load(path.with_suffix(".npz")) as arrays:
        count = len(arrays["subject.errors.true"])
        assert 0 < count <= paper_size.MOST
        assert arrays["subject.errors.tracked"].shape == (count, 16, 16)
        assert arrays["subject.pair.maps"].shape[1:] == (6, 2, 2)
        each = arrays["emotion.each.answers"]
        assert sorted(set(each.tolist())) == sorted(each.tolist())
        np.testing.assert_allclose(arrays["emotion.each.after"].sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize(("name", "networks"), [("P2", 9), ("P3", 3), ("P4", 3), ("W1", 5)])
def test_a_trial_runs_on_any_folder_of_photographs(
    name, networks, tmp_path, monkeypatch, draw_photographs
):
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / "home"))
    folder = draw_photographs(tmp_path / "photographs")
    for path in sorted(folder.rglob("*.png")):
        again = 255 - np.asarray(Image.open(path))[::-1]
        Image.fromarray(again).save(path.with_stem(f"{path.stem}-again"))
    source = f"folder:{folder}::crop=centre"
    arguments = ["trial", name, "--profile", "smoke", "--faces", source, "--workers", "1"]
    ended = CliRunner().invoke(cli.cli, arguments)
    assert ended.exit_code == 0, ended.output
    (path,) = (tmp_path / "home" / "build" / "trials").glob(f"{name}-smoke-*.json")
    kept = json.loads(path.read_text())
    assert len(kept["networks"]) == networks
    assert kept["device"] == ["cpu"]
    assert kept["numbers"]
    assert str(tmp_path) not in path.read_text()


@pytest.mark.parametrize("name", trials.ANALYSES)
def test_an_analysis_is_of_the_networks_of_both_tasks_and_its_seeds(name, study):
    _, seeds = trials.ANALYSES[name]
    rows, numbers = trials.analysis(seeds, study, done)
    of = [(task, seed) for task in ("subject", "emotion") for seed in range(seeds)]
    assert [(row["task"], row["seed"]) for row in rows] == of
    assert numbers == {}


def test_what_is_computed_of_a_network_is_kept_until_the_code_changes(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path))
    run, times = small_runs.run("emotion"), []
    monkeypatch.setattr(
        trials, "open_study", lambda *asked: type("", (), {"run": lambda s, t: run})()
    )
    monkeypatch.setattr(trials, "made_with", lambda run: {"run": run.name})

    def compute(run):
        times.append(run)
        return {"value": 2, "pictures": {"drawn": np.ones(2)}}

    job = trials.Job("smoke", "synthetic", 0, "emotion", (), str(tmp_path))
    for _ in range(2):
        row = trials.kept(job, compute)
        assert (row["value"], row["run"], row["task"]) == (2, run.name, "emotion")
        np.testing.assert_array_equal(row["pictures"]["drawn"], np.ones(2))
    assert len(times) == 1
    monkeypatch.setattr(trials.inspect, "getsource", lambda module: "other code")
    trials.kept(job, compute)
    assert len(times) == 2
