"""Analyses one after the other on ranks that stay: the same files, an answer for each, and sleep in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cases import OF_THE_RUN, demo, run, settings_file
from launch import ENVIRONMENT, differing, mpirun, restart_files

from imgda_mpi.faults import MEND, NO_OBSERVATION
from imgda_mpi.workflow.resident import ANSWER

pytestmark = pytest.mark.program

RANKS = 2


class Resident:
    """``imgda_mpi analyse -`` on two ranks."""

    def __init__(self, log: Path) -> None:
        self.log = log
        words = mpirun(RANKS, sys.executable, "-m", "mpi4py", "-m", "imgda_mpi", "analyse", "-")
        with log.open("w") as said:
            self.process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                start_new_session=True,
                env=ENVIRONMENT | {"imgda_input": "keep"},
            )

    def analyse(self, settings: Path) -> int:
        """The status of an analysis."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{settings}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer.startswith(ANSWER), self.log.read_text()
        return int(answer.removeprefix(ANSWER))

    def ranks(self) -> list[int]:
        """Processes of the ranks: below the launcher those that run python."""
        found, below = [], [self.process.pid]
        while below:
            parent = below.pop()
            for thread in Path(f"/proc/{parent}/task").iterdir():
                children = [int(word) for word in (thread / "children").read_text().split()]
                below += children
                found += [pid for pid in children if b"python" in Path(f"/proc/{pid}/cmdline").read_bytes()[:200]]
        return [pid for pid in found if b"mpirun" not in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]]

    def end(self) -> int:
        """The status after the end of the input."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(60)


@pytest.fixture
def resident(tmp_path: Path) -> Iterator[Resident]:
    ranks = Resident(tmp_path / "log.txt")
    with ranks.process as launcher:
        yield ranks
        with suppress(ProcessLookupError):
            os.killpg(launcher.pid, signal.SIGTERM)


def seconds_of(pids: list[int]) -> float:
    """What processes have taken of the cores so far."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(times[11]) + int(times[12]) for times in fields) / os.sysconf("SC_CLK_TCK")


def test_ranks_that_stay_write_what_the_command_writes_and_sleep_in_between(
    resident: Resident, example_case: Path, tmp_path: Path
) -> None:
    text = demo(example_case, before='method = "innovation/full"')
    by_command = run(tmp_path, text, "command", ranks=RANKS)
    # An error is answered, and the next analysis is made; of two the second one has the transform of the first.
    assert resident.analyse(tmp_path / "nowhere.toml") == MEND
    missing = text.replace("GLDAS_NOAH025", "GLDAS_NOWHERE")
    assert resident.analyse(settings_file(tmp_path, missing, "missing")) == NO_OBSERVATION
    assert not (tmp_path / "missing").exists()
    for name in ("first", "second"):
        assert resident.analyse(settings_file(tmp_path, text, name)) == 0
        wanted, found = restart_files(by_command), restart_files(tmp_path / name)
        assert wanted.keys() == found.keys()
        assert all(wanted[file].read_bytes() == found[file].read_bytes() for file in wanted)
        assert differing(by_command / "diagnostics.nc", tmp_path / name / "diagnostics.nc") <= OF_THE_RUN | {"stage"}
    said = resident.log.read_text()
    assert "GLDAS_NOWHERE_3H.A20220602.0600.021.nc4: found no such file" in said
    assert said.count("\ntransform ") == 1
    if Path("/proc/self/task").exists():
        pids = resident.ranks()
        assert len(pids) == RANKS
        before = seconds_of(pids)
        time.sleep(2.0)
        assert seconds_of(pids) - before < 0.1
    assert resident.end() == 0


def test_a_rank_that_is_killed_ends_all(resident: Resident, tmp_path: Path) -> None:
    assert resident.analyse(tmp_path / "nowhere.toml") == MEND
    if not Path("/proc/self/task").exists():
        pytest.skip("finds the ranks in /proc")
    os.kill(resident.ranks()[-1], signal.SIGKILL)
    assert resident.process.wait(60) not in (0, MEND)
    assert resident.process.stdout is not None
    assert resident.process.stdout.read() == ""
