"""The web view of a run that goes on, as a process of its own: `python -m wsload.report.web FILE HOST:PORT`.

Its parent is the run: it reads one line, the URL or what is wrong, and the view ends with its parent.
"""

import sys
from pathlib import Path

from wsload.errors import WsloadError
from wsload.report.web.address import parse_address
from wsload.report.web.server import serve


def main() -> int:
    """Serves, and tells the parent first."""
    path, address = sys.argv[1:]
    try:
        serve(Path(path), parse_address(address), lambda url: print(f"url {url}", flush=True), until_end_of_input=True)
    except WsloadError as error:
        print("error", str(error).replace("\n", "\t"), flush=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
