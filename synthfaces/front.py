"""Painting in the chart what is given as seen from the front of the undeformed head."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float, Float32
from scipy.interpolate import CubicSpline

from synthfaces.chart import BOTTOM, HEIGHT, TOP, WIDTH, azimuths, blur, chart, draw_lines, heights
from synthfaces.mesh import HeadMesh, Part, ray_scene

Path = Sequence[tuple[float, float]]
"""Points (x, y) as seen from the front, dm."""

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

    def project(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Fractions of the chart behind the points (x, y) that the viewer sees, dm."""
        origins = np.full((len(points), 3), _EYE_OF_THE_BEHOLDER, np.float32)
        origins[:, :2] = points
        away = np.zeros_like(origins)
        away[:, 2] = -1
        hits = self._skin.run(origins, away, output=1)
        origins[:, 2] -= hits["tfar"]
        return chart(origins)

    def stroke(self, path: Path, width: float, mirrored: bool) -> Float32[np.ndarray, "h w"]:
        """A soft line that fades out at both ends; width in dm."""
        count = 40
        opacities = np.sin(np.pi * (np.arange(count - 1) + 0.5) / count) ** 0.6
        thickness = max(1, int(width * PIXELS_PER_DM * 0.8))
        image = np.zeros((HEIGHT, WIDTH), np.float32)
        for side in (1, -1) if mirrored else (1,):
            places = self.project(spline(path, count) * (side, 1))
            line = draw_lines(places[:-1], places[1:], opacities, thickness)
            image = np.maximum(image, line)
        return blur(image, max(0.8, width * PIXELS_PER_DM * 0.45))

    def blob(
        self, centre: tuple[float, float], spread: tuple[float, float]
    ) -> Float32[np.ndarray, "h w"]:
        """A Gaussian patch, mirrored unless it is centred.

        Args:
            centre: (x, y) as seen from the front, dm.
            spread: standard deviations, radians around the head and dm upwards.
        """
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
    """Points along the cubic through the path's points, evenly spaced in the parameter."""
    points = np.asarray(path, dtype=np.float64)
    curve = CubicSpline(np.linspace(0, 1, len(points)), points)
    return np.asarray(curve(np.linspace(0, 1, count)))
