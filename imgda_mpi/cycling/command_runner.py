"""An external model that is run by a command of the user's."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from imgda_mpi.cycling.attempts import log_file
from imgda_mpi.cycling.commands import failure, in_the_users_environment, last_lines, run
from imgda_mpi.cycling.pace import MODEL
from imgda_mpi.cycling.schedule import Window
from imgda_mpi.disk import checksum
from imgda_mpi.faults import ImgdaError, reading, writing
from imgda_mpi.model.runner import ModelCase
from imgda_mpi.results.run_records import FileSet, stamp


class CommandRunner:
    """A case of an external model with the command that runs it, as `imgda_mpi.cycling.loop.Runner` describes it.

    Parameters
    ----------
    command : ``{namelist}`` in it stands for the edited namelist
    environment : a shell file that is sourced before, or None
    start : of the run
    """

    def __init__(self, case: ModelCase, command: str, environment: Path | None, start: datetime) -> None:
        self.case, self.command, self.environment, self.start = case, command, environment, start

    def first_set(self) -> list[Path]:
        """Files of the user's own restart of the start."""
        return self.case.first_set(self.start)

    def set_of(self, files: Sequence[Path]) -> FileSet:
        """The set that some files are."""
        return FileSet.of({path: checksum(path) for path in files})

    def run(self, folder: Path, began_with: Sequence[Path], window: Window) -> list[Path]:
        """Run a window; the files of the restart at its end.

        Raises
        ------
        ImgdaError
            Where the model ends with another status than 0, says itself that it has not come to its end, or has not
            written a whole restart of the end; as `LostError` where a signal has ended it.
        """
        case, log = self.case, log_file(folder, MODEL)
        namelist = case.prepare(folder, began_with, window.start, window.end)
        with writing(log):
            log.parent.mkdir(exist_ok=True)
            log.unlink(missing_ok=True)
        script = in_the_users_environment(
            self.command.replace("{namelist}", shlex.quote(str(namelist))), self.environment
        )
        given = namelist if case.namelist_is_input else None
        status = run(script, log=log, directory=case.namelist.parent, stdin=given)
        if status:
            raise failure(case.name, status, log)
        with reading(log):
            complaint = case.complaint(log.read_text(errors="replace"))
        if complaint is not None:
            raise ImgdaError(f"{case.name}: {complaint}; what {log} ends with:\n{last_lines(log)}")
        restart = case.restart(folder, window.end, began_with)
        case.settle(folder, stamp(window.start))
        return restart

    def history(self, folder: Path) -> list[Path]:
        """The files of a window's history."""
        return self.case.history(folder)
