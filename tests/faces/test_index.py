"""The index that every source yields, and its images as tensors."""

import numpy as np
import pandas as pd
import pytest

from tinyvgg.errors import UserError
from tinyvgg.faces.index import FaceIndex, Faces


def index(**columns: list[object]) -> FaceIndex:
    return FaceIndex(pd.DataFrame(columns))


def test_tasks_are_the_columns_that_can_be_classified() -> None:
    assert index(subject=[1], emotion=["sad"], angle=[90]).tasks == ("subject", "emotion")
    assert index(**{"class": ["a"]}).tasks == ("class",)
    with pytest.raises(UserError, match="'emotion' is not one of class"):
        index(**{"class": ["a"]}).labels("emotion")


def test_figures_call_a_folder_by_its_name_and_not_by_its_place() -> None:
    def called(source: str) -> str:
        return Faces(source, index(**{"class": ["a"]}), np.zeros((1, 2, 2, 3)), "f").called

    assert called("synthetic:noise=0.02") == "synthetic faces, noise=0.02"
    assert called("folder:/somewhere/my people") == "folder my people"


def test_subjects_are_ordered_as_numbers_and_labels_point_into_classes() -> None:
    faces = index(subject=[10, 9, 10, 2])
    assert faces.classes("subject") == ("2", "9", "10")
    np.testing.assert_array_equal(faces.labels("subject"), [2, 1, 2, 0])


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("angle", 60, "angle 60 in 'x.jpg' is not one of 0, 45, 90, 135, 180"),
        ("emotion", "bored", "emotion 'bored' in 'x.jpg' is not one of angry"),
    ],
)
def test_strange_values_are_refused_by_name(column: str, value: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        index(path=["x.jpg"], **{column: [value]})


def test_tensor_is_rgb_by_256_channels_first_in_the_order_asked_for() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    faces = Faces("folder:x", index(**{"class": list("abab")}), images, "f")
    tensor = faces.tensor([3, 1])
    assert tensor.shape == (2, 3, 5, 6)
    assert tensor[0, 2, 4, 1].item() == images[3, 4, 1, 2] / 256
    assert tensor.max() < 1
