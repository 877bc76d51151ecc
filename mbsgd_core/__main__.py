"""python -m mbsgd_core: the command line (floor 6)."""

import sys

from mbsgd_core.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
