"""The command line under torchrun: some processes find something wrong, others wait for ever."""

import os
import sys
import time
from typing import Any

from tinyvgg import cli
from tinyvgg.errors import UserError


def fail(**_: Any) -> None:
    if os.environ["RANK"] in sys.argv[1]:
        raise UserError("something is wrong")
    time.sleep(3600)


if __name__ == "__main__":
    cli.train.callback = fail
    if sys.argv[1] == "1":
        cli.GRACE = 0.0  # nobody else says it
    sys.exit(cli.main(["train"]))
