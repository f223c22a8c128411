"""Files of a series: found by their names, of one grid, and the one read last stays open, as frames of it follow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Generic, TypeVar

from imgda_mpi.disk import named
from imgda_mpi.faults import fault, reading
from imgda_mpi.grid import Grid

Opened = TypeVar("Opened")


class LastOpened(Generic[Opened]):
    """Opens files, one at a time. Not collective; passed to another process it has none open there.

    Parameters
    ----------
    opens : a file, for a block
    """

    def __init__(self, opens: Callable[[Path], AbstractContextManager[Opened]]) -> None:
        self._opens = opens
        self._path: Path | None = None
        self._stack = ExitStack()

    def __call__(self, path: Path) -> Opened:
        """The open file; the one before is closed."""
        if path != self._path:
            if self._path is not None:
                self._path = None
                self._stack.close()
            self._file = self._stack.enter_context(self._opens(path))
            self._path = path
        return self._file

    def __getstate__(self) -> dict[str, Any]:
        return {"_opens": self._opens, "_path": None, "_stack": ExitStack()}


def check_grid(path: Path, own: Grid, grid: Grid) -> None:
    """Refuse a file of another grid than that of the others.

    Raises
    ------
    InputError
    """
    if not own.has_cells_of(grid):
        found, expected = (
            f"{one.shape[0]} x {one.shape[1]} cells from {one.latitude[0]:g} N, {one.longitude[0]:g} E"
            for one in (own, grid)
        )
        do = "give files of one grid"
        raise fault(path, "lat, lon", found=found, expected=f"{expected} as in the other files", do=do)


def matching(pattern: Path | str, expected: str) -> list[Path]:
    """Files that are named as a pattern with ``*`` and ``?`` allows, sorted.

    Raises
    ------
    InputError
        Where there is none.
    """
    with reading(Path(pattern)):
        files = sorted(path for path in named(Path(pattern)) if path.is_file())
    if not files:
        do = "correct the name: * and ? stand for any characters"
        raise fault(pattern, found="no such file", expected=expected, do=do)
    return files
