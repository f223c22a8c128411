"""Analyses by the ``analyse`` command on ranks of its own: started for each, or once for all."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from imgda_mpi.cycling.commands import PATIENCE, Command, failure, run
from imgda_mpi.faults import MEND, NO_OBSERVATION, ImgdaError, LostError, reading, writing

PROGRAM = [sys.executable, "-P", "-m", "mpi4py", "-m", "imgda_mpi"]
ANSWER = "analysed with status "
"""How the line begins that ``analyse -`` answers with."""

FAULT = 1
"""Status of a fault of the program, which has a traceback."""

NOT_STARTED = (126, 127)
"""Statuses of a shell where there is no such launcher."""


def launched(launch: str) -> str:
    """A script of bash that starts its arguments by a launcher."""
    return f'{launch} "$@"\n'


class AnalysisCommand:
    """One command for each analysis. Not collective."""

    def __init__(self, launch: str) -> None:
        self.launch = launch

    def __call__(self, settings_file: Path, log: Path) -> None:
        """Make the analysis of a settings file.

        Raises
        ------
        ImgdaError
            With the status of the command.
        """
        # The folder that it runs in is another one.
        words = [*PROGRAM, "analyse", str(settings_file.absolute())]
        _judge(run(launched(self.launch), *words, log=log, directory=settings_file.parent), log)

    def close(self) -> None:
        """Nothing stays between two analyses."""


class ResidentAnalysis:
    """One command for all analyses, which reads the names of their settings files and sleeps in between."""

    def __init__(self, launch: str, directory: Path) -> None:
        self.launch, self.directory = launch, directory
        self._command: Command | None = None

    def __call__(self, settings_file: Path, log: Path) -> None:
        """Make the analysis of a settings file; starts the command where it does not run.

        Raises
        ------
        ImgdaError
            With the status of the analysis, or of the command where that has ended.
        """
        process = self._running().process
        before = self._path.stat().st_size
        answer = b""
        if process.stdin is not None and process.stdout is not None:
            with suppress(BrokenPipeError):
                process.stdin.write(f"{settings_file.absolute()}\n".encode())
                process.stdin.flush()
            while (answer := process.stdout.readline()) and not answer.startswith(ANSWER.encode()):
                continue
        status = int(answer.removeprefix(ANSWER.encode())) if answer else process.wait() or 1
        with reading(self._path), self._path.open("rb") as whole, writing(log):
            whole.seek(before)
            log.write_bytes(whole.read())
        if not answer:
            self.close()
        _judge(status, log)

    def close(self) -> None:
        """End the command."""
        if self._command is None:
            return
        process = self._command.process
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        self._command.end()
        if process.stdout is not None:
            process.stdout.close()
        self._command = None

    @property
    def _path(self) -> Path:
        return self.directory / "analyses.log"

    def _running(self) -> Command:
        if self._command is not None and self._command.process.poll() is None:
            return self._command
        self.close()
        script, streams = launched(f"imgda_input=keep {self.launch}".rstrip()), subprocess.PIPE
        with writing(self._path):
            self._path.unlink(missing_ok=True)  # the ranks of a dead job may still write into it
        with writing(self._path), self._path.open("wb") as log:
            self._command = Command(
                script, *PROGRAM, "analyse", "-", directory=self.directory, stdin=streams, log=log, stdout=streams
            )
        return self._command


def _judge(status: int, log: Path) -> None:
    """Raise what an analysis has failed with, in its own words where it has some."""
    if status == 0:
        return
    error, text = failure("the analysis", status, log), log.read_text(errors="replace")
    said = [line for line in text.splitlines() if line.startswith("error: ")]
    if status in (MEND, NO_OBSERVATION):
        error = ImgdaError(said[-1].removeprefix("error: ")) if said else error
        error.status = status
    elif status == FAULT and "Traceback (" in text:
        error.status = status
    elif status not in NOT_STARTED:
        error = LostError(str(error))  # launchers that have lost a rank or a daemon have statuses of their own
    raise error
