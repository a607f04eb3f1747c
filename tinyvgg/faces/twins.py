"""Twins: images of one and the same shot, found by their pixels and not by their files.

Exact twins have the same decoded pixels. Near-twins are the same shot once more: encoded anew,
resized, mirrored, cropped by up to a twentieth a side, brightened, or the next one of a burst,
moved or turned a little. Another expression, view or gaze makes another shot.

Near-twins are found in three steps, each for fewer pairs. The low frequencies of their thumbnails
are alike, weighted by how much they vary in the set and how little between twins. Little of their
difference is left without the changes that twins may have (the tangent distance of Simard, LeCun
and Denker 1993). Their pixels, one image aligned with the other (Evangelidis and Psarakis 2008) and
given its tones, differ nowhere by much.

``results/twins.json`` has how many twins are found, and how many others are taken for twins.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256

import cv2
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Int, Shaped, UInt8
from scipy.cluster.hierarchy import DisjointSet
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm.auto import tqdm

from tinyvgg.faces.images import THUMBNAIL, Facts, Pixels, one_thread_each

VERSION = 1
"""A number to be raised whenever a change here changes which images are twins."""

LEAST_ALIKE = 0.6  # cosine of two thumbnails' weighted frequencies
MOST_LEFT, IF_FEW = 0.5, 0.6  # of their difference, in their lengths; among the best few
LEAST_CORRELATED = 0.95  # correlation of aligned images
MOST_DIFFERENT, FINE = 0.4, 84
"""Most that aligned images differ anywhere, in standard deviations of their gray levels; less in
proportion if their long side has fewer pixels than `FINE`, and shows less."""
SMALLEST, ROUGH, LARGEST = 24, 64, 256
"""Long sides in pixels: of the smallest images that have near-twins, and when two are aligned."""

_SIDE, _ZOOM = 8, 0.93  # frequencies a direction; the part of a thumbnail that is compared, too
_PRIOR, _FLAT = 32, 2.0  # images that the prior of a set counts for; gray levels
_BLOCK, _MOST_ALIKE, _CHUNK, _COMPARED = 512, 32, 256, 128
_SHARP, _SMOOTH = 0.7, 0.005  # standard deviations of blurs, in pixels and in long sides
_TONES, _MOST_MOVED = 129, 0.2  # gray levels that are matched; in long sides

Decode = Callable[[int], Pixels]
Gray = UInt8[np.ndarray, "_ _"]
Thumbnails = Float32[np.ndarray, "n s s"]
Vectors = Float32[np.ndarray, "_ f"]
Matrix = Float32[np.ndarray, "f f"]

_ORDER = np.r_[2 : _SIDE**2 : 2, 1 : _SIDE**2 : 2]
"""Places of frequencies, the mean left out: first those that are the same in a mirrored image."""
_ODD = _SIDE**2 // 2 - 1  # the others begin here
_MIRROR = np.where(np.arange(len(_ORDER)) < _ODD, 1, -1).astype(np.float32)


def exact(facts: Sequence[Facts], decode: Decode) -> Int[np.ndarray, "n"]:
    """Return for each image the place of the first one with the same decoded pixels.

    `decode` returns an image by its place; it is asked where other files have the same thumbnail.
    An image with a fault has no twins.
    """
    alike = defaultdict[object, list[int]](list)
    for place, seen in enumerate(facts):
        if not seen.fault:
            alike[seen.height, seen.width, seen.thumbnail].append(place)
    first = np.arange(len(facts))
    for places in alike.values():
        known, differ = dict[str, int](), len({facts[place].sha256 for place in places}) > 1
        for place in places:
            pixels = sha256(decode(place).numpy().tobytes()).hexdigest() if differ else ""
            first[place] = known.setdefault(pixels, place)
    return first


def near(facts: Sequence[Facts], decode: Decode, progress: bool = False) -> Int[np.ndarray, "n"]:
    """Return the number of each image's cluster: its near-twins, and theirs.

    Clusters are numbered by their first images. An image with a fault is alone.

    Args:
        facts: what was found when each image was looked at.
        decode: returns an image by its place; threads ask for some.
        progress: whether to show a progress bar.
    """
    usable = np.array([place for place, seen in enumerate(facts) if not seen.fault], int)
    if len(usable) < 2:
        return np.arange(len(facts))
    flat = np.frombuffer(b"".join(seen.thumbnail for seen in facts if not seen.fault), np.uint8)
    found, mirrored = _candidates(flat.reshape(-1, THUMBNAIL, THUMBNAIL))
    pairs, clusters = usable[found].tolist(), DisjointSet(range(len(facts)))
    gray = lru_cache(maxsize=4 * _CHUNK)(lambda place: _gray(decode(place)))

    def compare(number: int) -> bool:
        one, other = map(gray, pairs[number])
        return same_shot(one, np.flip(other, 1) if mirrored[number] else other)

    bar = tqdm(total=len(pairs), desc="looking for twins", disable=not (progress and pairs))
    with one_thread_each() as pool, bar:
        for start in range(0, len(pairs), _CHUNK):
            chunk = range(start, min(start + _CHUNK, len(pairs)))
            apart = [number for number in chunk if not clusters.connected(*pairs[number])]
            for number, same in zip(apart, pool.map(compare, apart), strict=True):
                if same:
                    clusters.merge(*pairs[number])
            bar.update(len(chunk))
    return pd.factorize(np.array([clusters[place] for place in range(len(facts))]))[0]


def same_shot(one: Gray, other: Gray) -> bool:
    """Return whether two images are near-twins; a mirrored one is none."""
    side, warp = min(max(one.shape), max(other.shape)), np.eye(2, 3, dtype=np.float32)
    if side < SMALLEST:
        return False
    steps = cv2.ECCParameters()
    steps.motionType = cv2.MOTION_AFFINE
    for length in sorted({min(side, ROUGH), side}):
        a, b = (_scaled(image, one.shape, length) for image in (one, other))
        steps.nlevels = 1 + min(a.shape) // 32 if length <= ROUGH else 1
        try:
            alike, found = cv2.findTransformECCMultiScale(a, b, warp, steps)
        except cv2.error:  # they have nothing in common, or one is blank
            return False
        warp = np.asarray(found, np.float32)
        moved = np.abs(warp - np.eye(2, 3)).max(axis=0) / (1, 1, length)
        if not alike >= LEAST_CORRELATED or moved.max() > _MOST_MOVED:
            return False
        most = MOST_DIFFERENT * min(1, length / FINE)
        if _largest_difference(a, b, warp) > (most if length == side else 2 * most):
            return False
        warp[:, 2] *= side / length
    return True


def _gray(pixels: Pixels) -> Gray:
    image = cv2.cvtColor(pixels.permute(1, 2, 0).contiguous().numpy(), cv2.COLOR_RGB2GRAY)
    return _scaled(np.asarray(image, np.uint8), image.shape, min(LARGEST, max(image.shape)))


def _scaled(image: Gray, shape: tuple[int, ...], side: int) -> Gray:
    """Return an image with the proportions of a shape and another long side."""
    height, width = (max(1, round(length * side / max(shape))) for length in shape)
    how = cv2.INTER_AREA if height < len(image) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


def _largest_difference(a: Gray, b: Gray, warp: Float32[np.ndarray, "2 3"]) -> float:
    """Return the largest difference of smoothed images, one at the other's place in its tones.

    Either takes on the other's: one that is too bright somewhere cannot be made darker again.
    """
    size, linear = (a.shape[1], a.shape[0]), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    smooth = max(0.8, _SMOOTH * max(size))
    moved = cv2.warpAffine(b, warp, size, flags=linear, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.full_like(b, 255), warp, size, flags=linear)
    shown = np.asarray(cv2.erode(inside, np.ones(2 * [2 * round(2 * smooth) + 1]))) == 255
    if not shown.any():
        return np.inf
    sharp = [cv2.GaussianBlur(image.astype(np.float32), (0, 0), _SHARP) for image in (a, moved)]
    ranks = np.linspace(0, shown.sum() - 1, _TONES).astype(int)
    tones = [np.sort(image[shown])[ranks] for image in sharp]
    left = []
    for one, other in ((0, 1), (1, 0)):
        apart = sharp[one] - np.interp(sharp[other], tones[other], tones[one])
        apart = np.abs(cv2.GaussianBlur(apart, (0, 0), smooth))[shown]
        left.append(apart / max(_FLAT, sharp[one][shown].std()))
    return float(np.minimum(*left).max())


def _candidates(
    thumbnails: UInt8[np.ndarray, "n s s"],
) -> tuple[Int[np.ndarray, "m 2"], Bool[np.ndarray, "m"]]:
    """Return pairs of places whose thumbnails may be twins, and whether one has to be mirrored.

    Pairs that are linked follow each other, the most alike ones first.
    """
    pixels = np.arange(THUMBNAIL) - (THUMBNAIL - 1) / 2
    zoom = np.array([np.interp(_ZOOM * pixels, pixels, row) for row in np.eye(THUMBNAIL)])
    zoom = zoom.astype(np.float32)
    plain, zoomed = _standard(thumbnails), _standard(zoom.T @ thumbnails @ zoom)
    mean, weights, whiten = _metrics(plain)
    units = [(_frequencies(images) - mean) @ weights for images in (plain, zoomed)]
    for vectors in units:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-6)
        vectors[np.ptp(thumbnails, axis=(1, 2)) < _FLAT] = 0
    points = (_frequencies(plain) - mean) @ whiten
    lengths = np.linalg.norm(points, axis=1)
    found = [(np.zeros((0, 2), int), np.zeros(0), np.zeros(0, bool))]
    for one, other in _alike(*units):
        used, which = np.unique(one, return_inverse=True)
        tangents = np.linalg.qr((_frequencies(_tangents(plain[used])) @ whiten).mT)[0]
        for sign in (1, _MIRROR):
            apart = sign * points[other] - points[one]
            along = np.einsum("mft,mf->mt", tangents[which], apart)
            left = np.sqrt(((apart**2).sum(1) - (along**2).sum(1)).clip(min=0))
            left /= np.sqrt(lengths[one] * lengths[other])
            kept = left < IF_FEW
            pairs = np.stack([one, other], axis=1)[kept]
            found.append((pairs, left[kept], np.full(len(pairs), sign is _MIRROR)))
    pairs, left, mirrored = (np.concatenate(column) for column in zip(*found, strict=True))
    least = np.sort(left)[:_COMPARED].max(initial=MOST_LEFT)
    pairs, left, mirrored = (column[left <= least] for column in (pairs, left, mirrored))
    links = coo_array((np.ones(len(pairs)), pairs.T), (len(points), len(points)))
    order = np.lexsort([left, connected_components(links)[1][pairs[:, 0]]])
    return pairs[order], mirrored[order]


def _alike(plain: Vectors, zoomed: Vectors) -> Iterator[Int[np.ndarray, "2 m"]]:
    """Return places of images and of later ones that are alike, mirrored or not, in blocks."""

    def cosines(a: Vectors, b: Vectors) -> Float32[np.ndarray, "_ _"]:
        even, odd = a[:, :_ODD] @ b[:, :_ODD].T, a[:, _ODD:] @ b[:, _ODD:].T
        return np.asarray(even + np.abs(odd), np.float32)

    blocks = [slice(start, start + _BLOCK) for start in range(0, len(plain), _BLOCK)]
    for number, rows in enumerate(blocks):
        found = []
        for columns in blocks[number:]:
            alike = cosines(plain[rows], plain[columns])
            for one, other in ((plain, zoomed), (zoomed, plain)):
                np.maximum(alike, cosines(one[rows], other[columns]), out=alike)
            if rows is columns:
                alike[np.tri(len(alike), dtype=bool)] = -1
            some = np.flatnonzero((alike > LEAST_ALIKE).any(axis=1))
            most = min(_MOST_ALIKE, alike.shape[1])
            places = np.argpartition(alike[some], -most)[:, -most:]
            near, nth = np.nonzero(np.take_along_axis(alike[some], places, 1) > LEAST_ALIKE)
            found.append([rows.start + some[near], columns.start + places[near, nth]])
        yield np.concatenate(found, axis=1)


def _standard(thumbnails: Shaped[np.ndarray, "n s s"]) -> Thumbnails:
    levels = thumbnails - thumbnails.mean((1, 2), dtype=np.float32, keepdims=True)
    return np.asarray(levels / levels.std((1, 2), keepdims=True).clip(min=_FLAT), np.float32)


def _frequencies(images: Float32[np.ndarray, "*n s s"]) -> Float32[np.ndarray, "*n f"]:
    low = dctn(images, axes=(-2, -1), norm="ortho")[..., :_SIDE, :_SIDE]
    return np.asarray(low.reshape(*low.shape[:-2], _SIDE**2)[..., _ORDER], np.float32)


def _tangents(images: Thumbnails) -> Float32[np.ndarray, "n t s s"]:
    """Return the changes of images with shift, turn, scale and tone, as large as in twins."""
    x = np.linspace(-1, 1, THUMBNAIL)
    y = x[:, None]
    down, across = np.gradient(images, 2 / THUMBNAIL, axis=(1, 2))
    moved = [0.03 * step for step in (down, across, x * down, y * across)]
    scaled = [0.04 * y * down, 0.04 * x * across]
    toned = [0.05 * images, 0.2 * images**2, 0.1 * images**3]
    return np.stack([*moved, *scaled, *toned], axis=1).astype(np.float32)


def _metrics(plain: Thumbnails) -> tuple[Float32[np.ndarray, "f"], Matrix, Matrix]:
    """Return the mean of a set with its mirrored images, weights of frequencies, and a whitening.

    A small set is taken for more like natural images, whose power falls with frequency squared.
    """
    frequencies, count = _frequencies(plain), len(plain) + _PRIOR
    mean = (_MIRROR > 0) * frequencies.sum(0) / count
    total = (frequencies - mean).T @ (frequencies - mean) / count
    power = 1 / np.square(np.indices((_SIDE, _SIDE))).sum(0).ravel()[_ORDER]
    total += np.diag(power / power.sum()) * total.trace() * _PRIOR / len(plain)
    some = _tangents(plain[:: 1 + len(plain) // _BLOCK])
    changes = _frequencies(some).reshape(-1, len(mean))
    within = changes.T @ changes / len(some)
    total, within = (matrix * (np.outer(_MIRROR, _MIRROR) > 0) for matrix in (total, within))
    spread, level = _inverse_root(within, 0.01), np.eye(len(mean), dtype=np.float32)
    weights = spread @ _inverse_root(spread @ total @ spread + level, 0.0)
    return mean, weights, _inverse_root(total, 0.3)


def _inverse_root(matrix: Matrix, floor: float) -> Matrix:
    """Return the inverse square root of a matrix, with a floor in mean eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    values = values.clip(min=1e-9) + floor * values.mean()
    return np.asarray(vectors / np.sqrt(values) @ vectors.T, np.float32)
