"""``python -m imgda_mpi``."""

import gc
import sys

if not sys.flags.safe_path:
    del sys.path[0]  # the working folder, whose random.py is no module of the program

from imgda_mpi.cli import main

status = main()
# Python ends by looking for garbage among all objects, several times, which takes longer than writing a result.
gc.freeze()
sys.exit(status)
