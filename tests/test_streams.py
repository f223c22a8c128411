"""Standard streams that nobody reads, that are full, or that are not there."""

from __future__ import annotations

import shlex
import sys

import pytest
from launch import finished

SAID = "# Settings of imgda_mpi."


@pytest.mark.program
@pytest.mark.parametrize(
    ("streams", "status", "said"),
    [
        ("| head -n 1", 0, SAID),
        (">&-", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        (">/dev/full", 2, ""),
    ],
)
def test_what_becomes_of_what_is_said_is_no_traceback(streams: str, status: int, said: str) -> None:
    command = f"set -o pipefail; {shlex.quote(sys.executable)} -m imgda_mpi settings {streams}"
    done = finished(["bash", "-c", command], {})
    assert done.returncode == status
    assert done.stdout.startswith(said)
    assert done.stderr == (
        "error: standard output: found [Errno 28] No space left on device, expected to write the result; check space, "
        "quota and permissions\n"
        if status
        else ""
    )
