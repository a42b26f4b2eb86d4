"""`python -m saffu` is the program `saffu`."""

import sys

from saffu.cli import main

if __name__ == "__main__":
    sys.exit(main())
