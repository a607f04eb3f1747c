"""Profiles: everything about a run but its source of faces and its seed.

The standard library is all that this needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tinyvgg.settings import Recipe


@dataclass(frozen=True)
class Profile:
    """Everything about a run but its source of faces and its seed.

    Attributes:
        name: what it is called on the command line.
        size: side of the images in pixels.
        subjects: how many synthetic subjects; None for all 67.
        epochs: by task; for ``class`` the fewest.
        least_steps: that a network is trained for, however few images there are: small sets of
            photographs have few steps an epoch.
        batch: images a step.
        rate: learning rate.
        maps: feature maps of every convolution.
        dense: neurons of the hidden dense layers.
    """

    name: str
    size: int
    subjects: int | None
    epochs: Mapping[str, int]
    least_steps: int
    batch: int = 12
    rate: float = 0.01
    maps: int = 32
    dense: tuple[int, ...] = (1024, 512, 256)

    def recipe(self, task: str, images: int) -> Recipe:
        """The training settings of a task with that many training images."""
        batch = min(self.batch, images)
        steps = -(-images // batch)
        epochs = max(self.epochs[task], -(-self.least_steps // steps))
        return Recipe(epochs=epochs, batch=batch, rate=self.rate)


def _epochs(subject: int, emotion: int) -> Mapping[str, int]:
    by_task = {"subject": subject, "emotion": emotion, "class": subject}
    return MappingProxyType(by_task)


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(
                "smoke",
                size=32,
                subjects=4,
                epochs=_epochs(12, 24),
                least_steps=100,
                rate=0.05,
                maps=16,
                dense=(128, 64, 32),
            ),
            Profile("quick", size=64, subjects=None, epochs=_epochs(24, 48), least_steps=3000),
            Profile("paper", size=224, subjects=None, epochs=_epochs(100, 100), least_steps=20_000),
        )
    }
)
