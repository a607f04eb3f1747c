"""The wheel alone, in an environment of its own, explains other people's models."""

import html
import os
import re
import shutil
import subprocess
import sys
import tarfile
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from packaging.requirements import Requirement
from uv import find_uv_bin

from tinyvgg import __version__

CORE = {"click", "jaxtyping", "numpy", "torch"}
DATA = {
    *("synthfaces/anatomy.npz", "synthfaces/anatomy.json", "synthfaces/LICENSE.md"),
    *("tinyvgg/faces/centerface.onnx", "tinyvgg/faces/centerface.json", "tinyvgg/faces/LICENSE.md"),
}
ALEXNET = """
import sys, torch, torchvision, tinyvgg

net = torchvision.models.alexnet(num_classes=10).eval()
images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
trace = tinyvgg.record(net, images)
found = tinyvgg.backtrack(trace)
features = tinyvgg.track_features(trace, found.pixels)
repaired = tinyvgg.repair(trace, trace.logits.sort(1).indices[:, -2])
assert features.any() and repaired.repaired.any()
assert found.pixels.shape == (2, 256, 6, 6) and found.pixels.any()
assert [layer.name for layer in trace.network.dense] == [f"classifier.{i}" for i in (1, 4, 6)]
assert "pandas" not in sys.modules and "matplotlib" not in sys.modules
print("explained by", tinyvgg.__file__)
"""
FACES = """
import synthfaces
from tinyvgg.faces import detection

spec = synthfaces.face_spec(2, "happy", difficulty=synthfaces.Difficulty(crop="head"))
(face,) = detection.new_detector()(synthfaces.render_face(spec, 224))
assert face.score > 0.5
print("found by", synthfaces.__file__, detection.__file__)
"""
QUANTUS = """
import numpy, quantus, torch, tinyvgg

torch.manual_seed(0)
net = tinyvgg.TinyVGG(5, 32, maps=4, dense=(16,)).eval()
images = torch.rand(4, 3, 32, 32).numpy()
labels = net(torch.from_numpy(images)).argmax(1).numpy()
for method in ("Backtracking", "FeatureTracking", "Deconvnet"):
    flipping = quantus.PixelFlipping(features_in_step=256, disable_warnings=True)
    scores = flipping(
        model=net, x_batch=images, y_batch=labels, a_batch=None, device="cpu",
        explain_func=tinyvgg.quantus_explain, explain_func_kwargs={"method": method},
    )
    assert len(scores) == 4 and numpy.isfinite(numpy.array(scores, dtype=float)).all()
    print("scored", method)
"""


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def release(tmp_path_factory, repository):
    """What the script of a release made of tracked files, and said, so that the checkout stays."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    parts = ("synthfaces", "tinyvgg", "notebooks", "book/bench", ":(glob)*", "tools/release.sh")
    listed = run("git", "ls-files", "-z", "-co", "--exclude-standard", *parts, cwd=repository)
    for name in filter(None, listed.split("\0")):
        if (repository / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((repository / name).read_bytes())
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return built, run("sh", str(source / "tools" / "release.sh"), str(built), env=env)


@pytest.fixture(scope="module")
def wheel(release):
    (path,) = release[0].glob("*.whl")
    return path


@pytest.fixture(scope="module")
def locked(tmp_path_factory, repository):
    """The lock's versions as constraints, without hashes."""
    lines = (repository / "requirements.lock").read_text().splitlines()
    path = tmp_path_factory.mktemp("constraints") / "constraints.txt"
    path.write_text("\n".join(line.removesuffix(" \\") for line in lines if line[:1].isalnum()))
    return path


@pytest.fixture(scope="module")
def environment(tmp_path_factory, wheel, locked):
    """An environment with the wheel, without extras, and torchvision."""
    python = empty(tmp_path_factory.mktemp("environment"))
    install(python, locked, str(wheel), "torchvision")
    return python


def empty(folder):
    run(find_uv_bin(), "venv", "--quiet", "--python", sys.executable, str(folder / "venv"))
    return folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"


def install(python, locked, *what):
    pip = (find_uv_bin(), "pip", "install", "--python", str(python))
    run(*pip, "--constraint", str(locked), *what)


def explain(python, folder, code):
    script = folder / "explain.py"
    script.write_text(code)
    env = {"HOME": str(folder), "OMP_NUM_THREADS": "1"}  # other tests run beside this one
    return run(str(python), "-P", str(script), cwd=folder, env=env)


def test_a_release_runs_the_readmes_code_of_the_core_from_both_of_its_files(release, repository):
    built, said = release
    names = sorted(path.name for path in built.glob("tinyvgg-*"))
    assert names == [f"tinyvgg-{__version__}{end}" for end in ("-py3-none-any.whl", ".tar.gz")]
    readme = (repository / "README.md").read_text("utf-8")
    assert "repaired = tinyvgg.repair(trace, true_class)" in readme
    for name in names:
        assert f"tinyvgg {__version__}\nrepaired: [True, True]\ntried: {name}\n" in said
    packed = ("synthfaces", "tinyvgg", "notebooks", "book/bench", ":!*.test.mjs")
    wanted = run("git", "ls-files", *packed, cwd=repository).split()
    with tarfile.open(built / names[1]) as content:
        inside = {name.partition("/")[2] for name in content.getnames()}
    assert set(wanted) <= inside


def test_without_extras_it_asks_for_the_core_alone(wheel):
    with ZipFile(wheel) as content:
        names = content.namelist()
        (metadata,) = (name for name in names if name.endswith("METADATA"))
        fields = Parser().parsestr(content.read(metadata).decode())
    asked = [Requirement(text) for text in fields.get_all("Requires-Dist")]
    assert {one.name for one in asked if one.marker is None} == CORE
    extras = {"faces", "parallel", "dask", "widgets", "book", "test"}
    assert set(fields.get_all("Provides-Extra")) == extras
    assert {"tinyvgg/py.typed", "tinyvgg/paper.toml", *DATA} <= set(names)


def test_it_explains_torchvisions_alexnet_in_an_environment_without_extras(environment, tmp_path):
    listed = run(find_uv_bin(), "pip", "list", "--python", str(environment), "--format=freeze")
    installed = {line.partition("==")[0].lower() for line in listed.split()}
    assert {"tinyvgg", "torch", "numpy", "jaxtyping"} <= installed
    assert not installed & {"pandas", "matplotlib", "ipywidgets", "jupyter-book"}
    assert "site-packages" in explain(environment, tmp_path, ALEXNET)


def test_the_command_line_says_which_extra_it_lacks(environment, tmp_path):
    script = environment.parent / "tinyvgg"
    assert run(str(script), "--version").startswith("tinyvgg ")
    done = subprocess.run([script, "reproduce"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert re.fullmatch(r"tinyvgg: '\w+' is not installed: pip .*\[book\]'.*\n", done.stderr)
    assert not list(tmp_path.iterdir())


def test_with_the_extra_for_faces_it_renders_one_and_finds_it(wheel, locked, tmp_path):
    python = empty(tmp_path)
    install(python, locked, f"{wheel}[faces]")
    run(find_uv_bin(), "pip", "check", "--python", str(python))
    assert explain(python, tmp_path, FACES).count("site-packages") == 2


def test_quantus_takes_the_attributions(environment, locked, tmp_path):
    without = tmp_path / "overrides.txt"  # the same module as headless OpenCV, which is locked
    without.write_text("opencv-python ; python_version < '3'\n")
    install(
        environment, locked, "--override", str(without), "quantus==0.6.0", "opencv-python-headless"
    )
    assert explain(environment, tmp_path, QUANTUS).count("scored") == 3


def test_a_reader_builds_the_book_in_350_mb_without_torch(tmp_path, repository):
    run(find_uv_bin(), "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv"))
    python = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    read = str(repository / "requirements-read.lock")
    run(find_uv_bin(), "pip", "install", "--python", str(python), "--require-hashes", "-r", read)
    assert sum(path.lstat().st_size for path in tmp_path.rglob("*")) < 350e6
    for name in ("synthfaces", "tinyvgg"):
        (tmp_path / name).symlink_to(repository / name)
    shutil.copytree(repository / "book" / "reference", tmp_path / "book" / "reference")
    for name in ("book/reference.md", "book/references.bib", "book/tinyvgg_book.py", "_config.yml"):
        shutil.copyfile(repository / name, tmp_path / "book" / Path(name).name)
    pages = [f"reference/{path.stem}" for path in (repository / "book/reference").glob("*.md")]
    toc = {"format": "jb-book", "root": "reference", "chapters": [{"file": page} for page in pages]}
    (tmp_path / "book" / "_toc.yml").write_text(yaml.safe_dump(toc))
    build = [python.with_name("jupyter-book"), "build", tmp_path / "book"]
    done = subprocess.run(build, capture_output=True, text=True, check=True)
    site = tmp_path / "book" / "_build" / "html"
    shown = re.sub("<[^>]+>", "", (site / "reference/one_forward_pass.html").read_text())
    assert "images: Float[Tensor, 'n c h w']" in html.unescape(shown)
    assert "autodoc" not in done.stderr
    assert {path.name for path in (site / "bench").iterdir()} >= {"bench.js", "network-emotion.js"}


def test_the_lock_of_a_processor_asks_for_no_cuda(tmp_path, repository):
    lock = tmp_path / "cpu.lock"
    run("make", f"VENV={tmp_path}", str(lock), cwd=repository)
    locked, full = (path.read_text() for path in (lock, repository / "requirements.lock"))
    left_out = {line for line in full.splitlines() if "==" in line} - set(locked.splitlines())
    assert {re.split("[-=]", line)[0] for line in left_out} == {
        "cuda",
        "nvidia",
        "torch",
        "torchvision",
        "triton",
    }
    assert re.findall(r"(?m)^torch.*", locked) == re.findall(r"(?m)^torch\w*==\S+", full)
