"""`python -m wsload`."""

from wsload.cli.app import main

if __name__ == "__main__":
    main()
