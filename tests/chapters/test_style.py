import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from tests.helpers.made_up import made_up_run
from tinyvgg.chapters import data, style
from tinyvgg.chapters import misclassifications as errors
from tinyvgg.faces.index import FaceIndex, Faces


@pytest.mark.parametrize(("size", "averaged"), [(300, True), (20, False)])
def test_large_images_are_averaged_and_small_ones_keep_their_pixels(size, averaged):
    stripes = np.zeros((size, size, 3), np.uint8)
    stripes[:, ::2] = 255
    figure, axes = plt.subplots(figsize=(0.5, 0.5), dpi=100)
    axes.set_position((0, 0, 1, 1))
    style.show_image(axes, stripes)
    figure.canvas.draw()
    inner = np.asarray(figure.canvas.buffer_rgba())[10:-10, 10:-10, 0]
    plt.close(figure)
    between = (inner > 60) & (inner < 200)
    assert between.mean() == averaged


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("disgusted", "disgust."),
        ("$x_1$", r"\$x_1\$"),
        ("a\nb\tc\u2028d", "a b c d"),
        ("\u6012\u308a", r"\u6012."),
        ("\u0633\u0639", "\u0633\u0639"),
        ("", ""),
    ],
)
def test_names_are_text_that_the_font_has(name, said):
    assert style.short(name, 8) == said


STRANGE = ("$x_1$ & <b>|`*", "$broken_{ \u6012\u308a \t\n", "%s {0} \\frac{" + "a" * 200)


def test_figures_are_drawn_whatever_classes_and_folders_are_called():
    rows = [(f"{name}/{number}.png", name) for name in STRANGE for number in range(8)]
    table = pd.DataFrame(rows, columns=["path", "class"]).assign(source="folder")
    images = np.random.default_rng(0).integers(0, 256, (len(rows), 8, 8, 3), dtype=np.uint8)
    faces = Faces("folder:/$a_{ \u6012/$b_{ \u6012", FaceIndex(table), images, "made up")
    run = made_up_run(faces, "class", 0.5)
    figures = [data.contact_sheet(faces, "class"), data.examples_figure(faces, run.split)]
    figures += [errors.confusion_figure(run), errors.gallery(run), errors.rates_figure([run])]
    for figure in figures:
        figure.canvas.draw()  # what is missing from a font is a warning, and so an error
