"""Commands of the user's, as of a model: run in an environment of their own, and never longer than this process."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import IO

from imgda_mpi.faults import ImgdaError, LostError, reading, writing

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that a command has to end when it is told to."""

NAP = 0.01
"""Seconds between two looks whether it has ended."""

LAST_LINES = 12

BLOCK = 4096
"""Bytes: what is less is none, and then a log may not say what went wrong."""

# A process in a group of its own that reads from a pipe which nobody but this program could write to: when that has an
# end, whatever ended it, the command's group has one too.
GUARD = """
set -m
(
    read -r -u {guard} _
    kill -TERM -- -$$ || exit
    for ((n = 0; n < {patience}; n++)); do sleep 1; kill -0 -- -$$ || exit; done
    kill -KILL -- -$$
) </dev/null >/dev/null 2>&1 &
set +m
exec {guard}<&-
"""

# What tools/env.sh has changed is put back. The stack is as large as it may be: Fortran programs need that.
IN_THE_USERS_ENVIRONMENT = """
if [ -n "${IMGDA_OUTSIDE-}" ]; then unset OMP_NUM_THREADS OPENBLAS_NUM_THREADS; eval "$IMGDA_OUTSIDE"; fi
unset IMGDA_OUTSIDE
ulimit -S -s "$(ulimit -H -s)"
"""


def in_the_users_environment(command: str, environment: Path | None) -> str:
    """A script of bash with a command of the user's, in the environment that this program was called in.

    ``environment`` is a shell file that is sourced before, or None.
    """
    sourced = "" if environment is None else f". {shlex.quote(str(environment.absolute()))} || exit 126\n"
    return f"{IN_THE_USERS_ENVIRONMENT}{sourced}{command}\n"


class Command:
    """A script of bash that has been started with all that it starts: a group of processes of its own.

    It ends when this process ends, whatever ends it. Not collective.

    Parameters
    ----------
    script, arguments : the text, and what ``"$@"`` is in it
    directory : that it runs in
    stdin, log, stdout : its streams; the log has its errors, and its output where ``stdout`` does not

    Raises
    ------
    OSError
        Where it cannot be started.
    """

    def __init__(
        self,
        script: str,
        *arguments: str,
        directory: Path,
        stdin: IO[bytes] | int,
        log: IO[bytes],
        stdout: IO[bytes] | int | None = None,
    ) -> None:
        guard, self._guard = os.pipe()
        guarded = GUARD.format(guard=guard, patience=int(PATIENCE)) + script
        try:
            self.process = subprocess.Popen(
                ["bash", "-c", guarded, "bash", *arguments],
                stdin=stdin,
                stdout=log if stdout is None else stdout,
                stderr=log,
                cwd=directory,
                start_new_session=True,
                pass_fds=[guard],
            )
        except BaseException:
            os.close(self._guard)
            raise
        finally:
            os.close(guard)

    def end(self) -> None:
        """End it, in order where it takes the time, and what it has left behind."""
        group, given_up = self.process.pid, time.monotonic() + PATIENCE
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGTERM)
            while self.process.poll() is None or time.monotonic() < given_up:
                if time.monotonic() > given_up + PATIENCE:
                    log.warning("process %d cannot be ended", group)
                    break
                os.killpg(group, 0 if time.monotonic() < given_up else signal.SIGKILL)
                time.sleep(NAP)
            os.killpg(group, signal.SIGKILL)
        self.process.poll()
        os.close(self._guard)


def run(script: str, *arguments: str, log: Path, directory: Path, stdin: Path | None = None) -> int:
    """The exit status of a script of bash, negative where a signal has ended it; what it says goes into a log.

    Ended with all its processes by whatever ends this function, as a signal that is an error.

    Raises
    ------
    InputError, OutputError
        Where its input cannot be read, or its log not written.
    """
    source = stdin or Path(os.devnull)
    with reading(source), source.open("rb") as given, writing(log), log.open("ab") as said:
        command = Command(script, *arguments, directory=directory, stdin=given, log=said)
    try:
        return command.process.wait()
    finally:
        command.end()


def failure(what: str, status: int, log: Path) -> ImgdaError:
    """The error of a command that has not ended well, with the last lines of its log."""
    # Shells and launchers say of a process that a signal has ended 128 and the number of the signal.
    number = -status if status < 0 else status - 128
    is_lost = number in {*map(int, signal.Signals)}
    how = f"was ended by {signal.Signals(number).name}" if is_lost else f"ended with status {status}"
    if shutil.disk_usage(log.parent).free < BLOCK:
        how += ", with no space left on the disk"
    kind = LostError if is_lost else ImgdaError
    return kind(f"{what} {how}; what {log} ends with:\n{last_lines(log)}")


def last_lines(log: Path) -> str:
    """The last lines of a log, indented."""
    with reading(log), log.open(errors="replace") as said:
        lines = deque((line.rstrip() for line in said if line.strip()), LAST_LINES)
    return "\n".join(f"  {line}" for line in lines) or "  (nothing)"
