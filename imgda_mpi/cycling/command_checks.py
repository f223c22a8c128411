"""Commands of the user's before they are run: whether what they start is there."""

from __future__ import annotations

import shlex
import subprocess
from itertools import pairwise
from pathlib import Path

from imgda_mpi.cycling.commands import in_the_users_environment
from imgda_mpi.faults import ConfigError, ImgdaError, fault, reading

OPERATORS = "<>|&;()"
"""Characters of words that are bash's own."""


def check_environment(environment: Path, directory: Path) -> None:
    """Refuse a shell file that is not there, or that bash cannot source.

    Raises
    ------
    InputError
    """
    expected = "a file that bash sources without an error"
    with reading(environment, expected=expected):
        is_there = environment.is_file()
    if not is_there:
        raise fault(environment, found="no such file", expected=expected, do="correct its name")
    tried = _asked(in_the_users_environment("true", environment), directory)
    if tried.returncode:
        said = tried.stderr.strip().splitlines()[-1:] or [f"status {tried.returncode}"]
        do = "source it in a new shell to see why; its last command has to succeed"
        raise fault(environment, found=f"a file at which bash stops ({said[0]})", expected=expected, do=do)


def check_command(command: str, environment: Path | None, directory: Path) -> None:
    """Refuse a command of the user's that starts no program which is there, or names a path that is not.

    What only the shell can tell is left to it.

    Raises
    ------
    ConfigError
    """
    program, paths = programs(command)
    if program is None:
        raise _not_found(command, "no program", "the command of a program")
    if is_plain(program):
        asked = in_the_users_environment(f"command -v {shlex.quote(program)}", environment)
        if _asked(asked, directory).returncode:
            where = "the environment that imgda_mpi was started in" if environment is None else str(environment)
            raise _not_found(program, "no such command", f"one that is found from {directory}, in {where}")
    for path in paths:
        if not (directory / path).exists():
            raise _not_found(path, "no such file", f"one, seen from {directory}")


def check_launcher(launch: str) -> None:
    """Refuse what should start ranks of this program and is no command.

    Raises
    ------
    ConfigError
    """
    program, _ = programs(launch)
    if program is None and not launch.strip():
        return
    if program is None or (is_plain(program) and _asked(f"command -v {shlex.quote(program)}", Path()).returncode):
        expected = "one that is found where imgda_mpi runs, as run_ranks 2"
        raise _not_found(program or launch, "no such command", expected)


def programs(command: str) -> tuple[str | None, list[str]]:
    """The program that a command starts, None where there is none, and what it names by a path besides.

    >>> programs("OMP_NUM_THREADS=4 mpirun -n 4 ./colm.x {namelist} > /tmp/log")
    ('mpirun', ['./colm.x'])
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars=OPERATORS)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError:  # a quotation mark too few
        return None, []
    is_program = [word[0] not in OPERATORS and "=" not in word.partition("/")[0] for word in words if word]
    if True not in is_program:
        return None, []
    at = is_program.index(True)
    # Where the command goes elsewhere only the shell can tell what a path is.
    told = [] if "cd" in words else list(pairwise(words))[at:]
    named = [word for before, word in told if before[0] not in "<>" and is_plain(word)]
    return words[at], [word for word in named if word.startswith(("./", "../", "/"))]


def is_plain(word: str) -> bool:
    """Whether the shell, and this program, leave a word as it is."""
    return not set(word) & set("$`*?[{~")


def _not_found(what: str, found: str, expected: str) -> ImgdaError:
    return fault(what, found=found, expected=expected, do="correct it", kind=ConfigError)


def _asked(script: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """A script of bash that has told something, whatever its status."""
    words = ["bash", "-c", script]
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=directory, check=False)
