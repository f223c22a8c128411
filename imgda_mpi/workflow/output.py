"""An output folder that appears whole or not at all, and the manifest of what is in it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import h5py
from mpi4py import MPI

from imgda_mpi import __version__
from imgda_mpi.errors import OutputError, fault, reading, writing
from imgda_mpi.fields import Section
from imgda_mpi.parallel.failure import same_fate


@contextmanager
def new_directory(final: Path, comm: MPI.Intracomm) -> Iterator[Path]:
    """Folder to write into, which takes the name ``final`` when the block has succeeded.

    Collective over ``comm``. On an error that all ranks share the folder is removed. A job that is killed leaves a
    hidden folder ``.imgda_mpi.partial-*`` beside the final one, never a half-written result under the final name.

    Raises
    ------
    OutputError
        Where ``final`` exists and is not empty, or cannot be written.
    """
    staging = Path()
    with same_fate(comm), writing(final):
        if comm.rank == 0:
            final = final.resolve()
            _check_free(final, 0)
            final.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=".imgda_mpi.partial-", dir=final.parent))
    staging = comm.bcast(staging)
    try:
        yield staging
        paths: list[str] = []
        with same_fate(comm), writing(final):
            if comm.rank == 0:
                # mkdtemp makes private folders; the result is an ordinary one.
                staging.chmod(0o777 & ~_umask())
                paths = [str(staging), *map(str, staging.rglob("*"))]
        paths = comm.bcast(paths)
        with same_fate(comm), writing(final):
            for path in paths[comm.rank :: comm.size]:
                _sync(path)
        with same_fate(comm), writing(final):
            if comm.rank == 0:
                staging.rename(final)
    except BaseException as err:
        # Removing while other ranks may still write is only safe where all ranks have failed alike.
        if comm.rank == 0 and (comm.size == 1 or getattr(err, "everywhere", False)):
            shutil.rmtree(staging, ignore_errors=True)
        raise


def check_output(final: Path, room: Callable[[], int], comm: MPI.Intracomm) -> None:
    """Refuse an output folder that is in use or cannot be made, before anything is computed. Collective.

    Raises
    ------
    OutputError
    """
    with same_fate(comm), writing(final):
        if comm.rank == 0:
            _check_free(final.resolve(), room())


def _check_free(final: Path, bytes_needed: int) -> None:
    if final.exists() and (not final.is_dir() or any(final.iterdir())):
        raise fault(
            final,
            found="a folder that is not empty" if final.is_dir() else "a file",
            expected="a new folder",
            do="remove it or set output.directory to another",
            kind=OutputError,
        )
    parent = next(path for path in final.absolute().parents if path.exists())
    if not parent.is_dir():
        raise fault(parent, found="a file", expected="a folder", do="set output.directory elsewhere", kind=OutputError)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise fault(
            parent,
            found="no write permission",
            expected="a writable folder",
            do="set output.directory elsewhere",
            kind=OutputError,
        )
    free = shutil.disk_usage(parent).free
    if free < bytes_needed:
        raise fault(
            parent,
            found=f"{free / 1e6:.1f} MB free",
            expected=f"{bytes_needed / 1e6:.1f} MB",
            do="free space or set output.directory to another file system",
            kind=OutputError,
        )


def write_manifest(
    directory: Path,
    written: Sequence[Path],
    inputs: Sequence[Path],
    settings: Section,
    seed: int | str,
    comm: MPI.Intracomm,
) -> None:
    """Write ``manifest.json``: checksums of all files, settings in force, versions. Collective over ``comm``.

    The files are read by all ranks, each its share; rank 0 writes.
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
                "settings": json.loads(settings.model_dump_json()),
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


def _sync(path: str) -> None:
    # Without this a crash of the machine could leave the final name with unwritten content.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
