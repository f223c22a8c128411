"""Draws of a comparison that are finished, kept beside its output until it is complete: a killed run goes on."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np

from imgda_mpi.disk import REMOVED, remove
from imgda_mpi.faults import OutputError, fault, writing
from imgda_mpi.verify.experiment import Outcome

DIGEST = "digest"
"""File that says which settings and inputs the draws are of."""


def digest_of(settings: str, inputs: Mapping[Path, str], program: str) -> str:
    """What draws depend on: settings, checksums of the inputs, the program; hexadecimal."""
    parts = [settings, program, *(f"{file.absolute()} {of_file}" for file, of_file in inputs.items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class KeptDraws:
    """Outcomes by the numbers of their draws, each in a file of its own that appears whole. Not collective.

    Parameters
    ----------
    output : folder of the result; the draws are beside it
    digest : of what they depend on
    """

    def __init__(self, output: Path, digest: str) -> None:
        final = output.resolve()
        self.folder = final.with_name(f"{final.name}.draws")
        self._digest = digest

    def check(self) -> None:
        """Refuse a folder that is none, or has draws of other settings.

        Raises
        ------
        OutputError
        """
        if not self.folder.exists():
            return
        with writing(self.folder):
            file = self.folder / DIGEST
            found = file.read_text().strip() if file.is_file() else ""
            is_own = found == self._digest or (not found and self.folder.is_dir() and self._is_begun())
        if not is_own:
            raise fault(
                self.folder,
                found="draws of a run with other settings, inputs or another version" if found else "something else",
                expected="draws of this run, or no such folder",
                do=f"{'remove it, or ' if found else ''}give another output directory",
                kind=OutputError,
            )

    def open(self) -> list[int]:
        """Make the folder where it is not there; the numbers of the draws in it, ascending.

        Raises
        ------
        OutputError
            As `check`, or where it cannot be made.
        """
        self.check()
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / DIGEST).is_file():
                _replace(self.folder / DIGEST, lambda file: file.write_text(f"{self._digest}\n"))
        numbers = sorted(int(file.stem) for file in self.folder.glob("*.npz") if file.stem.isdecimal())
        return [number for number in numbers if self._read(number) is not None]

    def put(self, number: int, outcome: Outcome) -> None:
        """Keep a draw.

        Raises
        ------
        OutputError
        """
        arrays = {one.name: getattr(outcome, one.name) for one in fields(outcome)}
        held = {name: values for name, values in arrays.items() if values is not None}

        def write(file: Path) -> None:
            with file.open("wb") as opened:
                np.savez(opened, **held)

        with writing(self.folder):
            _replace(self._file(number), write)

    def get(self, number: int) -> Outcome:
        """A draw that is kept.

        Raises
        ------
        OutputError
            Where it is not there any more.
        """
        outcome = self._read(number)
        if outcome is None:
            raise fault(
                self._file(number),
                found="no draw that can be read",
                expected="the one that was written",
                do="run it again: nobody else may write there",
                kind=OutputError,
            )
        return outcome

    def remove(self) -> None:
        """Remove all of them, and what a job that was killed while it did so has left.

        Raises
        ------
        OutputError
        """
        with writing(self.folder):
            remove(self.folder)
            for left in self.folder.parent.glob(f"{REMOVED}*"):
                if re.fullmatch(re.escape(f"{REMOVED}{self.folder.name.lstrip('.')}-") + "[0-9a-f]{8}", left.name):
                    remove(left)

    def _is_begun(self) -> bool:
        """Whether a job that was killed as it began can have left the folder."""
        return all(file.name.startswith(_partial(DIGEST)) for file in self.folder.iterdir())

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz"

    def _read(self, number: int) -> Outcome | None:
        """None where it is not there, or was damaged as with the machine."""
        try:
            with np.load(self._file(number)) as held:
                return Outcome(**{name: held[name] for name in held.files})
        except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile):
            return None


def _replace(file: Path, write: Callable[[Path], object]) -> None:
    """A file that is there whole or not at all, also where the job is killed."""
    partial = file.with_name(f"{_partial(file.name)}{os.getpid()}")
    write(partial)
    partial.replace(file)


def _partial(name: str) -> str:
    """Of a file that is being written, as its name begins."""
    return f".{name}.partial-"
