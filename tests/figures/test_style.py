import matplotlib.pyplot as plt
import numpy as np
import pytest

from tinyvgg.figures import style


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
