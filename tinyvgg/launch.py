"""How this process was started: alone, or by torchrun as one of several.

The standard library is all that this needs.
"""

import os


def size() -> int:
    """How many processes torchrun started on all machines together; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def rank() -> int:
    """The number of this one, from 0."""
    return int(os.environ["RANK"]) if size() > 1 else 0
