"""``python -m imgda_mpi``, and the command of that name."""

import gc
import sys
from contextlib import suppress
from pathlib import Path


def run() -> None:
    """The program from its start to its exit."""
    # What is loaded stays: to look for garbage among it, as Python does for every 700 objects more, takes a tenth of a
    # short run. A long one makes little that is.
    gc.set_threshold(1_000_000)
    from imgda_mpi.cli import main

    status = main()
    # Python ends by looking for garbage among all objects, several times, which takes longer than writing a result.
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    # Not the working folder, whose random.py is no module of the program: an empty part of PYTHONPATH names it too.
    with suppress(FileNotFoundError):  # of a folder that is gone
        sys.path[:] = [place for place in sys.path if place not in ("", str(Path.cwd()))]
    run()
