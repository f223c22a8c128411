"""The job templates on a real SLURM."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from cases import FEW, demo, settings_file
from launch import ROOT, same_restart
from slurm_cluster import Cluster

pytestmark = [pytest.mark.program, pytest.mark.usefixtures("held")]

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
        edits |= {"case_file": case.name, "scratch": str(folder / "scratch"), "cache": str(folder / "cache")}
        script.write_text(edited((ROOT / "jobs/slurm.sh").read_text(), **edits))
        return cls(slurm, folder, slurm.submit(script))

    @property
    def output(self) -> str:
        return (self.folder / f"imgda_mpi-{self.number}.log").read_text()

    def wait_for_ranks(self) -> list[int]:
        return self.slurm.wait_for_ranks(self.number, RANK)

    def completed(self, restarts: int) -> Path:
        """The result, after so many times back in the queue."""
        job = self.slurm.wait_for_job(self.number)
        assert (job["JobState"], job["Restarts"]) == ("COMPLETED", str(restarts)), self.output
        assert list((self.folder / "scratch").iterdir()) == []
        return self.folder / "analysis"


def edited(template: str, **edits: str) -> str:
    """A template with other values of its directives and variables."""
    lines = template.splitlines()
    given = {"account": "mine", "nodes": "1", "ntasks": "2", "project": str(ROOT)} | edits
    for name, value in given.items():
        starts = [line for line in lines if line.startswith((f"#SBATCH --{name.replace('_', '-')}=", f"{name}="))]
        assert len(starts) == 1, name
        lines[lines.index(starts[0])] = f"{starts[0].split('=')[0]}={value}"
    unset = "# export SLURM_MPI_TYPE=pmix"
    return "\n".join(line.removeprefix("# ") if line.startswith(unset) else line for line in lines) + "\n"


@pytest.fixture(scope="module")
def held(slurm: Cluster, example_case: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job that comes to the end of its wall time. SLURM takes half a minute to see it: this is the first to start."""
    folder = tmp_path_factory.mktemp("held")
    # SLURM looks every half minute, and signals half a minute early rather than late.
    job = Job.submit(slurm, example_case, folder, time="00:01:00", signal="B:USR1@25")
    for rank in job.wait_for_ranks():
        os.kill(rank, signal.SIGSTOP)
    return job


@pytest.fixture(scope="module")
def result(slurm: Cluster, example_case: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed job made."""
    job = Job.submit(slurm, example_case, tmp_path_factory.mktemp("undisturbed"))
    return job.completed(restarts=0)


def test_a_job_makes_the_result(result: Path) -> None:
    assert (result / "manifest.json").is_file()


def test_a_lost_rank_sends_the_job_back_and_it_makes_the_result(
    slurm: Cluster, example_case: Path, tmp_path: Path, result: Path
) -> None:
    job = Job.submit(slurm, example_case, tmp_path)
    os.kill(job.wait_for_ranks()[1], signal.SIGKILL)
    assert same_restart(result, job.completed(restarts=1))
    assert "a rank or its node was lost (status 143); back into the queue" in job.output


def test_the_signal_before_the_wall_time_sends_the_job_back_and_it_makes_the_result(held: Job, result: Path) -> None:
    assert same_restart(result, held.completed(restarts=1))
    assert "the wall time has run out; back into the queue" in held.output
