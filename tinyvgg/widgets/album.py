"""Pictures of a few subjects with one cause changed at a time, rendered for a static explorer."""

from collections.abc import Sequence
from functools import cache

from tinyvgg.errors import UserError
from tinyvgg.faces.synthetic import FaceSpec
from tinyvgg.findings.interventions import Seen, see
from tinyvgg.profiles import Profile
from tinyvgg.widgets.causes import CAUSES, Cause

SUBJECTS = (1, 9, 4)
"""A woman, a man and a girl."""
_LARGEST = 96


class Album:
    """Subjects at rest, and with each cause at each of its values.

    Args:
        subjects: RaFD's numbers.
        size: of the square images, pixels.
        causes: each changed alone.
    """

    def __init__(
        self, subjects: Sequence[int], size: int, causes: Sequence[Cause] = CAUSES
    ) -> None:
        self.subjects, self.size, self.causes = tuple(subjects), size, tuple(causes)
        self._see = cache(lambda spec: see(spec, size))
        if not self.subjects or not self.causes:
            raise UserError("an album without subjects or without causes shows nothing: give some")

    def __repr__(self) -> str:
        return f"Album of {len(self.subjects)} subjects with {len(self.causes)} causes"

    def at_rest(self, subject: int) -> Seen:
        """A subject who does nothing, from the front, in the light of the set."""
        seen: Seen = self._see(FaceSpec(subject))
        return seen

    def changed(self, subject: int, cause: Cause, place: int) -> Seen:
        """The same with one cause at the value in this place."""
        seen: Seen = self._see(cause.spec(FaceSpec(subject), place))
        return seen


def album(profile: Profile) -> Album:
    """An album for a chapter: small and short where the profile is for tests.

    Args:
        profile: of the run; its album's images are twice as large as the network's, up to a limit.
    """
    size = min(2 * profile.size, _LARGEST)
    if profile.subjects is None:
        return Album(SUBJECTS, size)
    return Album(SUBJECTS[:1], size, [cause.coarse() for cause in CAUSES])
