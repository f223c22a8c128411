"""The manifest of a result: what it was made from and with, and checksums of what it holds."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import h5py
from mpi4py import MPI

from imgda_mpi import __version__
from imgda_mpi.faults import reading, writing
from imgda_mpi.parallel.failure import same_fate


def write_manifest(
    directory: Path,
    written: Sequence[Path],
    inputs: Sequence[Path],
    settings: str,
    seed: int | str,
    comm: MPI.Intracomm,
) -> None:
    """Write ``manifest.json``: checksums of all files, settings in force, versions. Collective over ``comm``.

    The files are read by all ranks, each its share; rank 0 writes. ``settings`` are JSON.
    """
    files = [*inputs, *written]
    with same_fate(comm):
        mine = [(number, checksum(files[number])) for number in range(comm.rank, len(files), comm.size)]
    parts = comm.gather(mine)
    with same_fate(comm), writing(directory):
        if comm.rank == 0:
            sums = dict(pair for part in parts or [] for pair in part)
            entries = [
                {"file": str(file.absolute()), "bytes": file.stat().st_size, "sha256": sums[number]}
                for number, file in enumerate(files)
            ]
            for entry, file in zip(entries[len(inputs) :], written, strict=True):
                entry["file"] = str(file.relative_to(directory))
            manifest = {
                "program": f"imgda_mpi {__version__}",
                "settings": json.loads(settings),
                "seed": seed,
                "versions": versions(),
                "ranks": comm.size,
                "inputs": entries[: len(inputs)],
                "outputs": entries[len(inputs) :],
            }
            (directory / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    packages = ("numpy", "scipy", "numba", "pyfftw", "mpi4py", "h5py", "netCDF4")
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "hdf5": f"{h5py.version.hdf5_version}{' with MPI' if h5py.get_config().mpi else ''}",
        "mpi": MPI.Get_library_version().strip("\x00").splitlines()[0].strip(),
    }


def checksum(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with reading(file), file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
