"""Images and their parts as text that a page unpacks again, byte for byte.

Neighbouring values of a cause make similar images, and most of their pixels are equal. So an image
is kept as what it adds to its neighbour, modulo 256, in four layers: red less green, green, blue
less green, and the part of the face. Nearly all of that is zero, which zlib packs well.
"""

import base64
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import UInt8

from tinyvgg.findings.interventions import Seen

Layers = UInt8[np.ndarray, "4 s s"]


def pack(seen: Seen) -> str:
    """One image with its parts."""
    return _packed([_layers(seen)])


def pack_steps(steps: Sequence[Seen], rest: int) -> str:
    """The images of all values of a cause but the one at rest, outwards from there.

    Args:
        steps: in the order of the values.
        rest: the place of the one at rest.
    """
    layers = [_layers(step) for step in steps]
    return _packed(layers[place] - layers[inner] for place, inner in outwards(len(steps), rest))


def outwards(places: int, rest: int) -> list[tuple[int, int]]:
    """All places but that of rest, each with its neighbour towards rest, which comes before it."""
    up = [(place, place - 1) for place in range(rest + 1, places)]
    down = [(place, place + 1) for place in range(rest - 1, -1, -1)]
    return up + down


def _layers(seen: Seen) -> Layers:
    red, green, blue = np.moveaxis(seen.image, -1, 0)
    return np.stack([red - green, green, blue - green, seen.parts])


def _packed(layers: Iterable[Layers]) -> str:
    content = b"".join(np.ascontiguousarray(one).tobytes() for one in layers)
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")
