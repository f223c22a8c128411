"""Commands of the user's, as of a model: run in an environment of their own, and never longer than this process."""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import subprocess
from collections import deque
from pathlib import Path
from typing import IO

from imgda_mpi.faults import ImgdaError, LostError, reading, writing

PATIENCE = 10.0
"""Seconds that a command has to end when it is told to."""

LAST_LINES = 6
PR_SET_PDEATHSIG = 1

# What tools/env.sh has changed is put back. The stack is as large as it may be: Fortran programs need that.
IN_THE_USERS_ENVIRONMENT = """
if [ -n "${IMGDA_OUTSIDE-}" ]; then unset OMP_NUM_THREADS OPENBLAS_NUM_THREADS; eval "$IMGDA_OUTSIDE"; fi
unset IMGDA_OUTSIDE
ulimit -S -s "$(ulimit -H -s)"
"""


def in_the_users_environment(command: str, environment: Path | None) -> list[str]:
    """A command of the user's as bash runs it, in the environment that this program was called in.

    ``environment`` is a shell file that is sourced before, or None.
    """
    sourced = "" if environment is None else f". {shlex.quote(str(environment))} || exit 126\n"
    return ["bash", "-c", f"{IN_THE_USERS_ENVIRONMENT}{sourced}{command}"]


def start(
    words: list[str], log: IO[bytes], directory: Path, stdin: IO[bytes] | int, stdout: IO[bytes] | int | None = None
) -> subprocess.Popen[bytes]:
    """A command that has been started, which ends when this process ends, whatever ends it.

    Raises
    ------
    OSError
    """
    return subprocess.Popen(
        words,
        stdin=stdin,
        stdout=log if stdout is None else stdout,
        stderr=log,
        cwd=directory,
        start_new_session=True,
        preexec_fn=_die_with_parent,  # this process has one thread
    )


def run(words: list[str], log: Path, directory: Path, stdin: Path | None = None) -> int:
    """The exit status of a command, negative where a signal has ended it; what it says goes into a log.

    Ended together with its children by whatever ends this function, as a signal that is an error.

    Raises
    ------
    InputError, OutputError
        Where its input cannot be read, or its log not written.
    """
    source = stdin or Path(os.devnull)
    with reading(source), source.open("rb") as given, writing(log), log.open("ab") as said:
        process = start(words, said, directory, given)
    try:
        return process.wait()
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command and what it has started, in order where it takes the time."""
    for number, patience in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, None)):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def failure(what: str, status: int, log: Path) -> ImgdaError:
    """The error of a command that has not ended well, with the last lines of its log."""
    # Shells and launchers say of a process that a signal has ended 128 and the number of the signal.
    number = -status if status < 0 else status - 128
    is_lost = number in {*map(int, signal.Signals)}
    how = f"was ended by {signal.Signals(number).name}" if is_lost else f"ended with status {status}"
    kind = LostError if is_lost else ImgdaError
    return kind(f"{what} {how}; the last lines of {log}:\n{last_lines(log)}")


def last_lines(log: Path) -> str:
    """The last lines of a log, indented."""
    with reading(log), log.open(errors="replace") as said:
        lines = deque((line.rstrip() for line in said if line.strip()), LAST_LINES)
    return "\n".join(f"  {line}" for line in lines) or "  (nothing)"


def is_found(word: str, environment: Path | None, directory: Path) -> bool:
    """Whether the first word of a command is one, in the environment it will run in."""
    asked = in_the_users_environment(f"command -v {shlex.quote(word)}", environment)
    return (
        subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, cwd=directory, check=False).returncode == 0
    )


def first_word(command: str) -> str | None:
    """The program that a command starts; None where there is none.

    >>> first_word("OMP_NUM_THREADS=4 mpirun -n 4 ./colm.x {namelist}")
    'mpirun'
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    return next((word for word in words if "=" not in word.partition("/")[0]), None)


def _die_with_parent() -> None:
    """Have the kernel end this process with the one that started it, where the kernel can (Linux)."""
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
