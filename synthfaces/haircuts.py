"""The numbers of each cut."""

from dataclasses import dataclass

from synthfaces.hair_styles import Cut


@dataclass(frozen=True)
class Haircut:
    """Numbers of a cut.

    Attributes:
        count: of strands.
        points: of each.
        top, side, front: lengths, dm, shortest and longest.
        lift: of the outermost layer above the scalp, dm.
        rise: how far strands stand up at the root, 0..1.
        hug: how firmly they keep to the scalp, 0..1.
        weight: how fast gravity takes over, 0..1.
        width: of a ribbon, dm.
    """

    count: int
    points: int
    top: tuple[float, float]
    side: tuple[float, float]
    front: tuple[float, float]
    lift: float
    rise: float
    hug: float
    weight: float
    width: float = 0.02


HAIRCUTS = {
    Cut.CROPPED: Haircut(
        2600, 4, (0.15, 0.34), (0.07, 0.13), (0.15, 0.32), 0.12, 0.75, 0.3, 0.0, 0.02
    ),
    Cut.PARTED: Haircut(1800, 7, (0.5, 0.9), (0.10, 0.22), (0.5, 0.9), 0.15, 0.45, 0.9, 0.05),
    Cut.FRINGE: Haircut(1800, 7, (0.5, 0.9), (0.2, 0.4), (0.5, 0.9), 0.12, 0.35, 0.9, 0.1, 0.024),
    Cut.SWEPT: Haircut(1800, 8, (0.5, 0.9), (0.12, 0.3), (0.5, 0.9), 0.17, 0.7, 0.85, 0.03),
    Cut.TIED: Haircut(1600, 12, (2.6, 2.6), (2.6, 2.6), (2.6, 2.6), 0.05, 0.1, 1.0, 0.0),
    Cut.BOB: Haircut(2600, 12, (2.4, 2.8), (2.4, 2.8), (2.4, 2.8), 0.13, 0.35, 0.9, 0.25, 0.028),
    Cut.LONG: Haircut(2900, 15, (3.4, 3.8), (3.4, 3.8), (3.4, 3.8), 0.12, 0.3, 0.9, 0.3, 0.028),
    Cut.CURLY: Haircut(1400, 22, (0.6, 1.1), (0.4, 0.8), (0.5, 0.9), 0.36, 0.8, 0.5, 0.12, 0.03),
}
