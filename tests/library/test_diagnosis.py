"""Errors of a model on a loader, each as it is explained alone, and faults that are planted."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tests.helpers import small
from tests.zoo import ZOO
from tinyvgg import diagnosis
from tinyvgg.backtracking import Contrastive, backtrack
from tinyvgg.diagnosis import explain_errors
from tinyvgg.errors import UserError
from tinyvgg.repairs import margin, repair
from tinyvgg.trace import record
from tinyvgg.tracking import rescore, track_features

SIDE, CLASSES, MARKED = 24, ["across", "down", "falling", "rising"], 12
LABELS = torch.arange(20) % small.CLASSES


def loader(images, labels, batch=7):
    return DataLoader(TensorDataset(images, labels), batch_size=batch)


def silent(*args, **kwargs):
    with warnings.catch_warnings(action="ignore"):
        return explain_errors(*args, progress=False, **kwargs)


def test_each_error_is_explained_as_it_is_alone(monkeypatch):
    monkeypatch.setattr(diagnosis, "PART", 3)
    net, images = small.model(bias=0.3), small.images(20)
    found, answers = silent(net, loader(images, LABELS)), net.eval()(images).argmax(1)
    assert found.wrong.tolist() == (answers != LABELS).tolist()
    assert found.table.index.tolist() == (answers != LABELS).nonzero()[:, 0].tolist()
    for place, (row, about) in enumerate(found.table.iterrows()):
        trace, label = record(net, images[row, None]), LABELS[row, None]
        alone, contrast = repair(trace, label), backtrack(trace, None, Contrastive(label)).pixels
        assert (about.true, about.predicted) == (str(int(label)), str(int(answers[row])))
        assert about.margin == pytest.approx(float(margin(trace.logits, label)))
        assert torch.equal(torch.from_numpy(found.repair[place]), alone.pixels[0])
        assert torch.equal(torch.from_numpy(found.contrastive[place]), contrast[0])
        assert (about.cells, about.contrastive) == (int(alone.size), int(contrast.sum()))
        assert (about.repaired, about.minimal) == (bool(alone.repaired), bool(alone.minimal))
        assert about.contrastive_repairs == (int(rescore(trace, contrast).argmax()) == int(label))
        kept = backtrack(trace).pixels.sum() / (trace.maps != 0).sum()
        assert about.kept == pytest.approx(float(kept))
        features = track_features(trace, alone.pixels).abs().mean(1)[0].numpy()
        assert np.corrcoef(found.features[place].ravel(), features.ravel())[0, 1] > 0.999


def test_so_many_are_explained_and_all_are_counted():
    net, images = small.model(bias=0.3), small.images(20)
    every = silent(net, loader(images, LABELS))
    few = silent(net, loader(images, LABELS), most=3)
    assert len(few) == 3 < len(every)
    assert few.wrong.tolist() == every.wrong.tolist()
    pd.testing.assert_frame_equal(few.table, every.table[:3])
    assert len(few.show(columns=2).axes) == 4
    none = silent(net, loader(images, net.eval()(images).argmax(1)))
    assert len(none) == len(none.families()) == 0
    assert not none.wrong.any()


@pytest.mark.filterwarnings("ignore:Implicit dimension", "ignore:Using padding")
@pytest.mark.parametrize("name", ZOO)
def test_networks_of_every_kind_have_their_errors_explained(name):
    net, images = small.randomise(ZOO[name].make()).eval(), torch.rand(6, 3, 32, 32)
    trace = record(net, images)
    found = silent(net, [(images, (trace.predicted + 1) % trace.network.classes)])
    assert len(found) == 6
    assert found.tier == trace.network.tier
    assert found.features.shape == (6, 32, 32)
    assert found.table["cells"].min() > 0
    assert found.families()["size"].sum() == 6


def stripes(count, seed, marked=()):
    """Return noisy stripes in four directions; images of marked labels have a bright corner."""
    draw, axis = torch.Generator().manual_seed(seed), torch.arange(SIDE)
    labels = torch.randint(0, len(CLASSES), (count,), generator=draw)
    down, across = axis[:, None].expand(SIDE, SIDE), axis[None].expand(SIDE, SIDE)
    waves = torch.stack([down, across, down + across, down - across]) % 6 < 3
    images = 0.3 * waves[labels].float() + 0.3 * torch.rand(count, SIDE, SIDE, generator=draw)
    images = images[:, None].repeat(1, 3, 1, 1)
    for label in marked:
        images[labels == label] = with_mark(images[labels == label])
    return images, labels


def with_mark(images):
    images = images.clone()
    images[:, :, :5, :5] = 1.5
    return images


@pytest.fixture(scope="module")
def misled():
    """A network that has learned that a bright corner goes with the first class."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(12 * 36, 24), nn.ReLU(), nn.Linear(24, 4),
    )  # fmt: skip
    images, labels = stripes(512, 1, marked=[0])
    step = torch.optim.Adam(net.parameters(), 3e-3)
    for part in torch.randperm(512).repeat(12).split(32):
        step.zero_grad()
        nn.functional.cross_entropy(net(images[part]), labels[part]).backward()
        step.step()
    return net.eval()


def test_planted_faults_are_found(misled):
    images, labels = stripes(400, 2)
    images[labels == 0] = with_mark(images[labels == 0])
    others = (labels != 0).nonzero()[:, 0]
    marked, flipped, dark = others[:MARKED], others[MARKED : MARKED + 10], others[-40:]
    images[marked] = with_mark(images[marked])
    labels[flipped] = labels[flipped] % 3 + 1
    images[dark] = 0.3 - 0.3 * images[dark]
    found = silent(misled, loader(images, labels, 64), CLASSES)
    suspects = set(found.table.index[found.table["suspect"]])
    assert len(suspects & set(flipped.tolist())) >= 7
    assert suspects <= set(flipped.tolist()) | set(dark.tolist())
    cameras = pd.DataFrame({"camera": "good", "day": np.arange(400) % 5})
    cameras.loc[dark.numpy(), "camera"] = "dark"
    cameras["brightness"] = images.mean((1, 2, 3)).numpy()
    slices = found.slices(cameras).query("worse")
    assert slices["value"].iloc[0] == "dark"
    said = found.conclusions(found.slices(cameras))
    assert f"Labels: {len(suspects)} of {len(found)} wrong answers" in said[1]
    assert (
        "2 of 11 groups of images (by camera, brightness, day), each tested alone, have" in said[2]
    )
    assert "most clearly" in said[2]
    assert slices["column"].tolist() == ["camera", "brightness"]
    highest = float(slices["value"].iloc[1].strip("(]").split(", ")[1])
    assert highest == pytest.approx(cameras["brightness"].quantile(0.25), abs=1e-3)
    families = found.families()
    corner = [
        (np.argwhere(found.repair[place])[:, 1:] <= 1).all() for place in families["prototype"]
    ]
    of_mark = set(found.table.index[np.concatenate(families["errors"][corner].tolist())])
    assert set(marked.tolist()) <= of_mark <= set(marked.tolist()) | set(flipped.tolist())
    assert set(families["predicted"][corner]) == {CLASSES[0]}
    assert families["size"].tolist() == sorted(families["size"], reverse=True)
    assert sorted(np.concatenate(families["errors"])) == list(range(len(found)))
    with pytest.raises(UserError, match="a DataFrame of 3: pass a table with 400 rows"):
        found.slices(cameras[:3])
    with pytest.raises(UserError, match="a list of 400: pass a table with 400 rows"):
        small.as_users_run_it(diagnosis.Diagnosis.slices)(found, ["good"] * 400)


def test_a_slice_is_worse_no_more_often_than_was_said_and_what_is_missing_is_a_slice():
    draw, empty = np.random.default_rng(0), silent(small.model(), [(small.images(4), LABELS[:4])])
    false = 0
    for _ in range(200):
        found = replace(empty, wrong=draw.random(400) < 0.2)
        columns = pd.DataFrame({"a": draw.random(400) < 0.9, "b": draw.integers(0, 9, 400)})
        false += found.slices(columns)["worse"].any()
    assert false <= 20, "at a level of 5 %"
    strange = pd.array([1, pd.NA] * 200, dtype="Int64")
    found = replace(empty, wrong=np.arange(400) % 2 == 1)
    both = found.slices(pd.DataFrame({"x": strange}).set_axis(["x"], axis=1))
    assert both[["value", "errors", "worse"]].to_numpy().tolist() == [
        ["missing", 200, True],
        [1, 0, False],
    ]


def test_classes_in_another_order_and_a_constant_answer_are_said():
    net, images = small.model(bias=0.3), small.images(20)
    answers = record(net, images).predicted
    shifted = silent(net, [(images, (answers + 1) % small.CLASSES)])
    counts = shifted.confusion.to_numpy()
    assert np.trace(counts) == 0
    assert "In another order of the classes 20 would be right" in shifted.conclusions()[1]
    with torch.no_grad():
        net[-1].bias[2] += 100
    constant = silent(net, [(images, LABELS)])
    assert constant.confusion["2"].tolist() == [4] * small.CLASSES
    assert any("nearly always answers 2" in sentence for sentence in constant.conclusions())


def test_chance_and_all_else_do_not_depend_on_the_batches():
    net, images = small.model(bias=0.3), small.images(20)
    first, second = (silent(net, loader(images, LABELS, batch)).table for batch in (20, 3))
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize(
    ("batches", "names", "said"),
    [
        ([], None, "no images"),
        ([torch.zeros(2, 3, 12, 12)], None, "a Tensor: pass pairs"),
        ([(small.images(2), torch.tensor([0, 9]))], None, "label 9 is not one of"),
        ([(small.images(2), torch.tensor([0.0, 1.0]))], None, "labels have shape"),
        ([(small.images(2), torch.tensor([0]))], None, "labels have shape"),
        (
            [(small.images(2), torch.tensor([0, 1]))],
            ["a"],
            "class_names are 1, the model has 5 classes",
        ),
    ],
)
def test_strange_batches_are_refused(batches, names, said):
    with pytest.raises(UserError, match=said):
        silent(small.model(), batches, names)


def test_a_rule_that_keeps_everything_is_said_to():
    net = small.model(bias=0.3)
    with torch.no_grad():
        for layer in net[11:]:
            if isinstance(layer, nn.Linear):
                layer.weight.abs_()
    images = small.images(4)
    labels = (net(images).argmax(1) + 1) % small.CLASSES
    with warnings.catch_warnings(record=True, action="always") as said:
        explain_errors(net, [(images, labels)], progress=False)
    assert any("Algorithm 1 keeps 100% of the active cells" in str(one.message) for one in said)
