"""The one error that a user is meant to read."""


class UserError(ValueError):
    """Bad input: one line that names the thing, the value seen and the way out."""

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows of it: the line alone."""
        return [str(self)]
