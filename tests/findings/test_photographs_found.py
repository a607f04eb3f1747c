"""What pages say of photographs: detectors, examples, what is left out, terms."""

import json
from pathlib import Path

import pytest

from tinyvgg.chapters import data
from tinyvgg.chapters import photographs as detectors
from tinyvgg.chapters import photographs as examples
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import OPTIONS, parse_source


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYVGG_HOME", str(tmp_path / "home"))


def measured(detector: str, scale: str, group: str, **values: float) -> dict[str, object]:
    usual = {"shown": 10, "faces": 10, "found": 10, "elsewhere": 0, "ms": 20.0}
    return {"detector": detector, "long_side": scale, "group": group, **usual, **values}


@pytest.fixture
def report(tmp_path: Path) -> Path:
    rows = [
        measured("A", "100", "london", found=9),
        measured("A", "100", "none", faces=0, found=0, ms=10.0),
        measured("A", "200", "london", ms=30.0),
        measured("A", "200", "none", faces=0, found=0, elsewhere=2, ms=50.0),
        measured("A", "400", "london", ms=90.0),
        measured("A", "400", "none", faces=0, found=0, ms=90.0),
        measured("B", "100", "london", ms=8.0),
        measured("B", "100", "none", faces=0, found=0, ms=4.0),
    ]
    used = {"detector": "A", "long_side": "400", "threshold": 0.5}
    path = tmp_path / "detectors.json"
    path.write_text(json.dumps({"used": used, "measured": rows}))
    return path


def test_the_fastest_scale_that_misses_fewest_stands_beside_what_is_used(report: Path) -> None:
    compared = detectors.load_detectors(report)
    assert compared is not None
    best = detectors.best_scales(compared)
    names = list(zip(best["detector"], best["long_side"], best["missed"], best["ms"], strict=True))
    assert names == [("A", "200", 0, 40.0), ("A", "400", 0, 90.0), ("B", "100", 0, 6.0)]
    shown = detectors.table(compared)
    assert shown["A, 200 pixels"].to_list() == ["10 of 10; 30 ms", "none in 10, 2 elsewhere; 50 ms"]
    said = detectors.sentence(compared)
    assert said.startswith("A is used, on photographs scaled to 400 pixels. Of 10 faces in 20 imag")
    assert "Beside it: A at 200 pixels misses 0; it finds 2" in said
    assert "B at 100 pixels" in said


def test_a_report_that_is_missing_or_damaged_is_said(report: Path, tmp_path: Path) -> None:
    assert detectors.load_detectors(tmp_path / "none.json") is None
    assert "`results/detectors.json`" in detectors.sentence(None)
    for text in ("{", '{"used": {}}', report.read_text().replace("london", "paris")):
        report.write_text(text)
        with pytest.raises(UserError, match="measure_detectors"):
            detectors.load_detectors(report)


def test_the_committed_report_is_of_the_detector_that_is_used(repository_results: Path) -> None:
    from tinyvgg.faces import detection

    compared = detectors.load_detectors(repository_results / "detectors.json")
    assert compared is not None
    assert compared.used["long_side"] == ", then ".join(map(str, detection.SIDES))
    assert compared.used["threshold"] == detection.THRESHOLD
    assert set(compared.measured["group"]) == set(detectors.GROUPS)


@pytest.fixture
def repository_results() -> Path:
    return Path(__file__).resolve().parent.parent.parent / "results"


def test_the_folder_with_bad_files_shows_every_kind_once() -> None:
    faces = examples.with_bad_files()
    assert len(faces) == 6
    assert data.left_out_sentence(faces) == "Of 12 files that are there 6 are left out:"
    reasons = data.left_out_table(faces)["reason"]
    assert reasons.is_unique
    assert len(reasons) == 6
    again = examples.with_bad_files()
    assert again.fingerprint == faces.fingerprint


def test_every_option_is_in_the_table_with_what_is_usual_first() -> None:
    table = examples.options_table()
    for kind, options in OPTIONS.items():
        for name in options:
            first = table.loc[f"{kind}:PATH", name].split(", ")[0]
            usual = parse_source(f"{kind}:x").option(name)
            assert first == (usual or "FILE.csv")


def test_every_source_has_its_terms_in_the_table() -> None:
    table = examples.terms_table()
    assert list(table.index) == ["synthetic", "rafd:PATH", "london:PATH", "folder:PATH"]
    assert list(table["part of this repository"]) == ["yes", "no", "no", "no"]
    assert list(table["a site is published"].str.startswith("yes")) == [True, False, True, False]
