"""The command line, in processes that note their number, fail, or are interrupted."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from tinyvgg import cli
from tinyvgg.errors import UserError


def fail(ranks: str) -> None:
    """Let these processes find something wrong, while the others wait for ever."""

    def run(**_: Any) -> int:
        if os.environ["RANK"] in ranks:
            raise UserError("something is wrong")
        time.sleep(3600)
        return 0

    cli.train.callback = run


def interrupt() -> None:
    """Let all processes be interrupted."""

    def run(**_: Any) -> int:
        raise KeyboardInterrupt

    cli.train.callback = run


if __name__ == "__main__":
    what, value, *arguments = sys.argv[1:]
    if what == "note":
        Path(value, f"process-{os.environ['RANK']}").write_text(str(os.getpid()))
    elif what == "interrupt":
        interrupt()
    else:
        fail(value)
    sys.exit(cli.main(arguments))
