"""Processes that a test did not start itself: they are known by their environment."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")


def wait_for(find: Callable[[], Found | None], what: str, seconds: float = 60) -> Found:
    """What is found before long."""
    deadline = time.monotonic() + seconds
    while (found := find()) is None:
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)
    return found


def processes(*variables: str, pattern: str = "") -> list[int]:
    """Processes with these settings in their environment whose command begins with a pattern."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().decode(errors="replace").split("\0")
            command = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if {*variables} <= {*environment} and re.match(pattern, command):
            found.append(int(process.name))
    return found


def end(variable: str) -> None:
    """End all processes with this setting in their environment."""

    def gone() -> bool | None:
        left = processes(variable)
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        return not left or None

    wait_for(gone, f"the end of all with {variable}")
