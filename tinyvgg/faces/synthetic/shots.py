"""One shot: a subject in an expression, photographed by all its cameras at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from tinyvgg.faces.synthetic.camera import aim, draw_nuisance
from tinyvgg.faces.synthetic.chart import Image, coarser
from tinyvgg.faces.synthetic.expressions import draw_expression
from tinyvgg.faces.synthetic.mesh import HeadMesh
from tinyvgg.faces.synthetic.photograph import Studio
from tinyvgg.faces.synthetic.pose import pose
from tinyvgg.faces.synthetic.streams import stream
from tinyvgg.faces.synthetic.subjects import Subject, make_subject
from tinyvgg.faces.synthetic.texture import Painter

_PAINTED_FOR = 224


@dataclass(frozen=True)
class Sitter:
    """A subject, and the paint reduced to what images of one size can show."""

    subject: Subject
    paint: Image


class Renderer:
    """Renders shots of one size and seed.

    Args:
        painter: the head, and what all heads have painted on them.
        size: of the square images, pixels.
        seed: of all random streams.
    """

    def __init__(self, painter: Painter, size: int, seed: int) -> None:
        self.painter, self.size, self.seed = painter, size, seed
        self._halvings = int(np.clip(np.log2(_PAINTED_FOR / size), 0, 2))
        self._creases = coarser(painter.creases, self._halvings)
        self._pores = coarser(painter.pores, self._halvings)

    @property
    def mesh(self) -> HeadMesh:
        """The head."""
        return self.painter.mesh

    def sitter(self, number: int) -> Sitter:
        """Make up a subject; takes some half a second.

        Raises:
            UserError: a number that RaFD does not use.
        """
        subject = make_subject(number, self.painter, self.seed)
        return Sitter(subject, coarser(subject.paint, self._halvings))

    def shot(
        self, sitter: Sitter, emotion: str, gaze: str, angles: Sequence[int]
    ) -> UInt8[np.ndarray, "a s s 3"]:
        """RGB images in the order of the angles; an image does not depend on the other angles."""
        subject, number = sitter.subject, sitter.subject.person.number
        rng = stream(self.seed, number, emotion, gaze, "expression")
        expression = draw_expression(emotion, gaze, subject.temperament, rng)
        studio = Studio(
            mesh=self.mesh,
            subject=subject,
            pose=pose(self.mesh, subject, expression),
            paint=sitter.paint,
            creases=self._creases,
            pores=self._pores,
        )
        images = []
        for angle in angles:
            nuisance = draw_nuisance(self.seed, number, emotion, gaze, angle)
            camera = aim(subject.framing, angle, nuisance)
            images.append(studio.photograph(camera, nuisance, self.size))
        return np.stack(images)
