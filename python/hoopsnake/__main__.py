"""`python -m hoopsnake` is the `hoop` command."""

import sys

from hoopsnake._cli import main

if __name__ == "__main__":
    sys.exit(main())
