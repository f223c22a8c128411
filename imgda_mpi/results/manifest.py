"""The manifest of a result: what it was made from and with, and checksums of what it holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import h5py
from mpi4py import MPI

from imgda_mpi import PROGRAM
from imgda_mpi.disk import checksum, identity
from imgda_mpi.faults import fault, reading, writing
from imgda_mpi.parallel.failure import from_rank_0, same_fate

MANIFEST = "manifest.json"

Read = TypeVar("Read")

Known = dict[object, str]
"""SHA-256 of files that have been read, by what tells each from any other that has been or will be there."""


def checksums(files: Sequence[Path], comm: MPI.Intracomm, known: Known | None = None) -> dict[Path, str]:
    """SHA-256 of each of some files, on every rank. Collective over ``comm``: each rank reads its share.

    Files that are ``known`` are not read again, the others are added; it has to be the same on every rank.

    Raises
    ------
    InputError
    """
    if known is None:
        known = {}
    which = from_rank_0(comm, lambda: [identity([file]) for file in files])
    unread = [number for number, one in enumerate(which) if one not in known]
    with same_fate(comm):
        mine = [checksum(files[number]) for number in unread[comm.rank :: comm.size]]
    for rank, part in enumerate(comm.allgather(mine)):
        known |= zip((which[number] for number in unread[rank :: comm.size]), part, strict=True)
    return {file: known[one] for file, one in zip(files, which, strict=True)}


def write_manifest(
    directory: Path,
    written: Sequence[Path],
    inputs: Mapping[Path, str],
    settings: str,
    seed: int | str,
    comm: MPI.Intracomm,
    known: Known | None = None,
    listed: Mapping[str, str] | None = None,
) -> None:
    """Write ``manifest.json``: checksums of all files, settings in force, versions. Collective over ``comm``.

    Rank 0 writes. ``inputs`` are given with their `checksums`, ``settings`` as JSON; ``known`` as of `checksums`.
    ``listed`` is the `listing`, as it was before anything was read, of inputs that are found by their names or are
    too many for checksums.
    """
    outputs = checksums(written, comm, known)
    with same_fate(comm), writing(directory):
        if comm.rank == 0:
            manifest = {
                "program": PROGRAM,
                "settings": json.loads(settings),
                "seed": seed,
                "versions": all_versions(),
                "ranks": comm.size,
                "inputs": [_entry(file, str(file.absolute()), of_file) for file, of_file in inputs.items()],
                "listed": dict(listed or {}),
                "outputs": [
                    _entry(file, str(file.relative_to(directory)), of_file) for file, of_file in outputs.items()
                ],
            }
            (directory / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def read_inputs(directory: Path) -> dict[Path, tuple[int, str]]:
    """Bytes and SHA-256 of what a result was made from; nothing where it has no manifest. Not collective.

    Raises
    ------
    InputError
        Where the manifest is damaged.
    """

    def inputs(found: Mapping[str, Any]) -> dict[Path, tuple[int, str]]:
        return {Path(entry["file"]): (int(entry["bytes"]), str(entry["sha256"])) for entry in found["inputs"]}

    return _of_manifest(directory, inputs, {})


def read_versions(directory: Path) -> dict[str, str]:
    """Versions of what a result was made with; nothing where it has no manifest. Not collective.

    Raises
    ------
    InputError
        Where the manifest is damaged.
    """
    return _of_manifest(directory, lambda found: {name: str(one) for name, one in found["versions"].items()}, {})


def _of_manifest(directory: Path, read: Callable[[Mapping[str, Any]], Read], otherwise: Read) -> Read:
    path = directory / MANIFEST
    if not path.is_file():
        return otherwise
    with reading(path):
        text = path.read_text()
    try:
        return read(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as err:
        said = f"what cannot be understood ({type(err).__name__}: {err})"
        do = "put back what the analysis has written"
        raise fault(path, found=said, expected="what a result was made from", do=do) from err


def all_versions() -> dict[str, str]:
    """Versions of what a result depends on, with the libraries that h5py and mpi4py have loaded."""
    from imgda_mpi.results.versions import package_versions  # on the one rank that asks

    return {
        **package_versions(),
        "hdf5": f"{h5py.version.hdf5_version}{' with MPI' if h5py.get_config().mpi else ''}",
        "mpi": MPI.Get_library_version().strip("\x00").splitlines()[0].strip(),
    }


def _entry(file: Path, name: str, of_file: str) -> dict[str, str | int]:
    return {"file": name, "bytes": file.stat().st_size, "sha256": of_file}
