"""What a rank loads before it works: files on a parallel file system, times the number of ranks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from launch import on_ranks, python

# Runs an analysis as the command does, and writes down what each rank has loaded at its end.
SCRIPT = """
import json, runpy, sys
from pathlib import Path
folder = Path(sys.argv[2])
sys.argv = ["imgda_mpi", "analyse", sys.argv[1]]
try:
    runpy.run_module("imgda_mpi", run_name="__main__")
except SystemExit as end:
    assert end.code == 0
from mpi4py import MPI
(folder / f"{MPI.COMM_WORLD.rank}.json").write_text(json.dumps(sorted(sys.modules)))
"""


def test_only_rank_0_loads_what_reads_images_and_writes_diagnostics(example: Path, tmp_path: Path) -> None:
    case = tmp_path / "case"
    shutil.copytree(example, case)
    finished = on_ranks(2, "-c", SCRIPT, str(case / "case.toml"), str(tmp_path))
    assert finished.returncode == 0, finished.stderr
    loaded = [set(json.loads((tmp_path / f"{rank}.json").read_text())) for rank in (0, 1)]
    assert "netCDF4" in loaded[0]
    assert not loaded[1] & {"netCDF4", "matplotlib", "tqdm", "imgda_mpi.netcdf"}
    # Settings of other verbs, which rank 0 needs to say for which one a file is.
    assert not loaded[0] & {"imgda_mpi.settings.verbs", "imgda_mpi.settings.comparison", "imgda_mpi.settings.cycle"}
    own = {name for name in loaded[1] if name.startswith("imgda_mpi.")}
    assert len(own) <= 107
    # Python and its packages: what else they would load costs more time than the whole analysis computes.
    assert not loaded[0] & {
        "yaml",
        "numpy.f2py",
        "unittest",
        "scipy.fft",
        "scipy.linalg",
        "scipy.special",
        "scipy.ndimage",
        "scipy.stats",
        "numba.cuda",
        "matplotlib",
    }
    assert len(loaded[0]) <= 900
    # Only what has members needs them, and the packages of theirs.
    assert not loaded[1] & {"imgda_mpi.model.members", "imgda_mpi.numerics.localisation", "scipy.ndimage"}


def test_help_loads_neither_mpi_nor_numerics() -> None:
    finished = python("-X", "importtime", "-m", "imgda_mpi", "--help")
    assert finished.returncode == 0
    for name in ("mpi4py", "numpy", "numba", "pydantic", "h5py"):
        assert f" {name}\n" not in finished.stderr
