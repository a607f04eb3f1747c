"""Small PNG images for explorers and pages, the same bytes for the same pixels."""

import base64
from io import BytesIO

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from PIL import Image


def png(pixels: UInt8[np.ndarray, "h w *c"], side: int | None = None) -> bytes:
    """A PNG, its longer side shrunk to at most `side`."""
    image = Image.fromarray(pixels)
    if side is not None and max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.BOX)
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def data_uri(content: bytes) -> str:
    """A PNG as the source of an image element."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def ink(features: Float[np.ndarray, "h w"], top: float) -> Shaped[np.ndarray, "h w"]:
    """Strength as ink, 8 bits: zero is white, `top` and beyond black."""
    share = np.clip(features / top if top > 0 else np.zeros_like(features), 0, 1)
    drawn: Shaped[np.ndarray, "h w"] = np.round(255 * (1 - share)).astype(np.uint8)
    return drawn
