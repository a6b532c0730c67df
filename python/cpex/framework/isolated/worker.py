"""The program of a worker as hosts of CPEX 0.1.x start it: JSON objects, one a line, on the standard streams.

A host of this package starts another one (`_hosted`), with a socket. This file stays runnable as a script, from a copy
or a link of it, in an environment that has this package.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["main"]


def main() -> None:
    """Serve tasks from the standard input until it ends, or a task says so."""
    from cpex.framework.isolated._tasks import serve

    serve()


if __name__ == "__main__":
    # The modules beside this file are not to be imported by their bare names.
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [folder for folder in sys.path if folder != here]
    main()
