"""The cylindrical chart of the undeformed head, on which skin and hair are painted."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float, Float32
from scipy.interpolate import CubicSpline

from synthfaces.maths import Array, Layer, Rng, Vectors, by_column, columns
from synthfaces.mesh import HeadMesh, Part, ray_scene
from synthfaces.parameters import Real

WIDTH, HEIGHT = 1536, 880
TOP, BOTTOM = 8.73, 5.0
AXIS_DEPTH = 0.25
_ROW = 1024

Image = Float32[np.ndarray, "_ _ _"]


def chart(points: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "... 2"]:
    """Return the chart's fractions at points of the undeformed head, dm."""
    azimuth = np.arctan2(points[..., 0], points[..., 2] - AXIS_DEPTH)
    height = (TOP - points[..., 1]) / (TOP - BOTTOM)
    return columns(azimuth / (2 * np.pi) + 0.5, height)


def azimuths() -> Float32[np.ndarray, "1 w"]:
    """Return the azimuths, radians, of the columns of a chart image, as a row."""
    return (((np.arange(WIDTH) + 0.5) / WIDTH * 2 - 1) * np.pi).astype(np.float32)[None]


def heights() -> Float32[np.ndarray, "h 1"]:
    """Return the heights, dm, of the rows of a chart image, as a column."""
    return (TOP - (np.arange(HEIGHT) + 0.5) / HEIGHT * (TOP - BOTTOM)).astype(np.float32)[:, None]


def value_noise(
    rng: Rng, cell: Real, aspect: Real = 1, shape: tuple[int, int] | None = None
) -> Layer:
    """Draw smooth noise of standard deviation one."""
    height, width = shape or (HEIGHT, WIDTH)
    rows, columns = max(2, int(height / cell / aspect)), max(4, int(width / cell))
    grid = rng.standard_normal((rows + 3, columns)).astype(np.float32)
    grid = np.concatenate([grid, grid[:, :2]], axis=1)
    size = (int((columns + 2) * width / columns), int((rows + 3) * height / rows))
    noise = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)[:height, :width]
    return np.asarray(noise / noise.std())


def sample(image: Image, places: Float[np.ndarray, "n 2"]) -> Float32[np.ndarray, "n _"]:
    """Look an image up at fractions of the chart, bilinearly; azimuth wraps around."""
    height, width, channels = image.shape
    count = len(places)
    rows = max(1, -(-count // _ROW))  # cv2.remap refuses dimensions of 32,767 and more
    where = np.zeros((2, rows * _ROW), np.float32)
    where[0, :count] = (places[:, 0] * width - 0.5) % width
    where[1, :count] = np.clip(places[:, 1] * height - 0.5, 0, height - 1)
    across, down = where.reshape(2, rows, _ROW)
    found = cv2.remap(image, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return by_column(found.reshape(-1, channels)[:count])


def coarser(image: Image, level: int) -> Image:
    """Average an image over squares of 2**level pixels, for views that are far smaller."""
    if level == 0:
        return image
    size = (image.shape[1] >> level, image.shape[0] >> level)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small.reshape(size[1], size[0], -1))


@dataclass(frozen=True)
class Charts:
    """The images over the chart that a subject is shaded with."""

    paint: Image  # linear RGB and cover of hair
    creases: Image  # depth of each group of creases
    pores: Image  # slopes of the skin's grain

    @cached_property
    def halved(self) -> "Charts":
        """The charts at half the resolution, for places that stand for a whole pixel."""
        return Charts(*(coarser(image, 1) for image in (self.paint, self.creases, self.pores)))


def draw_lines(
    starts: Float[np.ndarray, "n 2"],
    ends: Float[np.ndarray, "n 2"],
    opacities: Float[np.ndarray, "n"],
    thickness: int = 1,
) -> Layer:
    """Draw anti-aliased lines between fractions of the chart; later ones cover earlier ones."""
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    fixed_point = np.array([WIDTH, HEIGHT]) * 16
    firsts, lasts = (starts * fixed_point).astype(int), (ends * fixed_point).astype(int)
    for first, last, opacity in zip(firsts, lasts, opacities, strict=True):
        cv2.line(drawn, first, last, round(255 * float(opacity)), thickness, cv2.LINE_AA, 4)
    return drawn.astype(np.float32) / 255


def draw_dots(
    places: Float[np.ndarray, "n 2"], radii: Array, opacities: Float[np.ndarray, "n"]
) -> Layer:
    """Draw anti-aliased discs at fractions of the chart, 0 to 1; radii are in pixels."""
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    for (x, y), radius, opacity in zip(places, radii, opacities, strict=True):
        centre = (int(x * WIDTH), int(y * HEIGHT))
        cv2.circle(drawn, centre, int(radius), round(255 * float(opacity)), -1, cv2.LINE_AA)
    return drawn.astype(np.float32) / 255


def blur(image: Array, sigma: Real) -> Array:
    """Blur an image with a Gaussian of this many pixels."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


Path = Sequence[tuple[float, float]]
"""The points (x, y) of a path as seen from the front, dm."""

PIXELS_PER_DM = WIDTH / (2 * np.pi)
_EYE_OF_THE_BEHOLDER = 9.0


@dataclass(frozen=True)
class FrontView:
    """The undeformed head as a viewer in front sees it."""

    mesh: HeadMesh

    @cached_property
    def _skin(self) -> EmbreeScene:
        skin = self.mesh.triangles[self.mesh.material == Part.SKIN]
        return ray_scene(self.mesh.template, skin)

    def meet(self, points: Float[np.ndarray, "n 2"]) -> Vectors:
        """Return the places of the skin that the viewer sees at the points (x, y), dm."""
        origins = np.full((len(points), 3), _EYE_OF_THE_BEHOLDER, np.float32)
        origins[:, :2] = points
        away = np.zeros_like(origins)
        away[:, 2] = -1
        origins[:, 2] -= self._skin.run(origins, away, output=1)["tfar"]
        return origins

    def project(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Return the fractions of the chart behind the points (x, y) that the viewer sees, dm."""
        return chart(self.meet(points))

    def stroke(self, path: Path, width: float, mirrored: bool) -> Layer:
        """Draw a soft line that fades out at both ends; its width is in dm."""
        count = 40
        opacities = np.sin(np.pi * (np.arange(count - 1) + 0.5) / count) ** 0.6
        thickness = max(1, int(width * PIXELS_PER_DM * 0.8))
        image = np.zeros((HEIGHT, WIDTH), np.float32)
        for side in (1, -1) if mirrored else (1,):
            places = self.project(spline(path, count) * (side, 1))
            line = draw_lines(places[:-1], places[1:], opacities, thickness)
            image = np.maximum(image, line)
        return blur(image, max(0.8, width * PIXELS_PER_DM * 0.45))

    def blob(self, centre: tuple[float, float], spread: tuple[float, float]) -> Layer:
        """Draw a Gaussian patch, mirrored unless it is centred."""
        x, y = centre
        image = np.zeros((HEIGHT, WIDTH), np.float32)
        for side in (1, -1) if x else (1,):
            across, down = self.project(np.array([[side * x, y]]))[0]
            azimuth, height = (across * 2 - 1) * np.pi, TOP - down * (TOP - BOTTOM)
            row = np.exp(-(((azimuths() - azimuth) / spread[0]) ** 2) / 2)
            column = np.exp(-(((heights() - height) / spread[1]) ** 2) / 2)
            image += row * column
        return image


def spline(path: Path, count: int) -> Float[np.ndarray, "n 2"]:
    """Return points along the cubic through a path, evenly spaced in its parameter."""
    points = np.asarray(path, dtype=np.float64)
    curve = CubicSpline(np.linspace(0, 1, len(points)), points)
    return np.asarray(curve(np.linspace(0, 1, count)))
