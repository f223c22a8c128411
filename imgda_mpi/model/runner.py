"""What the rest knows of a model that is run through windows, each in the folder of its cycle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol


class ModelCase(Protocol):
    """A case of an external model: its namelist, and where it reads and writes. Not collective, without MPI.

    A window is run in a folder of its own, which is a case by itself: links to what never changes, the set it begins
    with under the model's name, the edited namelist; the model writes its restart and history there. All links within
    a run are relative: folders change their names. The model has to run in the folder of the user's namelist.
    """

    @property
    def name(self) -> str:
        """In words, as "CoLM202X case mycase"."""

    @property
    def namelist(self) -> Path:
        """The user's own, which is never written."""

    @property
    def namelist_is_input(self) -> bool:
        """Whether the namelist is the model's standard input, not named on its command line."""

    def check(self, windows: Sequence[tuple[datetime, datetime]], folder: Path) -> None:
        """Find what would stop the model, or go wrong in silence, before its first step.

        ``folder`` is one that a cycle could be made in; it need not be there.

        Raises
        ------
        InputError, ConfigError
            Keys that are missing or of another kind of run (local time); const files of another grid or case; windows
            that the model cannot stop at.
        """

    def first_set(self, start: datetime) -> list[Path]:
        """The user's own restart files of the start of a run.

        Raises
        ------
        InputError
            Where there are none, naming those that are there.
        """

    def prepare(self, folder: Path, began_with: Sequence[Path], start: datetime, end: datetime) -> Path:
        """Lay out a window in the folder of its cycle, where nothing of the model is; gives the edited namelist there.

        Parameters
        ----------
        began_with : files of the set it begins with, all in one folder and under the model's names

        Raises
        ------
        InputError, OutputError
        """

    def values(self, namelist: Path) -> dict[str, Any]:
        """What a namelist of this model says, by key.

        Raises
        ------
        InputError
        """

    def complaint(self, output: str) -> str | None:
        """What is wrong by the model's own words, where it ends with status 0 all the same; None where all is well."""

    def restart(self, folder: Path, end: datetime, like: Sequence[Path]) -> list[Path]:
        """The files of the set at the end of a window that has been run; others, written on the way, are removed.

        Parameters
        ----------
        like : the set the window began with: the new one has to have the same files but for the time

        Raises
        ------
        InputError
            Where a file is not there, is damaged, of another time or size, or has NaN or missing values in soil water.
        """

    def history(self, folder: Path) -> list[Path]:
        """The history files of a window, in the order of time."""

    def section(self, files: Sequence[Path], time: datetime) -> dict[str, Any]:
        """``[model]`` of the settings of an analysis of a set."""

    def settle(self, folder: Path, name: str) -> None:
        """In the folder's own namelist, give it the name that it is about to have.

        Raises
        ------
        InputError, OutputError
        """
