"""Ends a verb by SIGKILL at its n-th change of a folder, for one n after the other, and starts it again each time.

    python tests/ended_at.py FOLDER N_ENDS VERB SETTINGS

Every start is a process of its own. Says in JSON how many changes there are, at which it was ended, and what was wrong.
Whatever is written between two changes, as by a library, is there or partly there when the process ends at the second.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import netCDF4  # noqa: F401  # loaded once for all processes
import numpy as np

import imgda_mpi.settings.verbs  # noqa: F401
from imgda_mpi import cli, compiled  # noqa: F401

PATHS = (str, bytes, os.PathLike)
CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
REMOVALS, OF_TWO = {"os.remove", "os.rmdir"}, {"os.rename", "os.link", "os.symlink"}
"""Events of Python that change a folder; those that name what is in it by its name alone; those with two paths."""

SAME = {".csv", ".toml"}
"""Files that are the same in every run; others have times at which they were made, or that it took."""


def main(folder: Path, n_ends: int, *command: str) -> None:
    """Try it."""
    said, faults = folder / "said.txt", []
    before = state(folder)
    status, n_changes = started(command, folder, said, None)
    after = state(folder)
    if status != 0:
        faults.append(f"undisturbed: status {status}: {said.read_text()}")
    ends = sorted({round(end) for end in np.linspace(1, n_changes, n_ends)})
    for end in ends:
        for path in {folder / Path(path).parts[0] for path in state(folder).keys() - before.keys()}:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        ended, _ = started(command, folder, said, end)
        if ended != -signal.SIGKILL:
            faults.append(f"{end}: status {ended}, not killed")
        status, _ = started(command, folder, said, None)
        if status != 0:
            faults.append(f"{end}: status {status}: {said.read_text()}")
        found = state(folder)
        if found != after:
            other = [path for path in found.keys() | after.keys() if found.get(path) != after.get(path)]
            faults.append(f"{end}: not as undisturbed: {sorted(other)}")
    said.unlink()
    sys.stdout.write(json.dumps({"changes": n_changes, "ends": ends, "faults": faults}))


def started(command: tuple[str, ...], folder: Path, said: Path, end: int | None) -> tuple[int, int]:
    """Status of the command in a process that may be ended at a change, and how many changes there were."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(1, 2)
        n_changes = 0

        def count(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal n_changes
            is_change = event in CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & 3)
            path = os.fsdecode(arguments[event in OF_TWO]) if is_change and isinstance(arguments[0], PATHS) else ""
            # What removes a whole folder names what is in it relative to an open one.
            if path and (path.startswith(str(folder)) or (event in REMOVALS and not Path(path).is_absolute())):
                n_changes += 1
                if n_changes == end:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        status = cli.main(list(command))
        os.write(writing, str(n_changes).encode())
        os._exit(status)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    n_changes = int(os.read(reading, 20) or b"0")
    os.close(reading)
    return os.waitstatus_to_exitcode(status), n_changes


def state(folder: Path) -> dict[str, str]:
    """All that is in a folder, with checksums of what is the same every time."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.suffix in SAME else ""
        for path in folder.rglob("*")
        if path.name != "said.txt"
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
