"""Models that were trained elsewhere: a checkpoint and a folder, explained by one command."""

import json
import pickle
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from tests.helpers import pages
from tinyvgg import cli, files
from tinyvgg.diagnosis import explain_errors
from tinyvgg.errors import UserError
from tinyvgg.faces.cropping import read_face
from tinyvgg.training.own_model import load_own

SOURCE = """
import torch
from torch import nn

class Residual(nn.Module):
    def __init__(self, maps):
        super().__init__()
        self.first, self.second = (nn.Conv2d(maps, maps, 3, padding=1) for _ in range(2))
    def forward(self, x):
        return torch.relu(x + self.second(torch.relu(self.first(x))))

def make():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), Residual(8),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 2),
    )

def nothing():
    return None
"""
SIDE = 16


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    """The module of the model, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / "home"))
    (tmp_path / "somebodys.py").write_text(SOURCE)
    yield
    for name in ("somebodys", "mine"):
        sys.modules.pop(name, None)


def made():
    return load_own("somebodys:make", size=SIDE).model


@pytest.mark.parametrize("how", ["safetensors", "state", "checkpoint", "parallel", "compiled"])
def test_weights_come_from_any_file_that_holds_them(how):
    torch.manual_seed(1)
    model, path = made(), Path(f"weights.{'safetensors' if how == 'safetensors' else 'pt'}")
    state = model.state_dict()
    if how == "safetensors":
        save_file(state, path)
    elif how in ("parallel", "compiled"):
        before = "module." if how == "parallel" else "_orig_mod.module."
        kept = {f"{before}{name}": value for name, value in state.items()}
        torch.save({"epoch": 3, "state_dict": kept}, path)
    else:
        torch.save(state if how == "state" else {"model": state}, path)
    own = load_own("somebodys:make", path, ["cat", "dog"], size=SIDE)
    images = torch.rand(2, 3, SIDE, SIDE)
    assert torch.equal(own.model(images), model(images))
    assert not own.model.training
    assert (own.classes, own.label("dog")) == (("cat", "dog"), 1)
    assert f"the weights of '{path.name}'" in own.about


def test_pixels_are_scaled_as_was_said_or_as_torchvisions_weights_say():
    pixels = torch.randint(0, 256, (1, SIDE, SIDE, 3), dtype=torch.uint8)
    plain = pixels.permute(0, 3, 1, 2) / 255
    for text, mean, deviation in (
        (None, (0, 0, 0), (1, 1, 1)),
        ("0.5,0.4,0.3/0.2,0.3,0.4", (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)),
        ("ResNet18_Weights.DEFAULT", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ):
        own = load_own("somebodys:make", preprocessing=text, size=SIDE)
        shift, scale = (torch.tensor(each)[:, None, None] for each in (mean, deviation))
        torch.testing.assert_close(own.scaling(pixels), (plain - shift) / scale)
    assert load_own("somebodys:make", preprocessing="ResNet18_Weights.DEFAULT").size == 224


class Harmful:
    def __reduce__(self):
        return Path.touch, (Path("harmed"),)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "somebodys:mak"}, "no attribute 'mak'.*as package.module:function"),
        ({"model": "nobodys:make"}, "No module named 'nobodys'"),
        ({"model": "make"}, "cannot be found"),
        ({"model": "somebodys:nothing"}, "returns a NoneType, not an nn.Module"),
        ({"weights": Path("missing.pt")}, "are no file"),
        ({"weights": Path("harmful.pt")}, "cannot be read without running code"),
        ({"weights": Path("list.pt")}, "hold no state dict"),
        ({"weights": Path("other.pt")}, "do not fit the model: Missing key"),
        ({"classes": ["a", "b", "c"]}, "classes are 3, and the model has 2 outputs"),
        ({"classes": ["a", "a"]}, "classes are 1, and the model has 2 outputs"),
        ({"preprocessing": "no"}, "neither R,G,B/R,G,B, from 0 to 1, nor"),
        ({"preprocessing": "1,2/3,4"}, "neither R,G,B/R,G,B, from 0 to 1, nor"),
        ({"preprocessing": "ResNet18_Weights.NOPE"}, "neither R,G,B/R,G,B, from 0 to 1, nor"),
        ({"preprocessing": "123,116,103/58,57,57"}, "neither R,G,B/R,G,B, from 0 to 1, nor"),
        ({"preprocessing": "nan,0,0/1,1,1"}, "neither R,G,B/R,G,B, from 0 to 1, nor"),
        ({"preprocessing": "0,0,0/1,0,1"}, "neither R,G,B/R,G,B, from 0 to 1, nor"),
    ],
    ids=str,
)
def test_what_is_no_model_or_no_weights_is_refused_in_one_line(given, said):
    Path("harmful.pt").write_bytes(pickle.dumps(Harmful()))
    torch.save([1, 2], "list.pt")
    torch.save({"0.weight": torch.zeros(3)}, "other.pt")
    with pytest.raises(UserError, match=said) as refused:
        load_own(**{"model": "somebodys:make", "size": SIDE, **given})
    assert "\n" not in str(refused.value)
    assert not Path("harmed").exists(), "no code of the file was run"


@pytest.fixture
def folder(tmp_path):
    """Images of two classes that differ in brightness, four with the label of the other."""
    draw = np.random.default_rng(0)
    for label, name in enumerate(("dark", "light")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(20):
            level = 70 + 110 * (label if number >= 2 else 1 - label)
            noise = draw.normal(level, 20, (20, 24, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noise).save(tmp_path / "images" / name / f"{number}.png")
    return tmp_path / "images"


@pytest.fixture
def weights(folder):
    """The path of the weights of a model that tells bright images from dark ones."""
    torch.manual_seed(0)
    model, step = made(), 0.05
    images = torch.rand(64, 1, 1, 1).round() * 0.45 + 0.27 + 0.08 * torch.randn(64, 3, SIDE, SIDE)
    labels = (images.mean((1, 2, 3)) > 0.5).long()
    optimiser = torch.optim.SGD(model.parameters(), step)
    for _ in range(200):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimiser.step()
    save_file(model.state_dict(), folder.parent / "mine.safetensors")
    return folder.parent / "mine.safetensors"


def test_a_checkpoint_and_a_folder_become_a_report(folder, weights, capsys):
    given = f"report --model somebodys:make --weights {weights} --size {SIDE}"
    assert cli.main([*given.split(), "--faces", f"folder:{folder}", "-o", "page.html"]) == 0
    assert "The report: page.html" in capsys.readouterr().out
    facts = json.loads(Path("page.json").read_text("utf-8"))
    assert (facts["kind"], facts["classes"]) == ("tinyvgg report", ["dark", "light"])
    said = facts["survey"]["conclusions"]
    assert "The model is wrong about 4 of 40 images (10.0%)." in said
    wrong = facts["survey"]["tables"]["All errors that are explained."]
    names = [f"{label}/{number}.png" for label in ("dark", "light") for number in (0, 1)]
    assert sorted(one["image"] for one in wrong) == names
    html = Path("page.html").read_text("utf-8")
    pages.read(html)
    assert "Is it the labels, the slices or the model?" in html
    assert "was trained elsewhere, and has the weights of &#39;mine.safetensors&#39;" in html
    own = load_own("somebodys:make", weights, ["dark", "light"], size=SIDE)
    assert facts["weights_sha256"] == own.weights_hash


def test_single_images_are_explained_with_a_checkpoint(folder, weights, capsys):
    Path("names.txt").write_text("dark\nlight\n")
    image = folder / "dark" / "0.png"
    given = f"explain {image} --model somebodys:make --weights {weights} --classes names.txt"
    assert cli.main([*given.split(), "--size", str(SIDE), "--true", "dark", "-o", "one.html"]) == 0
    assert f"{image}: light, probability" in capsys.readouterr().out
    (one,) = json.loads(Path("one.json").read_text("utf-8"))["images"]
    assert (one["predicted"], one["true"]) == ("light", "dark")
    assert one["repair"]["found"]


def test_a_model_that_errs_never_is_said_to(folder, weights):
    for label in ("dark", "light"):
        for number in (0, 1):
            (folder / label / f"{number}.png").unlink()
    given = f"report --model somebodys:make --weights {weights} --size {SIDE}"
    assert cli.main([*given.split(), "--faces", f"folder:{folder}", "-o", "page.html"]) == 0
    facts = json.loads(Path("page.json").read_text("utf-8"))
    assert facts["survey"]["conclusions"][-1] == "The model is wrong about 0 of 36 images (0.0%)."
    assert facts["images"] == []


def test_every_row_of_a_report_is_what_the_library_says(folder, weights):
    given = f"report --model somebodys:make --weights {weights} --size {SIDE}"
    assert cli.main([*given.split(), "--faces", f"folder:{folder}", "-o", "page.html"]) == 0
    own = load_own("somebodys:make", weights, size=SIDE)
    paths = [folder / name / f"{n}.png" for name in ("dark", "light") for n in (0, 1)]
    pixels = np.stack([read_face(path, SIDE, own.cropping) for path in paths])
    images, labels = own.scaling(torch.from_numpy(pixels)), torch.tensor([0, 0, 1, 1])
    alone = explain_errors(own.model, [(images, labels)], progress=False).table
    rows = json.loads(Path("page.json").read_text())["survey"]["tables"]
    rows = rows["All errors that are explained."]
    rows = sorted(rows, key=lambda row: row["image"])
    assert [row["cells"] for row in rows] == alone["cells"].tolist()
    assert [row["margin"] for row in rows] == pytest.approx(alone["margin"].tolist(), rel=1e-4)


def test_the_commands_of_the_how_to_run_as_they_are_typed(folder, tmp_path):
    page = (files.project() / "book" / "checkpoint.md").read_text("utf-8")
    Path("mine.py").write_text(re.search(r"(?s)```python\n(.*?)```", page)[1])
    folder.rename(tmp_path / "images")
    Path("one.png").write_bytes((tmp_path / "images" / "dark" / "0.png").read_bytes())
    torch.manual_seed(0)
    torch.save(load_own("mine:make", size=64).model.state_dict(), "mine.pt")
    Path("names.txt").write_text("dark\nlight\n")
    commands = re.findall(r"```sh\n(.*?)\n```", page)
    for command in commands:
        assert cli.main(shlex.split(command)[1:]) == 0
        assert Path(command.split()[-1]).is_file()
    assert len(commands) == 2
