"""Analyses by the ``analyse`` command on ranks of its own: started for each, or once for all."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from imgda_mpi.cycling.commands import end, failure, run, start
from imgda_mpi.faults import NO_OBSERVATION, ImgdaError, LostError, reading, writing

PROGRAM = [sys.executable, "-P", "-m", "mpi4py", "-m", "imgda_mpi"]
ANSWER = "analysed with status "
"""How the line begins that ``analyse -`` answers with."""


def launched(launch: str, *arguments: str) -> list[str]:
    """The words of this program under a launcher, a text that bash expands."""
    return ["bash", "-c", f'{launch} "$@"', "bash", *PROGRAM, *arguments]


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
        words = launched(self.launch, "analyse", str(settings_file))
        _judge(run(words, log, settings_file.parent), log)

    def close(self) -> None:
        """Nothing stays between two analyses."""


class ResidentAnalysis:
    """One command for all analyses, which reads the names of their settings files and sleeps in between."""

    def __init__(self, launch: str, directory: Path) -> None:
        self.launch, self.directory = launch, directory
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def __call__(self, settings_file: Path, log: Path) -> None:
        """Make the analysis of a settings file; starts the command where it does not run.

        Raises
        ------
        ImgdaError
            With the status of the analysis, or of the command where that has ended.
        """
        process, said = self._running()
        before = said.seek(0, os.SEEK_END)
        answer = ""
        if process.stdin is not None and process.stdout is not None:
            with suppress(BrokenPipeError):
                process.stdin.write(f"{settings_file}\n".encode())
                process.stdin.flush()
            for line in process.stdout:
                answer = line.decode(errors="replace").strip()
                if answer.startswith(ANSWER):
                    break
        with reading(self._path), self._path.open("rb") as whole, writing(log):
            whole.seek(before)
            log.write_bytes(whole.read())
        if answer.startswith(ANSWER):
            _judge(int(answer.removeprefix(ANSWER)), log)
            return
        status = process.wait()
        self.close()
        _judge(status or 1, log)

    def close(self) -> None:
        """End the command."""
        if self._process is not None:
            if self._process.stdin is not None:
                with suppress(BrokenPipeError):
                    self._process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5.0)
            end(self._process)
        if self._log is not None:
            self._log.close()
        self._process = self._log = None

    @property
    def _path(self) -> Path:
        return self.directory / "analyses.log"

    def _running(self) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        if self._process is not None and self._log is not None and self._process.poll() is None:
            return self._process, self._log
        self.close()
        with writing(self._path):
            self._log = self._path.open("wb")
            words = launched(f"imgda_input=keep {self.launch}".rstrip(), "analyse", "-")
            self._process = start(words, self._log, self.directory, subprocess.PIPE, subprocess.PIPE)
        return self._process, self._log


def _judge(status: int, log: Path) -> None:
    """Raise what an analysis has failed with, in its own words where it has some."""
    if status == 0:
        return
    error = failure("the analysis", status, log)
    if not isinstance(error, LostError):
        said = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("error: ")]
        if said and status in (ImgdaError.status, NO_OBSERVATION):
            error = ImgdaError(said[-1].removeprefix("error: "))
        error.status = status
    raise error
