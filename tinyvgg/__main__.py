"""``python -m tinyvgg``: the command line, as torchrun starts it."""

import sys

from tinyvgg.cli import main

if __name__ == "__main__":
    sys.exit(main())
