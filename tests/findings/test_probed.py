"""What the data sheet shows of the probes for shortcuts."""

import numpy as np
import pandas as pd
import pytest

from tests.helpers.made_up import made_up_faces
from tinyvgg.chapters import data_sheet as probed
from tinyvgg.chapters.data_sheet import HELD_OUT
from tinyvgg.training.experiments import Study
from tinyvgg.training.settings import PROFILES


def study_of(source, faces=None):
    study = Study(PROFILES["smoke"], source, 0, progress=False)
    if faces is not None:
        vars(study)["faces"] = faces
    return study


def test_a_synthetic_study_gives_its_own_images_of_the_rows_of_the_sample():
    faces = made_up_faces(4, size=32)
    images, table = probed.sample(study_of("synthetic", faces))
    assert len(table) == 4 * 8 * 2 * 2
    assert set(table["gaze"]) == set(probed.GAZES)
    own = faces.index.table
    for row in (0, 17, 120):
        (place,) = np.flatnonzero(own["path"] == table["path"][row])
        assert (images[row] == faces.images[place]).all()


@pytest.mark.parametrize("source", ["folder:x", "synthetic:noise=0.02"])
def test_other_studies_have_small_images_of_the_usual_set(source, monkeypatch):
    monkeypatch.setattr(
        probed.synthetic,
        "render",
        lambda table, size, *_, **__: np.zeros((len(table), size, size, 3), np.uint8),
    )
    images, table = probed.sample(study_of(source))
    assert images.shape == (len(table), 32, 32, 3)


def test_images_are_made_smaller_by_means():
    large = np.zeros((1, 128, 128, 3), np.uint8)
    large[0, :4, :4] = np.arange(16).reshape(4, 4, 1) * 10
    small = probed.halved(large)
    assert small.shape == (1, 32, 32, 3)
    assert (small[0, 0, 0] == 75).all()
    assert not small[0, 1:].any()
    assert probed.halved(large[:, :48, :48]).shape == (1, 48, 48, 3)


@pytest.fixture
def found():
    probes = {"whole image": (True, 0.8), "border": (False, 0.13)}
    rows = [
        {
            "region": region,
            "features": "pixels",
            "held out": held_out,
            "may tell": may_tell,
            "accuracy": accuracy,
            "low": accuracy - 0.05,
            "high": accuracy + 0.05,
            "chance": 0.125,
            "shots": 100,
            "at chance": not may_tell and held_out != "angle",
        }
        for region, (may_tell, accuracy) in probes.items()
        for held_out in HELD_OUT
    ]
    return pd.DataFrame(rows).set_index(["region", "features", "held out"])


def test_each_probe_is_a_row_with_a_column_for_what_is_held_out(found):
    table = probed.readings_table(found)
    assert list(table) == ["may tell", "other gazes", "other angles", "other subjects"]
    assert table.loc[("border", "pixels"), "other angles"] == "13.00% (8.00 to 18.00%)"
    assert list(table["may tell"]) == ["yes", "no"]


def test_what_must_not_tell_is_counted_beside_guessing(found):
    said = probed.readings_sentence(found)
    assert "right in 12.5%" in said
    assert "Of the 3 readings of what must not tell, 2 are within their 99% interval" in said
    assert "up to 80% right" in said
