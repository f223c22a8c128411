"""``python -m imgda_mpi``."""

import sys

from imgda_mpi.cli import main

sys.exit(main())
