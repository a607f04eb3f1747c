"""Sizes of images through a convolution and back (equation 1)."""

from tinyvgg.errors import UserError


def convolved_size(i: int, k: int, p: int = 0, s: int = 1) -> int:
    """Side of a square image after a convolution: (i - k + 2p) / s + 1 (equation 1).

    Args:
        i: side of the image.
        k: side of the filter.
        p: rows of zeros on each side.
        s: stride.

    Raises:
        UserError: the filter does not fit, or the stride leaves rows over, so that the size is
            no whole number.
    """
    _check_sizes(i=i, k=k, s=s)
    room = i - k + 2 * p
    if room < 0 or p < 0:
        raise UserError(f"a filter of {k} does not fit an image of {i} padded by {p}")
    if room % s:
        raise UserError(f"size ({i} - {k} + 2*{p})/{s} + 1 is no whole number: change p or s")
    return room // s + 1


def deconvolved_size_padded(i: int, k: int, p: int) -> int:
    """Side before a padded convolution of stride 1: i + (k - 1) - 2p (after equation 1, case 1).

    Raises:
        UserError: no image has this size after such a convolution.
    """
    return _inverse(i + (k - 1) - 2 * p, i, k, p, 1)


def deconvolved_size_strided(i: int, k: int, s: int) -> int:
    """Side before a strided convolution without padding: s (i - 1) + k (equation 1, case 2).

    Raises:
        UserError: no image has this size after such a convolution.
    """
    return _inverse(s * (i - 1) + k, i, k, 0, s)


def deconvolved_size(i: int, k: int) -> int:
    """Side before a convolution of stride 1 without padding: i + k - 1 (equation 1, case 3).

    Raises:
        UserError: no image has this size after such a convolution.
    """
    return _inverse(i + k - 1, i, k, 0, 1)


def _inverse(size: int, i: int, k: int, p: int, s: int) -> int:
    _check_sizes(i=i, k=k, s=s)
    if size < 1 or p < 0:
        raise UserError(f"no image has size {i} after a filter of {k}, padding {p}, stride {s}")
    return size


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise UserError(f"{name} = {size} is not 1 or more")
