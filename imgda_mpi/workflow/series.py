"""What verbs of many times have in common: the times that have files, the grid, and what is doubtful of all images."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from imgda_mpi.faults import ConfigError, fault, settled_by
from imgda_mpi.grid import Grid, global_grid
from imgda_mpi.netcdf import resolve
from imgda_mpi.observations.image import ObservedImage
from imgda_mpi.observations.read import load_image
from imgda_mpi.parallel.memory import memory_of_machine
from imgda_mpi.settings.comparison import MembersInFile
from imgda_mpi.settings.observations import Cf, OfImages
from imgda_mpi.workflow.made_before import check_made

log = logging.getLogger(__name__)

Sections = Mapping[str, OfImages | MembersInFile]
"""Sections of settings by their names, each with a file."""


def times_with_files(sections: Sections, asked: Sequence[datetime], *, several: bool) -> tuple[list[datetime], int]:
    """Times at which every section has its file, and how many of those asked for have not. On rank 0.

    Where not ``several`` were asked for the time is taken: what is missing is said where it is read.

    Raises
    ------
    ConfigError
        Where no time has all files, or one is of a result that is not made yet.
    """
    for name, section in sections.items():
        check_made(section.file, f"[{name}] file")
    if not several:
        return list(asked), 0
    there, missing = [], ""
    for time in asked:
        lacking = None
        for name, section in sections.items():
            with settled_by(f"[{name}]"):
                file = resolve(section.file, getattr(section, "time", None) or time)
            if not file.is_file():
                lacking = f"[{name}] {file}"
                break
        if lacking is None:
            there.append(time)
        missing = missing or lacking or ""
    if not there:
        raise fault(
            "times",
            found=f"none of {len(asked)} with a file of every section (the first has no {missing})",
            expected="at least one",
            do="correct the times, or the files of the sections",
            kind=ConfigError,
        )
    if len(there) < len(asked):
        log.info("%d of %d times without a file of every section are passed over", len(asked) - len(there), len(asked))
    return there, len(asked) - len(there)


def files_by_time(sections: Sections, *, several: bool) -> list[Path]:
    """Names of the files of sections, where ``several`` times are asked for: the files decide which of them take part.

    Not collective.
    """
    return [section.file for section in sections.values()] if several else []


IMAGES = 3  # that are in memory together, at least


def grid_at(wanted: tuple[int, int] | str, sections: Sections, time: datetime) -> Grid:
    """The global grid of so many rows and columns, or else that of the first section's file. On rank 0.

    Raises
    ------
    ConfigError
        Where images of so many cells do not fit into the memory of the machine.
    InputError
        Where the file has no grid.
    """
    if not isinstance(wanted, str):
        needed, there = 8 * IMAGES * math.prod(wanted), memory_of_machine()
        if needed > there:
            raise fault(
                f"grid = {list(wanted)}",
                found=f"images that need {needed / 1e9:.0f} GB at least",
                expected=f"less than the {there / 1e9:.0f} GB of memory that this machine has",
                do="take fewer rows and columns",
                kind=ConfigError,
            )
        return global_grid(wanted)
    from imgda_mpi.observations.cf import grid_of
    from imgda_mpi.observations.gldas import SURFACE_VARIABLE

    name, section = next(iter(sections.items()))
    with settled_by(f"[{name}], grid"):
        variable = getattr(section, "variable", SURFACE_VARIABLE)
        return grid_of(section.file, getattr(section, "time", None) or time, variable)


def image_at(
    name: str, section: OfImages, grid: Grid, time: datetime, window: timedelta | None, **more: Any
) -> ObservedImage:
    """The image of a section at a time, or the mean over a window from there on; ``more`` is for the reader. On rank 0.

    What is assimilated is one image, whatever the window.

    Raises
    ------
    InputError
        As of `load_image`.
    """
    averaged = window is not None and name != "observation" and isinstance(section, Cf)
    how = section.of_reader() | ({"window": window} if averaged else {})
    with settled_by(f"[{name}]"):
        return load_image(section.kind, grid, section.time or time, **how, **more)


FAR = timedelta(days=3)
"""Between images that are compared: most rain is forgotten by 0-10 cm in a few days."""


class Said:
    """What is doubtful of images, said once for all times."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], tuple[ObservedImage, int]] = {}
        self.first: dict[str, ObservedImage] = {}

    def note(self, name: str, image: ObservedImage) -> None:
        """An image of a section."""
        self.first.setdefault(name, image)
        for remark in image.remarks:
            first, number = self._of.get((name, remark), (image, 0))
            self._of[name, remark] = first, number + 1

    def say(self, n_times: int) -> None:
        """Which images were read, and what is doubtful."""
        more = f", the first of {n_times} times" if n_times > 1 else ""
        for name, image in self.first.items():
            log.info("%s: %s%s", name, image.source, more)
        times = sorted(image.time for image in self.first.values())
        if times[-1] - times[0] > FAR:
            dates = ", ".join(f"{name} of {image.time:%Y-%m-%d}" for name, image in self.first.items())
            log.warning("%s: images of other dates than the others' differ by season and weather, too", dates)
        for (_, remark), (image, number) in self._of.items():
            log.warning("%s: %s%s", image.source, remark, f" (in {number} of {n_times} times)" if n_times > 1 else "")
