"""The job templates of runs of many cycles, with a driver and schedulers that only write down what they were asked."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from launch import ROOT

JOB = "4711"

# Makes the cycles and ends as the test says. Each word of its variables is for one more job.
DRIVER = """#!/usr/bin/env bash
cd "$RECORDS" || exit
case $1 in
    status) printf '{\\n  "cycles": {"done": %d, "all": 8}\\n}\\n' "$(wc -l <cycles)"; exit ;;
esac
echo "$*" >>calls
echo "$PATH:$XDG_CACHE_HOME" >environment
eval "$DRIVER"
"""

SCHEDULER = """#!/bin/sh
case $(basename "$0") in
    squeue) [ "$*" = "-h -j 4711 -o %e" ] && echo "$SLURM_END" ;;
    qstat) [ "$*" = "-f 4711" ] && printf '    Resource_List.select = 2\\n    Resource_List.walltime = 12:00:00\\n' ;;
    bsub) cmp - "$SCRIPT" && echo "bsub" >>"$RECORDS/submitted" ;;
    *) echo "$(basename "$0") $*" >>"$RECORDS/submitted" ;;
esac
exit ${QUEUE_STATUS:-0}
"""


@dataclass(frozen=True)
class Scheduler:
    """How a job is submitted."""

    script: str
    submit: str


SLURM, PBS, LSF = SCHEDULERS = [
    Scheduler("cycle_slurm.sh", "sbatch {script}"),
    Scheduler("cycle_pbs.sh", "qsub {script}"),
    Scheduler("cycle_lsf.sh", "bsub"),
]

each_scheduler = pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda scheduler: scheduler.script)


class Site:
    """A cluster of scripts in a temporary folder."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.records, self.cache = directory, directory / "records", directory / "cache"
        commands = {"system/" + name: SCHEDULER for name in ("sbatch", "squeue", "qsub", "qstat", "bsub")}
        for name, text in {"bin/imgda_mpi": DRIVER, **commands}.items():
            file = directory / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
            file.chmod(0o755)
        self.records.mkdir()
        (self.records / "cycles").touch()
        (directory / "cycle.toml").touch()
        shutil.copytree(ROOT / "jobs", directory / "jobs")
        self.environment = {
            "PATH": f"{directory}/system:{os.environ['PATH']}",
            "HOME": str(directory),
            "RECORDS": str(self.records),
            "XDG_CACHE_HOME": str(self.cache),
            **dict.fromkeys(("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID"), JOB),
            **dict.fromkeys(("SLURM_SUBMIT_DIR", "PBS_O_WORKDIR", "LS_SUBCWD"), str(directory)),
            # Summer time or not, SLURM and date are of one mind.
            "SLURM_END": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 43200)),
        }

    def script(self, scheduler: Scheduler) -> Path:
        """The job script, as the scheduler is given it again."""
        return self.directory / "jobs" / scheduler.script

    def edit(self, scheduler: Scheduler, old: str, new: str) -> None:
        """Change a line of the script."""
        text = self.script(scheduler).read_text()
        assert text.count(f"\n{old}") == 1
        self.script(scheduler).write_text(text.replace(f"\n{old}", f"\n{new}"))

    def start(self, scheduler: Scheduler, driver: str, **environment: str) -> subprocess.Popen[str]:
        """The job, whose driver does what the shell command says."""
        script = self.script(scheduler)
        return subprocess.Popen(
            ["bash", str(script)],
            env=self.environment | {"DRIVER": driver, "SCRIPT": str(script)} | environment,
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, scheduler: Scheduler, driver: str, **environment: str) -> tuple[int, str]:
        """Exit status and output of the finished job."""
        job = self.start(scheduler, driver, **environment)
        output, _ = job.communicate(timeout=60)
        return job.returncode, output

    def lines(self, record: str) -> list[str]:
        """What was written down, if anything."""
        file = self.records / record
        return file.read_text().splitlines() if file.exists() else []

    def submitted(self, scheduler: Scheduler, times: int = 1) -> bool:
        """Whether the job was submitted so many times."""
        return self.lines("submitted") == [scheduler.submit.format(script=self.script(scheduler))] * times

    def wait_for(self, record: str) -> None:
        deadline = time.monotonic() + 30
        while not (self.records / record).exists():
            assert time.monotonic() < deadline, f"the driver did not come to {record}"
            time.sleep(0.02)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@each_scheduler
def test_the_driver_is_told_what_is_left_of_the_wall_time(site: Site, scheduler: Scheduler) -> None:
    status, output = site.run(scheduler, "exit 0")
    assert (status, output) == (0, "")
    [call] = site.lines("calls")
    assert call.removesuffix("11:59:59").removesuffix("12:00:00") == "cycle cycle.toml --until-walltime "
    # run_ranks and imgda_mpi in the commands of the settings are the ones beside the driver.
    [words] = site.lines("environment")
    assert words == f"{site.directory}/bin:{site.environment['PATH']}:{site.cache}"


def test_a_job_without_an_end_gives_the_driver_none(site: Site) -> None:
    status, output = site.run(SLURM, "exit 0", SLURM_END="N/A")
    assert (status, output) == (0, "")
    assert site.lines("calls") == ["cycle cycle.toml"]


@pytest.mark.parametrize(
    ("scheduler", "status"),
    [*((scheduler, status) for scheduler in SCHEDULERS for status in (0, 2)), *((SLURM, n) for n in (1, 5, 127, 130))],
)
def test_a_run_that_is_done_or_has_to_be_mended_is_not_submitted_again(
    site: Site, scheduler: Scheduler, status: int
) -> None:
    assert site.run(scheduler, f"echo >>cycles; exit {status}")[0] == status
    assert site.lines("submitted") == []


# The driver itself may be lost too.
@each_scheduler
@pytest.mark.parametrize("status", [3, 4, 137])
def test_out_of_time_or_lost_it_is_submitted_again_for_as_long_as_cycles_come_about(
    site: Site, scheduler: Scheduler, status: int
) -> None:
    for _ in range(5):
        found, output = site.run(scheduler, f"echo >>cycles; exit {status}")
        assert found == status
        assert "cycles done by this job: 1; into the queue again" in output
    assert site.submitted(scheduler, 5)


@pytest.mark.parametrize("status", [3, 4])
def test_three_jobs_in_vain_are_the_last(site: Site, status: int) -> None:
    site.run(SLURM, "exit 4")
    site.run(SLURM, "echo >>cycles; exit 3")
    outputs = [site.run(SLURM, f"exit {status}")[1] for _ in range(3)]
    assert site.submitted(SLURM, 4)
    assert "no cycle came about in 3 jobs: see imgda_mpi status" in outputs[-1]
    # Submitted by hand, it begins to count again.
    assert list((site.cache / "imgda_mpi").iterdir()) == []


def test_runs_of_other_cases_count_for_themselves(site: Site) -> None:
    site.run(SLURM, "exit 4")
    site.run(SLURM, "exit 4")
    site.edit(SLURM, "case_file=cycle.toml ", "case_file=other/cycle.toml ")
    assert "into the queue again" in site.run(SLURM, "exit 4")[1]


# On PBS none is needed: the driver knows the end of the wall time.
@pytest.mark.parametrize("scheduler", [SLURM, LSF], ids=lambda scheduler: scheduler.script)
def test_the_warning_reaches_the_driver_and_the_job_is_submitted_again(site: Site, scheduler: Scheduler) -> None:
    job = site.start(scheduler, "trap 'kill $!; echo >>cycles; exit 3' USR1; sleep 60 & touch going; wait")
    site.wait_for("going")
    job.send_signal(signal.SIGUSR1)
    output, _ = job.communicate(timeout=30)
    assert job.returncode == 3
    assert "out of time; cycles done by this job: 1; into the queue again" in output
    assert site.submitted(scheduler)


@each_scheduler
def test_a_job_that_somebody_ends_is_not_submitted_again(site: Site, scheduler: Scheduler) -> None:
    job = site.start(scheduler, "trap 'kill $!; exit 3' TERM; sleep 60 & touch going; wait")
    site.wait_for("going")
    job.send_signal(signal.SIGTERM)
    output, _ = job.communicate(timeout=30)
    assert job.returncode == 3
    assert "ended from outside: submit it again and it goes on where it was" in output
    assert site.lines("submitted") == []


def test_a_queue_that_refuses_is_reported(site: Site) -> None:
    status, output = site.run(PBS, "exit 3", QUEUE_STATUS="1")
    assert status == 3
    assert "the queue does not take it: submit it again" in output


@each_scheduler
def test_a_script_that_could_not_be_submitted_again_does_not_start(site: Site, scheduler: Scheduler) -> None:
    site.edit(scheduler, "job_script=$project/jobs", "job_script=$project/mine")
    status, output = site.run(scheduler, "exit 0")
    assert status == 2
    assert "edit project and job_script" in output
    assert site.lines("calls") == []


@each_scheduler
def test_a_wrong_project_folder_is_something_to_mend(site: Site, scheduler: Scheduler) -> None:
    site.edit(scheduler, "project=", "project=/elsewhere # ")
    assert site.run(scheduler, "exit 0")[0] == 2
    assert site.lines("calls") == []
