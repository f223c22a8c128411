"""``python -m imgda_mpi``."""

import gc
import sys

from imgda_mpi.cli import main

status = main()
# Python ends by looking for garbage among all objects, several times, which takes longer than writing a result.
gc.freeze()
sys.exit(status)
