"""Interventions change one cause, and scores ask what they claim to ask."""

import inspect

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from tests.helpers import small_runs
from tinyvgg import cli
from tinyvgg.chapters import causes, interventions
from tinyvgg.chapters.interventions import CAUSES, PARTS, Outcomes, changed, outcomes
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import synthfaces
from tinyvgg.trace import record
from tinyvgg.training.experiments import Study, open_study
from tinyvgg.training.settings import Design
from tinyvgg.training.tiny_vgg import build

FEW = 4


@pytest.fixture(scope="module")
def few():
    """Return a small run and what becomes of a few of its test images."""
    run = small_runs.run("emotion")
    every = interventions.chosen
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interventions, "chosen", lambda run: tuple(p[:FEW] for p in every(run)))
        row = outcomes(run)
    return run, row, Outcomes(**row["pictures"])


@pytest.mark.parametrize("cause", CAUSES)
def test_an_intervention_changes_one_cause_and_nothing_else(cause):
    shown = dict.fromkeys(("browDown", "eyeWide", "noseSneer", "mouthSmile"), 0.5)
    spec = synthfaces.intervene(synthfaces.face_spec(1, "happy", "frontal", 45), actions=shown)
    after = changed(spec, cause, "angry", "frontal")
    fields = {"light": "light", "camera": "angle", "hair": "hair", "skin": "skin"}
    of = fields.get(cause, "expression")
    assert getattr(after, of) != getattr(spec, of)
    for field in inspect.signature(synthfaces.FaceSpec).parameters:
        assert field == of or getattr(after, field) == getattr(spec, field)
    if cause in PARTS:
        moved = {n for n, w in spec.expression.actions.items() if after.expression.actions[n] != w}
        assert moved
        assert all(name.startswith(PARTS[cause][0]) for name in moved)
        assert not any(after.expression.actions[name] for name in moved)


def test_errors_are_held_against_the_truth_and_right_images_against_the_runner_up():
    run = small_runs.run("emotion")
    places, against = interventions.chosen(run)
    wrong = run.predicted[places] != run.labels[places]
    assert wrong.sum() == len(run.errors) == len(places) - wrong.sum()
    np.testing.assert_array_equal(against[wrong], run.labels[places[wrong]])
    for place, other in zip(places[~wrong], against[~wrong], strict=True):
        assert other == run.logits[place].argsort(descending=True)[1] != run.predicted[place]


def test_each_image_is_rendered_again_as_it_was_but_for_its_cause(few):
    run, row, found = few
    rows = run.split.test[found.places]
    specs = list(synthfaces.face_specs(run.faces.index.table.iloc[rows]))
    emotion = run.classes[found.against[1]]
    gaze = run.faces.index.table["gaze"].iloc[rows[1]]
    image = synthfaces.render_face(changed(specs[1], "lower", emotion, gaze), run.size)
    with torch.no_grad():
        logits = run.model(run.scaling(torch.from_numpy(image[None])))[0]
    torch.testing.assert_close(torch.from_numpy(found.logits[1, 1]), logits)
    difference = np.abs(image.astype(int) - run.faces.images[rows[1]]).max(-1)
    np.testing.assert_array_equal(found.masks[1, 1], difference >= interventions.VISIBLE)
    flipped = found.logits[:, CAUSES.index("skin")].argmax(1) != run.predicted[found.places]
    assert row["flips"]["skin"] == flipped.astype(int).tolist()
    for place, other in enumerate(found.lookalikes):
        if other >= 0:
            label = run.faces.index.labels("emotion")[other]
            assert label == found.against[place]


def test_every_method_returns_a_strength_for_each_pixel(few):
    run, _, found = few
    scored = causes.scores(run, found, causes.METHODS)
    assert set(scored["half"]) == set(causes.METHODS)
    assert set(scored["pixel"]) == {*causes.METHODS, causes.MEAN_MASK}
    for name, maps in causes._maps(run, found, causes.METHODS).items():
        assert maps.shape == (FEW, 16, 16), name
        assert (maps >= 0).all()


def test_an_auc_is_the_share_of_pairs_in_order():
    generator = np.random.default_rng(0)
    scores, positive = generator.integers(0, 5, 40).astype(float), generator.random(40) < 0.3
    pairs = [(a > b) + (a == b) / 2 for a in scores[positive] for b in scores[~positive]]
    assert causes.auc(scores, positive) == pytest.approx(np.mean(pairs))
    assert np.isnan(causes.auc(scores, np.ones(40, bool)))


@pytest.fixture(scope="module")
def planted():
    """Return made-up faces, upper half above lower half, and which half flips each answer."""
    generator = np.random.default_rng(1)
    parts = np.zeros((200, 8, 8), np.uint8)
    parts[:, :4], parts[:, 4:] = synthfaces.FacePart.EYES, synthfaces.FacePart.MOUTH
    upper = generator.random(200) < 0.5
    flips = np.stack([upper, ~upper], 1)
    flips[:20] = generator.random((20, 1)) < 0.5  # both or neither: not asked
    masks = np.zeros((200, 2, 8, 8), bool)
    masks[:, 0, 1, 1:3] = masks[:, 1, 6, 1:3] = True
    return parts, flips, masks, np.repeat(np.arange(20), 10)


def test_a_map_on_the_half_that_flips_is_right_and_a_random_one_within_its_interval(planted):
    parts, flips, masks, subjects = planted
    right = (masks * flips[..., None, None]).sum(1).astype(float)
    assert causes.which_half(right, parts, flips, subjects) == (1.0, 0.0)
    only = flips.sum(1) == 1
    assert causes.which_pixels(right[only], masks[only], flips[only], subjects[only]).value == 1
    drawn = np.random.default_rng(0).random(right.shape)
    for found in (
        causes.which_half(drawn, parts, flips, subjects),
        causes.which_pixels(drawn, masks, flips, subjects),
    ):
        assert abs(found.value - 0.5) < 2 * found.error + 0.02


def test_parts_are_ranked_by_what_their_loss_costs():
    sums = np.array([[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
    parts = np.zeros((2, 2, 4), np.uint8)
    maps = np.zeros((2, 2, 4))
    for column, (_, seen) in enumerate(PARTS.values()):
        parts[:, 0, column] = synthfaces.FacePart[seen[0]]
        maps[:, 0, column] = sums[:, column]
    losses = np.array([[8.0, 5.0, 1.0, 0.0], [9.0, 1.0, 0.0, -1.0]])
    found = causes.which_part(maps, parts, losses, np.array([1, 2]))
    assert found.value == pytest.approx(0.0)
    assert causes.which_part(maps[:1], parts[:1], losses[:1], np.array([1])).value == pytest.approx(
        1
    )


@pytest.mark.parametrize("name", ["nowhere:f", "math:nothing", "", "math"])
def test_a_method_that_is_not_there_is_refused_by_name(name):
    ended = CliRunner().invoke(cli.cli, ["audit", name])
    assert isinstance(ended.exception, UserError)
    assert repr(name) in str(ended.exception)


def test_a_method_of_ones_own_is_scored_beside_a_random_map(few, monkeypatch):
    run, row, _ = few
    monkeypatch.setattr(causes, "kept", lambda job, compute: row)

    study = open_study("smoke", "synthetic", progress=False)
    vars(study)["faces"] = run.faces
    monkeypatch.setattr(Study, "run", lambda study, task: run)
    table = causes.audit(study, [0, 1], "here:mine", lambda model, images, answers: images.abs())
    assert list(table.index) == ["here:mine", "random", causes.MEAN_MASK]
    with pytest.raises(UserError, match=r"'here:less' returned maps of \(2, 3\)"):
        causes.audit(study, [0], "here:less", lambda *asked: torch.zeros(2, 3))


@pytest.fixture(scope="module")
def shortcut():
    """Return what methods are asked about images that a mark in a corner makes the first class."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(240, 3, 32, 32, generator=generator)
    labels = torch.randint(3, (240,), generator=generator)
    marks = torch.zeros(32, 32, dtype=torch.bool)
    marks[2:8, 24:30] = True
    tint = torch.tensor([[0.0, 0.0, 0.0], [0.3, 0.0, 0.0], [0.0, 0.3, 0.0]])[labels]
    images = images * 0.5 + tint[:, :, None, None]
    plain, images = images, torch.where(marks & (labels == 0)[:, None, None, None], 1.0, images)
    model = build(Design(initialisation="he"), 3, 32, 12, (32, 24), seed=1)
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimiser.step()
    model.eval().requires_grad_(False)
    others = record(model, plain[labels != 0])
    trace = record(model, torch.where(marks, 1.0, plain[labels != 0]))
    flipped = ((trace.predicted == 0) & (others.predicted == labels[labels != 0])).nonzero()[:, 0]
    assert len(flipped) > 40
    trace, others = trace[flipped], others[flipped]
    asked = causes.Asked(model, trace, trace.predicted, others.predicted, others)
    masks = marks.expand(len(flipped), 2, -1, -1).numpy()
    flips = np.stack([np.ones(len(flipped), bool), np.zeros(len(flipped), bool)], 1)
    return asked, masks, flips


@pytest.mark.parametrize("name", ["contributions", "contrastive", "unique"])
def test_a_planted_shortcut_is_found(shortcut, name):
    asked, masks, flips = shortcut
    maps = causes.marked(asked, causes.METHODS[name](asked)).double().numpy()
    found = causes.which_pixels(maps, masks, flips, np.arange(len(maps)))
    assert found.value >= 0.9


def test_a_random_method_does_not_find_a_planted_shortcut(shortcut):
    asked, masks, flips = shortcut
    maps = causes.METHODS["random"](asked).double().numpy()
    found = causes.which_pixels(maps, masks, flips, np.arange(len(maps)))
    assert abs(found.value - 0.5) < 2 * found.error
