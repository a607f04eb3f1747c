"""The anatomy that comes with the package."""

from pathlib import Path

import numpy as np
import pytest

from synthfaces import FaceError, anatomy, fingerprint
from synthfaces.anatomy import BUST, HEAD, RELAXED, Anatomy, load_anatomy


def at_corners(seen: Anatomy, part: str, values: np.ndarray) -> np.ndarray:
    return values[seen.parts[part]][seen.quads[part]]


def test_the_head_is_all_of_the_bust_that_lies_within_its_reach():
    head, bust = load_anatomy(HEAD), load_anatomy(BUST)
    x, y, _ = np.moveaxis(at_corners(bust, "skin", bust.vertices), -1, 0)
    within = ((y > HEAD.lowest) & (np.abs(x) < HEAD.widest)).all(axis=1)
    assert 0 < within.sum() < len(within)
    moved = [row for row, name in enumerate(head.names) if name not in RELAXED]
    for values in ("vertices", *moved):
        one, whole = (
            each.vertices if values == "vertices" else each.targets[values] for each in (head, bust)
        )
        for part in head.parts:
            expected = at_corners(bust, part, whole)[within if part == "skin" else slice(None)]
            np.testing.assert_array_equal(at_corners(head, part, one), expected)
    np.testing.assert_array_equal(head.skin_uv, bust.skin_uv[within])


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("damage", "named"),
    [(remove, "npz"), (cut, "npz"), (alter, "npz"), (remove, "json"), (cut, "json")],
)
def test_a_missing_or_damaged_file_is_named_with_the_way_out(damage, named, tmp_path, monkeypatch):
    for kind in (".npz", ".json"):
        content = anatomy._FILE.with_suffix(kind).read_bytes()
        (tmp_path / "anatomy").with_suffix(kind).write_bytes(content)
    monkeypatch.setattr(anatomy, "_FILE", tmp_path / "anatomy.npz")
    load_anatomy()
    damage(tmp_path / f"anatomy.{named}")
    said = rf"file '.*anatomy\.{named}' is missing or damaged; install the package again"
    with pytest.raises(FaceError, match=said):
        load_anatomy()
    if named == "json":
        with pytest.raises(FaceError, match=said):
            fingerprint(64, 0)
