"""``python -m imgda_mpi``, and the command of that name."""

import gc
import sys


def run() -> None:
    """The program from its start to its exit."""
    # What is loaded stays: to look for garbage among it, as Python does for every 700 objects more, takes a tenth of a
    # short run.
    gc.set_threshold(50_000)
    from imgda_mpi.cli import main

    status = main()
    # Python ends by looking for garbage among all objects, several times, which takes longer than writing a result.
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the working folder, whose random.py is no module of the program
    run()
