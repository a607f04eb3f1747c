"""One shot: a subject in an expression, photographed by all its cameras at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from synthfaces.camera import aim
from synthfaces.chart import Charts, coarser
from synthfaces.difficulty import USUAL, Difficulty
from synthfaces.mesh import HeadMesh
from synthfaces.photograph import Studio
from synthfaces.pose import pose
from synthfaces.specification import FaceSpec, face_spec
from synthfaces.subjects import Subject, make_subject
from synthfaces.texture import Painter

_PAINTED_FOR = 224


@dataclass(frozen=True)
class Sitter:
    """A subject, and the charts reduced to what images of one size can show."""

    subject: Subject
    charts: Charts


class Renderer:
    """Renders shots of one size, seed and difficulty.

    Args:
        painter: the head, and what all heads have painted on them.
        size: of the square images, pixels.
        seed: of all random streams.
        difficulty: of the shots of the design.
    """

    def __init__(
        self, painter: Painter, size: int, seed: int, difficulty: Difficulty = USUAL
    ) -> None:
        self.painter, self.size, self.seed, self.difficulty = painter, size, seed, difficulty
        self._halvings = int(np.clip(np.log2(_PAINTED_FOR / size), 0, 2))
        self._creases = coarser(painter.creases, self._halvings)
        self._pores = coarser(painter.pores, self._halvings)

    @property
    def mesh(self) -> HeadMesh:
        """The head."""
        return self.painter.mesh

    def sitter(self, number: int, skin: int | None = None, hair: int | None = None) -> Sitter:
        """Make up a subject, with another's skin or hair if asked to; takes some half a second.

        Raises:
            UserError: a number that RaFD does not use.
        """
        subject = make_subject(number, self.painter, self.seed, skin, hair)
        paint = coarser(subject.paint, self._halvings)
        return Sitter(subject, Charts(paint, self._creases, self._pores))

    def shot(
        self, sitter: Sitter, emotion: str, gaze: str, angles: Sequence[int]
    ) -> UInt8[np.ndarray, "a s s 3"]:
        """RGB images in the order of the angles; an image does not depend on the other angles."""
        number = sitter.subject.person.number
        specs = [
            face_spec(number, emotion, gaze, angle, self.seed, self.difficulty) for angle in angles
        ]
        return self.photographs(sitter, specs)

    def photographs(
        self, sitter: Sitter, specs: Sequence[FaceSpec]
    ) -> UInt8[np.ndarray, "a s s 3"]:
        """RGB images of shots that differ in camera and nuisance alone, in their order."""
        studio = self.studio(sitter, specs[0])
        images = []
        for spec in specs:
            camera = aim(sitter.subject.framing, spec.angle, spec.nuisance, head=spec.head)
            images.append(studio.photograph(camera, spec.nuisance, self.size))
        return np.stack(images)

    def studio(self, sitter: Sitter, spec: FaceSpec) -> Studio:
        """A subject posed and lit as a shot asks for."""
        return Studio(
            mesh=self.mesh,
            subject=sitter.subject,
            pose=pose(self.mesh, sitter.subject, spec.expression, spec.head),
            charts=sitter.charts,
            light=spec.light,
            head=spec.head,
        )
