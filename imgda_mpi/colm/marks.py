"""The mark of an analysed restart: which observations it holds, and which analysis wrote it.

State files of CoLM202X have it as a global attribute, which the model passes over and does not write; beside a restart
file of CoLM2014, which has no room for it, lies a sidecar. The same analysis writes the same mark everywhere and on any
number of ranks.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from imgda_mpi.colm.hdf5 import opened
from imgda_mpi.disk import checksum
from imgda_mpi.faults import fault, reading
from imgda_mpi.paths import check_file

log = logging.getLogger(__name__)

ATTRIBUTE = "imgda_mpi_assimilated"
"""Of the state files of CoLM202X."""

SUFFIX = ".imgda.json"
"""Of the sidecar of CoLM2014, after the name of the restart file."""

AGAIN = "copy the file again from the restart folder of the analysis"
AGAIN_OR_REMOVE = f"{AGAIN}, or remove it where the restart has not been analysed"

SAME_IMAGE = 1e-3
"""Root mean square difference, m3 m-3, below which two images of one time are one: packing takes less, time more."""

SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Assimilated:
    """One observed image that a restart holds.

    Parameters
    ----------
    fingerprint : of its values and grid, see `imgda_mpi.observations.image.SourceImage`
    source : name of the file, variable and time in one line
    time : of the image, as 2022-06-02T06:00:00Z
    n_cells : soil cells that it observed
    sketch : of its values there, see `imgda_mpi.observations.image.ObservedImage.sketch`
    """

    fingerprint: str
    source: str
    time: str
    n_cells: int
    sketch: tuple[float, ...]

    def is_like(self, other: Assimilated) -> bool:
        """Whether it is the same image, or of the same time and cells to `SAME_IMAGE`: packed or cut another way."""
        if self.fingerprint == other.fingerprint:
            return True
        if (self.time, self.n_cells, len(self.sketch)) != (other.time, other.n_cells, len(other.sketch)):
            return False
        return bool(np.sqrt(np.mean(np.subtract(self.sketch, other.sketch) ** 2)) < SAME_IMAGE)


@dataclass(frozen=True)
class Mark:
    """What an analysed restart says of itself.

    Parameters
    ----------
    analysis : digest of what decided the last analysis, SHA-256, hexadecimal
    observations : in the order in which they were assimilated
    path : file that says it
    """

    analysis: str
    observations: tuple[Assimilated, ...]
    path: Path | None = field(default=None, compare=False)

    @property
    def text(self) -> str:
        """What `parse` reads."""
        return json.dumps({"analysis": self.analysis, "observations": [asdict(one) for one in self.observations]})

    def check_new(self, observation: Assimilated) -> None:
        """Refuse an observed image that the restart holds already, whatever its file is called.

        Raises
        ------
        InputError
        """
        for one in self.observations:
            if one.is_like(observation):
                name = "" if one.source == observation.source else f", which has the values of {observation.source}"
                raise fault(
                    self.path or ATTRIBUTE,
                    ATTRIBUTE,
                    found=f"{one.source} assimilated already{name}",
                    expected="an observation that this restart does not hold",
                    do="take the background of before the analysis or another observation, or allow it to be repeated",
                )


def parse(text: str, path: Path) -> Mark:
    """The mark that stands in a file as text.

    Raises
    ------
    InputError
        Where the text is no mark.
    """
    with _decoding(path):
        return _mark(json.loads(text), path)


def _mark(found: Any, path: Path) -> Mark:
    held = [Assimilated(**one | {"sketch": tuple(map(float, one["sketch"]))}) for one in found["observations"]]
    mark = Mark(found["analysis"], tuple(held), path)
    sums = [mark.analysis, *(one.fingerprint for one in mark.observations)]
    words = [word for one in mark.observations for word in (one.source, one.time)]
    numbers = all(isinstance(one.n_cells, int) for one in held)
    if not held or not numbers or not all(map(SHA256.fullmatch, sums)) or not all(isinstance(w, str) for w in words):
        raise ValueError("no observations with fingerprints")
    return mark


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        raise fault(
            path,
            ATTRIBUTE,
            found=f"no mark ({type(err).__name__}: {err})",
            expected="what an analysis wrote there",
            do=AGAIN_OR_REMOVE if path.name.endswith(SUFFIX) else AGAIN,
        ) from err


def write_attribute(file: Path, mark: Mark) -> None:
    """Mark a state file of CoLM202X. Not collective.

    Raises
    ------
    OSError, RuntimeError
    """
    with opened(file, "r+") as state:
        state.write_text(ATTRIBUTE, mark.text)


def remove_attribute(file: Path) -> None:
    """Take the mark of a state file of CoLM202X away, if it has one. Not collective.

    Raises
    ------
    OSError, RuntimeError
    """
    with opened(file, "r+") as state:
        state.remove_text(ATTRIBUTE)


def sidecar(restart: Path) -> Path:
    """Where the mark of a restart file of CoLM2014 is: beside it, else beside the file that it is a link to."""
    beside, file = restart.with_name(restart.name + SUFFIX), restart.resolve()
    return beside if os.path.lexists(beside) else file.with_name(file.name + SUFFIX)


def read_sidecar(restart: Path) -> Mark | None:
    """The mark beside a restart file, None without one. Not collective.

    A sidecar holds the checksum of its restart file: one that was left beside a file that the model has written anew
    under the same name says nothing of it, and is passed over with a warning.

    Raises
    ------
    InputError
        Where the sidecar cannot be read.
    """
    path = sidecar(restart)
    with reading(path, do=AGAIN_OR_REMOVE):
        if not os.path.lexists(path):
            return None
        check_file(path, "a mark of an analysis")
        text = path.read_text()
    with _decoding(path):
        found = json.loads(text)
        mark, of_file = _mark(found["mark"], path), found["sha256"]
        if not SHA256.fullmatch(of_file):
            raise ValueError("no checksum")
    if of_file != checksum(restart):
        log.warning("%s: is of another file than %s beside it; passed over", path, restart.name)
        return None
    return mark


def write_sidecar(restart: Path, mark: Mark) -> None:
    """Mark a restart file of CoLM2014 as it is now. Not collective.

    Raises
    ------
    OSError
    """
    words = {"sha256": checksum(restart), "mark": json.loads(mark.text)}
    sidecar(restart).write_text(json.dumps(words, indent=1) + "\n")
