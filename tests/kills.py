"""Ends processes of runs of cycles by SIGKILL at random moments, and looks whether the runs come out as they should."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from cycles import Setup, kept, started
from processes import processes

from imgda_mpi.disk import REMOVED
from imgda_mpi.results.run_folder import CYCLE_FILE, CYCLES, open_run

MARK = "CYCLES_TO_BE_KILLED"
"""Variable of the environment that all processes of a trial have."""

DRIVER, MODEL, ANALYSIS, LAUNCHER = "driver", "model", "analysis", "launcher"
NODE = "all at once"
ENDING, OF_ANALYSIS, OF_RESTART, REMOVING = (
    "cycle.json before its rename",
    "files of the analysis",
    "restart of the model",
    "removing",
)
WRITING = (ENDING, OF_ANALYSIS, OF_RESTART, REMOVING)
"""What a run can be found in the middle of, by its folder."""

AIMS = {ENDING: (DRIVER, NODE), OF_ANALYSIS: (ANALYSIS, DRIVER, NODE), OF_RESTART: (MODEL, DRIVER, NODE)}
"""What is waited for, and who is ended then."""

PATIENCE = 20.0
"""Seconds to wait for what a kill is aimed at, and for processes to end."""


def part_of(number: int, driver: int) -> str:
    """What a process is: driver, model, analysis, launcher, or none of them."""
    if number == driver:
        return DRIVER
    try:
        words = Path(f"/proc/{number}/cmdline").read_bytes().decode().split("\0")
        is_first = os.getsid(number) == number
    except OSError:
        return ""
    if Path(words[0]).name.startswith("python"):
        return MODEL if re.search(r"colm20\w\w\.py", " ".join(words)) else ANALYSIS if "analyse" in words else ""
    return LAUNCHER if is_first or "mpirun" in words[0] else ""


def phase(run: Path) -> str:
    """What a run is in the middle of, as its folder shows it."""
    folders = [path for path in (run / CYCLES).glob("*.partial") if path.is_dir()] if run.exists() else []
    for folder in folders:
        with suppress(OSError):
            names = {path.name for path in folder.iterdir()}
            if CYCLE_FILE in names:
                return ENDING
            if any(name.startswith(".imgda_mpi.partial-") for name in names):
                return OF_ANALYSIS
            if "restart" in names or any((folder / name / "restart").is_dir() for name in names - {"analysis"}):
                return OF_RESTART if _has_new_restart(folder) else MODEL
            if ANALYSIS in names:
                return "between analysis and model"
    if next(run.rglob(f"{REMOVED}*"), None) is not None:
        return REMOVING
    return "analysis" if folders else "between cycles"


def _has_new_restart(folder: Path) -> bool:
    """Whether a file of the restart at the end of the window is there: the others are links."""
    return any(
        path.is_file() and not path.is_symlink()
        for restart in (folder / "restart", *folder.glob("*/restart"))
        if restart.parent.name != ANALYSIS
        for path in restart.rglob("*")
    )


@dataclass(frozen=True)
class Kill:
    """What was ended, in the middle of what, what it was aimed at, and the status of a driver that did not go on."""

    victim: str
    during: str
    aim: str | None
    status: int | None


@dataclass
class Trial:
    """A run that is disturbed again and again, and always started again with the same command.

    Parameters
    ----------
    mean_gap : mean seconds from one kill to the next: moments are uniform in the wall time that a driver runs
    aimed : share of the kills that wait for something to be in the middle of being written
    """

    setup: Setup
    settings: Path
    rng: np.random.Generator
    mean_gap: float
    aimed: float
    environment: dict[str, str]
    kills: list[Kill] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _made: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mark = f"{self.settings.stem}-{os.getpid()}-{time.monotonic_ns()}"

    @property
    def run(self) -> Path:
        """The folder of the run."""
        return self.settings.with_suffix("")

    def _processes(self) -> list[int]:
        return processes(f"{MARK}={self.mark}")

    def until_done(self, most: int) -> None:
        """Disturb it at most so many times, until it is done."""
        left, status = most, None
        while status != 0 and len(self.faults) == 0:
            with started("cycle", self.settings, **self.environment, **{MARK: self.mark}) as driver:
                while left and (kill := self._kill(driver)) is not None:
                    self.kills.append(kill)
                    left -= 1
                    if kill.victim in (DRIVER, NODE):
                        break
                said, _ = driver.communicate(timeout=600)
                status = driver.returncode
            self._look_at_cycles()
            expected = (-signal.SIGKILL,) if self.kills and self.kills[-1].victim in (DRIVER, NODE) else (0, 4)
            if status not in (0, *expected):
                self.faults.append(f"status {status} after {self.kills[-1:]}:\n{said}")
        self._check_end()

    def _kill(self, driver: subprocess.Popen[str]) -> Kill | None:
        """The next one; None where the driver ends before."""
        try:
            driver.wait(self.rng.exponential(self.mean_gap))
            return None
        except subprocess.TimeoutExpired:
            pass
        aim = str(self.rng.choice(list(AIMS))) if self.rng.random() < self.aimed else None
        if aim is not None and not _wait_for(lambda: phase(self.run) == aim or driver.poll() is not None):
            aim = None
        there: dict[str, list[int]] = {}
        for number in self._processes():
            there.setdefault(part_of(number, driver.pid), []).append(number)
        possible = [*AIMS[aim]] if aim else [DRIVER, NODE, *[MODEL, ANALYSIS] * 2, LAUNCHER]
        possible = [name for name in possible if name == NODE or name in there]
        if driver.poll() is not None:
            return None
        victim = str(self.rng.choice(possible))
        one = [number for numbers in there.values() for number in numbers]
        if victim != NODE:
            one = [int(self.rng.choice(there[victim]))]
        for number in one:
            _signal(number, signal.SIGSTOP)
        during = phase(self.run)
        for number in one if victim != NODE else self._processes():
            _signal(number, signal.SIGKILL)
        if victim in (DRIVER, NODE):
            driver.wait()
        else:
            _wait_for(lambda: one[0] not in self._processes())
        with suppress(subprocess.TimeoutExpired):
            driver.wait(0.5)
        return Kill(victim, during, aim, driver.poll())

    def _look_at_cycles(self) -> None:
        """No complete cycle may be made again, or change."""
        if not self.run.exists():
            return
        now = {
            folder.name: (folder.stat().st_ino, (folder / CYCLE_FILE).read_bytes())
            for folder in (self.run / CYCLES).iterdir()
            if folder.suffix != ".partial" and not folder.name.startswith(".")
        }
        for name, was in self._made.items():
            if now.get(name) != was:
                self.faults.append(f"{name} was complete and is {'another' if name in now else 'gone'}")
        self._made = now

    def _check_end(self) -> None:
        if not _wait_for(lambda: not self._processes()):
            self.faults.append(f"left over: processes {self._processes()}")


def faults_of(run: Path, undisturbed: dict[str, object]) -> list[str]:
    """What a run is not that should be one like another, which was not disturbed."""
    there, found = open_run(run), kept(run)
    there.check_chain()
    for cycle in there.cycles():
        cycle.verify()
    faults = [f"left over: {path}" for path in _left_over(run)]
    different = [name for name in sorted(found.keys() | undisturbed.keys()) if found.get(name) != undisturbed.get(name)]
    return faults + [f"{name} is not that of the run that was not disturbed" for name in different]


def _left_over(run: Path) -> Iterator[Path]:
    for path in run.rglob("*"):
        if path.name.endswith(".partial") or path.name.startswith((REMOVED, ".imgda_mpi.partial-")):
            yield path


def _wait_for(condition: Callable[[], bool]) -> bool:
    """Whether something comes true in time."""
    given_up = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > given_up:
            return False
        time.sleep(0.0005)
    return True


def _signal(number: int, which: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(number, which)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """A file system of so many bytes in a new folder, and whether it was allowed to mount one."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    is_mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", folder], check=True)


def fill_up(path: Path) -> None:
    """Let a file take all space that is left."""
    free = os.statvfs(path.parent).f_bavail * os.statvfs(path.parent).f_bsize
    with suppress(OSError), path.open("ab", buffering=0) as file:
        file.write(bytes(free))


def tally(kills: list[Kill]) -> str:
    """How many of which kind."""
    lines = []
    for what, of in (
        ("victim", lambda kill: kill.victim),
        ("in the middle of", lambda kill: kill.during),
        ("driver, where not killed", lambda kill: _after(kill)),
    ):
        lines.append(f"{what}:")
        lines += [f"  {number:4}  {name}" for name, number in Counter(map(of, kills)).most_common() if name]
    n_writing = sum(kill.during in WRITING for kill in kills)
    return "\n".join([*lines, f"in the middle of writing or renaming: {n_writing} of {len(kills)}"])


def _after(kill: Kill) -> str:
    if kill.victim in (DRIVER, NODE):
        return ""
    return "went on" if kill.status is None else f"status {kill.status}"
