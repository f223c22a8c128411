"""The job templates on a real SLURM."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from cases import FEW, demo, settings_file
from cycles import kept, setup202x
from launch import ROOT, same_restart
from processes import wait_for
from slurm_cluster import Cluster

# SLURM takes half a minute to see the end of a wall time. What waits for that is the first to start.
pytestmark = [pytest.mark.program, pytest.mark.usefixtures("held", "in_three_jobs", "at_one_go")]

# SLURM looks every half minute, and signals half a minute early rather than late.
SHORT = {"time": "00:01:00", "signal": "B:USR1@25"}

RANK = r"\S*python -P -m mpi4py -m imgda_mpi analyse"


@dataclass(frozen=True)
class Job:
    """One analysis of the embedded case in a folder of its own, as a job."""

    slurm: Cluster
    folder: Path
    number: int

    @classmethod
    def submit(cls, slurm: Cluster, example_case: Path, folder: Path, **edits: str) -> Job:
        """Submit the template, edited as its first lines ask for, and more."""
        case = settings_file(folder, demo(example_case, before=FEW), "analysis")
        script = folder / "slurm.sh"
        for place in ("scratch", "cache"):
            (folder / place).mkdir()
        edits |= {
            "case_file": case.name,
            "project": str(ROOT),
            "scratch": str(folder / "scratch"),
            "cache": str(folder / "cache"),
        }
        script.write_text(edited((ROOT / "jobs/slurm.sh").read_text(), **edits))
        return cls(slurm, folder, slurm.submit(script, folder))

    @property
    def output(self) -> str:
        return (self.folder / f"imgda_mpi-{self.number}.log").read_text()

    def wait_for_ranks(self) -> list[int]:
        return self.slurm.wait_for_ranks(self.number, RANK)

    def completed(self, *restarts: int) -> Path:
        """The result, after so many times back in the queue."""
        job = self.slurm.wait_for_job(self.number)
        assert job["JobState"] == "COMPLETED", self.output
        assert int(job["Restarts"]) in restarts, self.output
        assert list((self.folder / "scratch").iterdir()) == []
        return self.folder / "analysis"


def edited(template: str, **edits: str) -> str:
    """A template with other values of its directives and variables."""
    lines = template.splitlines()
    given = {"account": "mine", "nodes": "1", "ntasks": "2"} | edits
    for name, value in given.items():
        starts = [line for line in lines if line.startswith((f"#SBATCH --{name.replace('_', '-')}=", f"{name}="))]
        assert len(starts) == 1, name
        lines[lines.index(starts[0])] = f"{starts[0].split('=')[0]}={value}"
    # Debian's SLURM has no type that Open MPI understands by default.
    unset = "# export SLURM_MPI_TYPE=pmix"
    return "\n".join(line.removeprefix("# ") if line.startswith(unset) else line for line in lines) + "\n"


@pytest.fixture(scope="module")
def held(slurm: Cluster, example_case: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job that comes to the end of its wall time."""
    job = Job.submit(slurm, example_case, tmp_path_factory.mktemp("held"), **SHORT)
    for rank in job.wait_for_ranks():
        os.kill(rank, signal.SIGSTOP)
    return job


@pytest.fixture(scope="module")
def result(slurm: Cluster, example_case: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed job made."""
    job = Job.submit(slurm, example_case, tmp_path_factory.mktemp("undisturbed"))
    return job.completed(0)


def test_a_job_makes_the_result(result: Path) -> None:
    assert (result / "manifest.json").is_file()


def test_a_lost_rank_sends_the_job_back_and_it_makes_the_result(
    slurm: Cluster, example_case: Path, tmp_path: Path, result: Path
) -> None:
    job = Job.submit(slurm, example_case, tmp_path)
    os.kill(job.wait_for_ranks()[1], signal.SIGKILL)
    assert same_restart(result, job.completed(1))
    assert "a rank or its node was lost (status 143); back into the queue" in job.output


def test_the_signal_before_the_wall_time_sends_the_job_back_and_it_makes_the_result(held: Job, result: Path) -> None:
    assert same_restart(result, held.completed(1, 2))  # of so short a wall time a busy machine may need three
    assert "the wall time has run out; back into the queue" in held.output


# --- Runs in several jobs -------------------------------------------------------------------------------------------

# Knows nothing of models. What it does in the first, the second ... job is up to the test.
DRIVER = """#!/usr/bin/env bash
cd "$(dirname -- "$0")" || exit
if [ "$1" = status ]; then
    sleep 0.5
    printf '{{"done": %d}}' "$(wc -l <cycles)"
    exit
fi
echo "$*" >>calls
sleep 100 &
trap 'kill $!' EXIT
case $(wc -l <calls) in
{jobs}
esac
"""


@dataclass(frozen=True)
class Run:
    """A run in several jobs."""

    slurm: Cluster
    folder: Path
    first: int

    @classmethod
    def submit(cls, slurm: Cluster, folder: Path, project: Path, **edits: str) -> Run:
        """Submit the template from a folder."""
        script = folder / "run.sh"
        edits |= {"project": str(project), "job_script": str(script), "cache": str(folder / "cache")}
        script.write_text(edited((ROOT / "jobs/cycle_slurm.sh").read_text(), **edits))
        return cls(slurm, folder, slurm.submit(script, folder))

    def output(self, job: int) -> str:
        return (self.folder / f"imgda_mpi-{job}.log").read_text()

    def next(self, job: int) -> int:
        """The job that a job has submitted at its end, or 0."""
        self.slurm.wait_for_job(job)
        return int("".join(re.findall(r"Submitted batch job (\d+)", self.output(job))) or 0)

    def exit_codes(self) -> list[str]:
        """Of the jobs, which submitted one another, once the last one has ended."""
        found, job = [], self.first
        while job:
            found.append(self.slurm.wait_for_job(job)["ExitCode"])
            job = self.next(job)
        return found


def with_driver(folder: Path, *jobs: str) -> Path:
    """A project in a new folder, with a driver that does in each of the jobs what a shell command says."""
    shutil.copytree(ROOT / "jobs", folder / "jobs")
    program = folder / "bin/imgda_mpi"
    program.parent.mkdir()
    program.write_text(DRIVER.format(jobs="\n".join(f"{n}) {job} ;;" for n, job in enumerate(jobs, 1))))
    program.chmod(0o755)
    (folder / "bin/cycles").touch()
    return folder


def calls(project: Path) -> list[str]:
    """What its driver was asked, job by job."""
    file = project / "bin/calls"
    return file.read_text().splitlines() if file.exists() else []


@pytest.fixture(scope="module")
def in_three_jobs(slurm: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One that comes to the end of its wall time, is lost, and then comes to its end."""
    until_warned = "trap 'echo >>cycles; exit 3' USR1; wait"
    project = with_driver(tmp_path_factory.mktemp("run") / "project", until_warned, "kill -KILL $$", "exit 0")
    return Run.submit(slurm, project.parent, project, **SHORT)


def test_a_job_that_is_cancelled_is_not_submitted_again(slurm: Cluster, tmp_path: Path) -> None:
    project = with_driver(tmp_path / "project", "trap 'exit 3' TERM; wait")
    run = Run.submit(slurm, tmp_path, project)
    wait_for(lambda: calls(project) or None, "the driver")
    slurm.command("scancel", run.first)
    assert run.next(run.first) == 0
    assert slurm.jobs()[run.first]["JobState"] == "CANCELLED"
    assert "ended from outside: submit it again" in run.output(run.first)


def test_jobs_of_a_run_submit_one_another_until_it_is_done(in_three_jobs: Run) -> None:
    assert in_three_jobs.exit_codes() == ["3:0", "137:0", "0:0"]
    asked = calls(in_three_jobs.folder / "project")
    assert len(asked) == 3
    assert all(re.fullmatch(r"cycle cycle\.toml --until-walltime (00:00:[45]\d|00:01:00)", call) for call in asked)
    assert list((in_three_jobs.folder / "cache/imgda_mpi").iterdir()) == []


def submit_colm(slurm: Cluster, example_case: Path, folder: Path) -> Run:
    """A run of two cycles around the stand-in of CoLM202X, whose ranks SLURM starts."""
    setup = setup202x(folder, example_case, 2)
    command = f"SOURCE_DATE_EPOCH=0 srun -n 3 {sys.executable} {ROOT / 'tests/colm202x.py'} {{namelist}}"
    case = setup.settings(n=2, command=command, cycle='launch = "srun -n 2"\nretries = 0\n')
    return Run.submit(slurm, folder, ROOT, ntasks="3", case_file=case.name)


MODEL = r"\S*python\S* \S*colm202x\.py"


@pytest.fixture(scope="module")
def at_one_go(slurm: Cluster, example_case: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that is not disturbed."""
    return submit_colm(slurm, example_case, tmp_path_factory.mktemp("undisturbed_run"))


def test_a_run_of_the_model_that_is_interrupted_and_loses_a_rank_is_the_same(
    slurm: Cluster, example_case: Path, tmp_path: Path, at_one_go: Run
) -> None:
    run = submit_colm(slurm, example_case, tmp_path)
    slurm.wait_for_ranks(run.first, MODEL, 3)
    slurm.command("scancel", "--batch", "--signal=USR1", run.first)
    second = run.next(run.first)
    os.kill(slurm.wait_for_ranks(second, MODEL, 3)[1], signal.SIGKILL)
    assert run.exit_codes() == ["3:0", "4:0", "0:0"], run.output(second)
    assert at_one_go.exit_codes() == ["0:0"]
    here, there = tmp_path, at_one_go.folder
    assert kept(here / "run", around=here) == kept(there / "run", around=there)
