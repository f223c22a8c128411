"""The batch templates, run with launchers and schedulers that only write down what they were asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from launch import ROOT

from imgda_mpi import PROGRAM
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.file import read_settings

JOBS = ROOT / "jobs"
JOB = "4711"

SETTINGS = """
[model]
kind = "colm202x"
directory = "model"
case = "demo"
time = 2022-06-02T06:00:00Z

[observation]
kind = "cf"
file = "observation.nc"
variable = "soil_moisture"

[output]
directory = "analysis"
"""

PYTHON = f"""#!/bin/sh
exec {sys.executable} "$@"
"""

# Stands for srun and mpirun: writes down arguments and environment, then does what the test wants of the ranks.
LAUNCHER = """#!/usr/bin/env bash
[ "$1" != --version ] || { echo "$MPI_NAME"; exit 0; }
trap 'kill $!; exit 143' TERM
touch "$TMPDIR/left_behind" "$XDG_CACHE_HOME/plans"
env -0 >"$RECORDS/environment"
printf '%s\\n' "$@" >"$RECORDS/arguments.new"
mv "$RECORDS/arguments.new" "$RECORDS/arguments"
eval "$RANKS"
"""

REQUEUE = """#!/bin/sh
echo "$(basename "$0") $*" >>"$RECORDS/requeued"
# The scheduler may end the job now.
ls -A "$SCRATCH" >"$RECORDS/scratch_at_requeue"
echo "$PATH $OMP_NUM_THREADS" >"$RECORDS/shell_at_requeue"
exit ${QUEUE_STATUS:-0}
"""


@dataclass(frozen=True)
class Scheduler:
    """How a scheduler starts ranks, takes jobs back, and warns of the end of the wall time."""

    script: str
    launcher: str
    requeue: str
    warning: signal.Signals


SCHEDULERS = [
    Scheduler("slurm.sh", "srun", f"scontrol requeue {JOB}", signal.SIGUSR1),
    Scheduler("pbs.sh", "mpirun", f"qrerun {JOB}", signal.SIGTERM),
    Scheduler("lsf.sh", "mpirun", f"brequeue -r {JOB}", signal.SIGUSR1),
]

each_scheduler = pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda scheduler: scheduler.script)


class Site:
    """A cluster of scripts in a temporary folder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.case = directory / "case.toml"
        self.case.write_text(SETTINGS)
        self.scratch, self.cache, self.records = (directory / name for name in ("scratch", "cache", "records"))
        environment, system = directory / "environment" / "bin", directory / "system" / "bin"
        for folder in (self.scratch, self.records, environment, system):
            folder.mkdir(parents=True)
        scripts = {environment / "python": PYTHON, environment / "mpirun": LAUNCHER, system / "srun": LAUNCHER}
        scripts |= {system / name: REQUEUE for name in ("scontrol", "qrerun", "brequeue")}
        for file, text in scripts.items():
            file.write_text(text)
            file.chmod(0o755)
        nodes = directory / "nodes"
        nodes.write_text("node1\nnode1\nnode2\nnode2\n")
        self.environment = {
            "PATH": f"{system}:{os.environ['PATH']}",
            "OMP_NUM_THREADS": "16",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "HOME": str(directory),
            "VIRTUAL_ENV": str(environment.parent),
            "RECORDS": str(self.records),
            "SCRATCH": str(self.scratch),
            "XDG_CACHE_HOME": str(self.cache),
            "MPI_NAME": "mpirun (Open MPI) 4.1.4",
            **dict.fromkeys(("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID"), JOB),
            **dict.fromkeys(("SLURM_SUBMIT_DIR", "PBS_O_WORKDIR", "LS_SUBCWD"), str(ROOT)),
            "PBS_NODEFILE": str(nodes),
            "LSB_DJOB_NUMPROC": "4",
        }

    def start(self, scheduler: Scheduler, ranks: str, **environment: str) -> subprocess.Popen[str]:
        """The job, whose ranks do what the shell command ``ranks`` says."""
        text = (JOBS / scheduler.script).read_text()
        assert text.count("\ncase_file=case.toml ") == 1
        script = self.directory / scheduler.script
        script.write_text(text.replace("\ncase_file=case.toml ", f"\ncase_file={self.case} "))
        return subprocess.Popen(
            ["bash", str(script)],
            env=self.environment | {"RANKS": ranks} | environment,
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, scheduler: Scheduler, ranks: str, **environment: str) -> tuple[int, str]:
        """Exit status and output of the finished job."""
        job = self.start(scheduler, ranks, **environment)
        output, _ = job.communicate(timeout=60)
        return job.returncode, output

    @property
    def arguments(self) -> list[str]:
        """What the launcher was given."""
        return (self.records / "arguments").read_text().splitlines()

    @property
    def requeued(self) -> list[str]:
        """The commands that asked the scheduler to take the job back."""
        record = self.records / "requeued"
        return record.read_text().splitlines() if record.exists() else []

    def wait_for(self, record: str) -> None:
        deadline = time.monotonic() + 30
        while not (self.records / record).exists():
            assert time.monotonic() < deadline, f"the launcher did not come to {record}"
            time.sleep(0.02)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("script", sorted(path.name for path in JOBS.glob("*.sh")))
def test_scripts_are_valid_bash(script: str) -> None:
    checked = subprocess.run(["bash", "-n", str(JOBS / script)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("script", [f"{job}{scheduler.script}" for job in ("", "cycle_") for scheduler in SCHEDULERS])
def test_directives_come_before_the_first_command(script: str) -> None:
    # Schedulers read no further.
    lines = (JOBS / script).read_text().splitlines()
    directives = [n for n, line in enumerate(lines) if line.startswith(("#SBATCH", "#PBS", "#BSUB"))]
    commands = [n for n, line in enumerate(lines) if line and not line.startswith("#")]
    assert directives
    assert max(directives) < min(commands)


@each_scheduler
def test_ranks_run_the_analysis_with_one_thread_each(site: Site, scheduler: Scheduler) -> None:
    status, output = site.run(scheduler, "exit 0")
    assert (status, output) == (0, f"no result yet in {site.directory / 'analysis'}\n")
    command = site.arguments[site.arguments.index("python") :]
    assert command == ["python", "-P", "-m", "mpi4py", "-m", "imgda_mpi", "analyse", str(site.case)]
    words = (site.records / "environment").read_text().split("\0")
    environment = dict(word.split("=", 1) for word in words if word)
    assert (environment["OMP_NUM_THREADS"], environment["OPENBLAS_NUM_THREADS"]) == ("1", "1")
    assert Path(environment["TMPDIR"]).parent == site.scratch
    assert environment["XDG_CACHE_HOME"] == str(site.cache)


def test_srun_binds_ranks_to_cores(site: Site) -> None:
    site.run(SCHEDULERS[0], "exit 0")
    before = site.arguments[: site.arguments.index("python")]
    assert before == ["--cpu-bind=cores", "--distribution=block:block", "--kill-on-bad-exit=1"]


@pytest.mark.parametrize("scheduler", SCHEDULERS[1:], ids=lambda scheduler: scheduler.script)
@pytest.mark.parametrize(
    ("name", "binding"),
    [
        ("mpirun (Open MPI) 4.1.4", ["--map-by", "core", "--bind-to", "core"]),
        ("HYDRA build details:", ["-bind-to", "core"]),
        ("Intel(R) MPI Library for Linux* OS", []),
    ],
)
def test_mpirun_binds_ranks_to_cores(site: Site, scheduler: Scheduler, name: str, binding: list[str]) -> None:
    site.run(scheduler, "exit 0", MPI_NAME=name)
    arguments = site.arguments
    assert arguments[: 2 + len(binding)] == ["-n", "4", *binding]
    between = arguments[2 + len(binding) : arguments.index("python")]
    passed_on = [] if len(binding) < 4 else between[1::2]
    assert between == [word for variable in passed_on for word in ("-x", variable)]
    if "Open MPI" in name:
        assert {"TMPDIR", "XDG_CACHE_HOME", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PATH"} <= set(passed_on)
    is_intel = "I_MPI_PIN_DOMAIN=core" in (site.records / "environment").read_text().split("\0")
    assert is_intel == ("Intel" in name)


@pytest.mark.parametrize(
    ("scheduler", "wanted"),
    [
        *((scheduler, status) for scheduler in SCHEDULERS for status in (0, 2)),
        *((SCHEDULERS[0], n) for n in (1, 127)),
    ],
)
def test_status_is_passed_on_and_the_job_is_over(site: Site, scheduler: Scheduler, wanted: int) -> None:
    status, _ = site.run(scheduler, f"exit {wanted}")
    assert status == wanted
    assert site.requeued == []
    assert list(site.scratch.iterdir()) == []
    # The cache stays, without the count of attempts.
    assert {path.name for path in site.cache.rglob("*")} == {"imgda_mpi", "plans"}


# MPICH's launcher ends with the number of the signal alone, and srun as the ranks that it ended itself.
@each_scheduler
@pytest.mark.parametrize(("killed", "expected"), [("exit 137", 137), ("exit 9", 9), ("exit 143", 143)])
def test_lost_rank_sends_the_job_back_into_the_queue(
    site: Site, scheduler: Scheduler, killed: str, expected: int
) -> None:
    status, output = site.run(scheduler, killed)
    assert status == expected
    assert site.requeued == [scheduler.requeue]
    assert "lost" in output
    assert (site.records / "scratch_at_requeue").read_text() == ""
    assert list(site.scratch.iterdir()) == []


@each_scheduler
def test_end_of_the_wall_time_ends_the_ranks_and_sends_the_job_back(site: Site, scheduler: Scheduler) -> None:
    job = site.start(scheduler, "sleep 60 & touch $RECORDS/obeying; wait")
    site.wait_for("obeying")
    job.send_signal(scheduler.warning)
    output, _ = job.communicate(timeout=30)
    assert job.returncode == 143
    assert site.requeued == [scheduler.requeue]
    assert "wall time" in output
    assert list(site.scratch.iterdir()) == []


@pytest.mark.parametrize("status", [0, 2])
def test_analysis_that_ends_by_itself_on_the_warning_is_over(site: Site, status: int) -> None:
    job = site.start(SCHEDULERS[0], f"trap 'kill $!; exit {status}' TERM; sleep 60 & touch $RECORDS/obeying; wait")
    site.wait_for("obeying")
    job.send_signal(signal.SIGUSR1)
    job.communicate(timeout=30)
    assert job.returncode == status
    assert site.requeued == []


def test_job_goes_back_twice_at_most(site: Site) -> None:
    scheduler = SCHEDULERS[0]
    outputs = [site.run(scheduler, "kill -KILL $$") for _ in range(3)]
    assert [status for status, _ in outputs] == [137, 137, 137]
    assert site.requeued == [scheduler.requeue] * 2
    assert "submit it again" in outputs[-1][1]
    # A later job under the same number starts from the beginning.
    assert list((site.cache / "imgda_mpi").iterdir()) == []


def test_queue_that_refuses_is_reported(site: Site) -> None:
    status, output = site.run(SCHEDULERS[1], "exit 137", QUEUE_STATUS="1")
    assert status == 137
    assert "submit it again" in output


def put_result(site: Site) -> None:
    """The result of the settings of now, which has no files."""
    settings = json.loads(read_settings(site.case, Settings).model_dump_json())
    manifest = {"program": PROGRAM, "settings": settings, "inputs": [], "outputs": []}
    (site.directory / "analysis").mkdir()
    (site.directory / "analysis" / "manifest.json").write_text(json.dumps(manifest))


@each_scheduler
def test_result_that_is_there_is_not_computed_again(site: Site, scheduler: Scheduler) -> None:
    put_result(site)
    status, output = site.run(scheduler, "exit 1")
    assert status == 0
    assert f"the whole result is there already, in {site.directory / 'analysis'}\njob {JOB}: nothing to do" in output
    assert not (site.records / "arguments").exists()


def test_the_jobs_own_shell_is_left_as_it_is(site: Site) -> None:
    site.run(SCHEDULERS[0], "exit 137")
    assert (site.records / "shell_at_requeue").read_text() == f"{site.environment['PATH']} 16\n"


@each_scheduler
def test_result_of_another_time_is_not_taken_for_the_one_that_is_wanted(site: Site, scheduler: Scheduler) -> None:
    put_result(site)
    site.case.write_text(SETTINGS.replace("2022-06-02", "2022-06-03"))
    status, output = site.run(scheduler, "exit 0")
    assert status == 2
    assert "found another result: [model] time" in output
    assert not (site.records / "arguments").exists()
    assert site.requeued == []


def test_faulty_settings_are_said_before_the_ranks_are_started(site: Site) -> None:
    site.case.write_text("[model")
    status, output = site.run(SCHEDULERS[0], "exit 0")
    assert status == 2
    assert f"error: {site.case}: is not valid TOML" in output
    assert not (site.records / "arguments").exists()


def test_check_that_fails_itself_is_left_to_the_analysis(site: Site) -> None:
    (site.directory / "environment" / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    status, _ = site.run(SCHEDULERS[0], "exit 5")
    assert status == 5


@each_scheduler
def test_wrong_project_folder_is_something_to_mend(site: Site, scheduler: Scheduler, tmp_path: Path) -> None:
    elsewhere = dict.fromkeys(("SLURM_SUBMIT_DIR", "PBS_O_WORKDIR", "LS_SUBCWD"), str(tmp_path))
    status, _ = site.run(scheduler, "exit 0", **elsewhere)
    assert status == 2
    assert not (site.records / "arguments").exists()
