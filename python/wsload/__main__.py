"""`python -m wsload`."""

import sys

from wsload.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
