"""Runs the command as a user does, alone or under mpirun, and compares what it wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import netCDF4
import numpy as np

ROOT = Path(__file__).parents[1]

# Python's copy of the environment: the process's own may carry what starting MPI in this process has put there.
ENVIRONMENT = dict(os.environ) | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def imgda(*arguments: object, ranks: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """The finished command; with ``ranks`` under mpirun."""
    words = ["-m", "imgda_mpi", *map(str, arguments)]
    return (
        on_ranks(ranks, "-m", "mpi4py", *words, **environment)
        if ranks
        else finished([sys.executable, *words], environment)
    )


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A finished python of its own."""
    return finished([sys.executable, *arguments], {})


def on_ranks(ranks: int, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A finished python under mpirun."""
    return finished(mpirun(ranks, sys.executable, *arguments), environment)


def mpirun(ranks: int, *command: str) -> list[str]:
    """A command on so many ranks of this machine."""
    return [
        "bash",
        "-c",
        'set -eu; . "$1/tools/env.sh"; shift; run_ranks "$@"',
        "bash",
        str(ROOT),
        str(ranks),
        *command,
    ]


def finished(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A finished command, whatever its status."""
    # The limit is for hangs, not for speed.
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=ENVIRONMENT | environment, check=False
    )


def contents(path: Path) -> dict[str, object]:
    """Everything about a NetCDF-4 file but HDF5's inner layout: values, attributes, types, chunks, filters."""
    found: dict[str, object] = {}

    def visit(name: str, item: h5py.Dataset) -> None:
        storage = (item.dtype, item.shape, item.chunks, item.compression, item.compression_opts, item.shuffle)
        attributes = {key: str(item.attrs[key]) for key in item.attrs if key != "DIMENSION_LIST"}
        values = item[...]
        found[name] = (values.tolist() if values.dtype == object else values.tobytes(), storage, attributes)

    with h5py.File(path) as file:
        found["/"] = {key: str(file.attrs[key]) for key in file.attrs}
        file.visititems(visit)
    return found


def differing(a: Path, b: Path) -> set[str]:
    """Names of the variables in which two NetCDF-4 files differ."""
    first, second = contents(a), contents(b)
    assert first.keys() == second.keys()
    return {name for name in first if name != "/" and first[name] != second[name]} | differing_attributes(first, second)


def differing_attributes(first: dict[str, object], second: dict[str, object]) -> set[str]:
    """Names of the global attributes that differ."""
    a, b = first["/"], second["/"]
    assert isinstance(a, dict)
    assert isinstance(b, dict)
    return {f"/{name}" for name in a.keys() | b.keys() if a.get(name) != b.get(name)}


def restart_files(output: Path) -> dict[str, Path]:
    """The analysed restart's files below an output folder, by their path in it."""
    return {str(path.relative_to(output)): path for path in sorted((output / "restart").rglob("*")) if path.is_file()}


def same_restart(a: Path, b: Path, *but: str) -> bool:
    """Whether two analyses wrote restarts with the same values and attributes, but for some, to the bit."""
    first, second = restart_files(a), restart_files(b)
    assert first
    return first.keys() == second.keys() and all(differing(first[name], second[name]) <= {*but} for name in first)


def read(path: Path, name: str) -> np.ndarray:
    """A variable as it is in the file, fill values included."""
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        return np.asarray(file[name][...])


def load(path: Path) -> dict[str, np.ndarray]:
    """All variables of a file as they are in it."""
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        return {name: np.asarray(variable[...]) for name, variable in file.variables.items()}
