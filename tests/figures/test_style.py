import matplotlib.pyplot as plt
import numpy as np
import pytest

from tinyvgg.figures import style


@pytest.mark.parametrize(("size", "darkest", "lightest"), [(300, 80, 180), (16, 0, 255)])
def test_large_images_are_averaged_and_small_ones_keep_their_pixels(size, darkest, lightest):
    stripes = np.zeros((size, size, 3), np.uint8)
    stripes[:, ::2] = 255
    figure, axes = plt.subplots(figsize=(0.5, 0.5), dpi=100)
    axes.set_position((0, 0, 1, 1))
    style.show_image(axes, stripes)
    figure.canvas.draw()
    inner = np.asarray(figure.canvas.buffer_rgba())[10:-10, 10:-10, 0]
    plt.close(figure)
    assert inner.min() >= darkest
    assert inner.max() <= lightest
    assert (np.ptp(inner) > 200) == (lightest - darkest > 200)
