"""A SLURM of this machine alone, whose jobs are real ones."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from launch import ENVIRONMENT
from processes import end, processes, wait_for

NEEDED = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "scontrol", "setpriv")
# Daemons are in folders that not every PATH has.
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"

ENDED = {"COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL"}

# More CPUs than the machine may have. The life of credentials is what a job that goes back into the queue waits there;
# five seconds is the least that SLURM takes.
CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
KillWait=3
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
"""


@dataclass(frozen=True)
class Cluster:
    """One that runs, by its configuration's file."""

    configuration: Path

    @property
    def environment(self) -> dict[str, str]:
        """What its commands need."""
        return ENVIRONMENT | {"SLURM_CONF": str(self.configuration)}

    def command(self, *words: object, cwd: Path | None = None) -> str:
        """What one of its commands says."""
        done = subprocess.run(
            [*map(str, words)], env=self.environment, cwd=cwd, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def submit(self, script: Path, folder: Path) -> int:
        """The number of a job, submitted from a folder."""
        return int(self.command("sbatch", "--parsable", script, cwd=folder))

    def jobs(self) -> dict[int, dict[str, str]]:
        """What SLURM knows of the jobs, by their numbers."""
        lines = [line for line in self.command("scontrol", "--oneliner", "show", "jobs").splitlines() if "=" in line]
        every = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
        return {int(job["JobId"]): job for job in every}

    def wait_for_job(self, number: int, seconds: float = 60) -> dict[str, str]:
        """A job that has come to its end."""

        def ended() -> dict[str, str] | None:
            job = self.jobs()[number]
            return job if job["JobState"] in ENDED else None

        return wait_for(ended, f"the end of job {number}", seconds)

    def wait_for_ranks(self, number: int, pattern: str, count: int = 2) -> list[int]:
        """The processes of a job whose command begins with a pattern, once there are as many."""

        def started() -> list[int] | None:
            found = processes(f"SLURM_JOB_ID={number}", f"SLURM_CONF={self.configuration}", pattern=pattern)
            return found if len(found) == count else None

        return wait_for(started, f"{count} processes of job {number}")

    def has_idle_node(self) -> bool:
        """Whether a job would start."""
        done = subprocess.run(
            ["sinfo", "-h", "-o", "%T"], env=self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() == "idle"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster, which is gone with all its jobs at the end; where there can be none, the test is skipped."""
    missing = [name for name in NEEDED if not shutil.which(name, path=PATH)]
    if missing:
        pytest.skip(f"needs SLURM, of which there is no {', '.join(missing)}: see tools/setup.sh --tests")
    if os.geteuid() != 0:
        pytest.skip("needs to be root, who may start jobs of SLURM")
    with tempfile.TemporaryDirectory(prefix="imgda_slurm.") as name, ExitStack() as stack:
        folder = Path(name)
        running = Cluster(folder / "slurm.conf")
        # Jobs outlive the daemons.
        stack.callback(end, f"SLURM_CONF={running.configuration}")
        configure(folder)
        keeping = [f"--{what}-file={folder}/munged.{what}" for what in ("pid", "log", "seed")]
        munge = folder / "munge.socket"
        start(stack, running, "munged", "--foreground", f"--key-file={folder}/munge.key", f"--socket={munge}", *keeping)
        wait_for(lambda: munge.exists() or None, "munge")
        start(stack, running, "slurmctld", "-D")
        start(stack, running, "slurmd", "-D")
        try:
            wait_for(lambda: running.has_idle_node() or None, "a node that takes jobs", 30)
        except AssertionError as err:
            raise AssertionError("".join(log.read_text() for log in sorted(folder.glob("*.log")))) from err
        yield running


def configure(folder: Path) -> None:
    """Write what the daemons read into a folder that is theirs."""
    folder.chmod(0o755)  # munge wants others to come in
    for part in ("state", "spool", "pmix"):
        (folder / part).mkdir()
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(os.urandom(64))
    host = socket.gethostname().split(".")[0]
    # Folders named by the job alone, which those of another cluster may have left in /tmp.
    (folder / "mpi.conf").write_text(f"PMIxCliTmpDirBase={folder}/pmix\n")
    (folder / "slurm.conf").write_text(CONFIGURATION.format(folder=folder, host=host, ports=free_ports(2)))


def start(stack: ExitStack, running: Cluster, *words: str) -> None:
    """Start a daemon, which does not outlive the tests however these end."""
    with (running.configuration.parent / f"{words[0]}.log").open("w") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *words],
            env=running.environment | {"PATH": PATH},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    stack.callback(process.wait)
    stack.callback(process.terminate)
