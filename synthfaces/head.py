"""How the head is held: turned and nodded as a whole, under lamps and cameras that stay."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from synthfaces.difficulty import USUAL, Difficulty
from synthfaces.maths import contract
from synthfaces.parameters import HEAD, Real, check_range
from synthfaces.streams import bounded, stream


@dataclass(frozen=True)
class Head:
    """How the head is held, neck and shoulders with it, around the middle between the ears.

    Everything is rendered in the frame of the head: cameras and lamps are carried around it the
    other way. The eyes turn back in it, so that they look where they looked.

    Attributes:
        turn: degrees to the subject's left.
        nod: degrees down.

    Raises:
        UserError: a turn or a nod that is not -30 to 30.
    """

    turn: Real = 0.0
    nod: Real = 0.0

    def __post_init__(self) -> None:
        for name, (low, high) in HEAD.items():
            check_range(name, getattr(self, name), low, high)

    @cached_property
    def rotation(self) -> Float[np.ndarray, "3 3"]:
        """From the frame of the head to that of the room."""
        return rotation(self.turn, self.nod)

    def seen(self, vectors: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Vectors of the room in the frame of the head; of one that is upright the very same."""
        return contract("...i,ij->...j", vectors, self.rotation.astype(vectors.dtype))


UPRIGHT = Head()
"""Straight ahead."""


def rotation(turn: Real, down: Real) -> Float[np.ndarray, "3 3"]:
    """Around the vertical to the subject's left, after a tilt down around the line of the eyes.

    Args:
        turn: degrees to the left.
        down: degrees.
    """
    yaw, pitch = np.radians(turn), np.radians(down)
    around = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    below = np.array([0, np.sin(pitch), np.cos(pitch)])
    tilt = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], below])
    return contract("ij,jk->ik", around, tilt)


def draw_head(
    seed: int, subject: int, emotion: str, gaze: str, difficulty: Difficulty = USUAL
) -> Head:
    """How the head is held in one shot, whose cameras all take it at once."""
    turn, nod = bounded(stream(seed, subject, emotion, gaze, "head"), 2)
    return Head(turn=difficulty.head_turn * turn, nod=difficulty.head_nod * nod)
