"""Set-up and the two commands in bin: what they ask of a machine, and leave of a shell that runs a model too."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from launch import ENVIRONMENT, ROOT

PYTHON = f'#!/bin/sh\nexec {sys.executable} "$@"\n'


def put(file: Path, text: str) -> None:
    """A script that may be run."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def bash(script: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """A finished shell, in which no environment is active but one that is given, and no modules come before its own."""
    left_out = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH")
    active = {name: value for name, value in ENVIRONMENT.items() if name not in left_out}
    return subprocess.run(
        ["bash", "-c", script],
        env=active | environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


# --- Whether mpirun and mpi4py belong together ---------------------------------------------------------------------

# What ranks say comes out as one word, as it may where each write of theirs is sent on at once.
MIXED = """#!/usr/bin/env bash
set -o pipefail
[ "$1" != --version ] || exec {mpirun} --version
{mpirun} "$@" | tr -d '\\n'
"""

# As one of another MPI: processes that know nothing of each other.
APART = """#!/usr/bin/env bash
[ "$1" != --version ] || exec {mpirun} --version
"${{@: -3}}" & "${{@: -3}}" & wait -n || exit; wait -n
"""


@pytest.mark.parametrize(("launcher", "status"), [(MIXED, 0), (APART, 1)], ids=["together", "apart"])
def test_ranks_meet_by_their_status_whatever_they_say(launcher: str, status: int, tmp_path: Path) -> None:
    mpirun = shutil.which("mpirun", path=f"{sys.prefix}/bin:{os.environ['PATH']}")
    put(tmp_path / "bin/python", PYTHON)
    put(tmp_path / "bin/mpirun", launcher.format(mpirun=mpirun))
    done = bash(
        '. tools/setup.sh; if ranks_meet; then exit 0; fi; cat "$log"; exit 1',
        VIRTUAL_ENV=str(tmp_path),
        PYTHONUNBUFFERED="1",
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert ("a rank is one of 1, not of 2" in done.stdout) == (status == 1)


# --- The commands, in a shell that runs a model of another MPI too --------------------------------------------------

RECORDING = """#!/usr/bin/env bash
[ "$1" != --version ] || { echo "mpirun (Open MPI) 5.0"; exit 0; }
echo "$(basename "$(dirname "$(dirname "$0")")") $(basename "$0"): $*, $OMP_NUM_THREADS threads" >>"$RECORD"
[ "$(basename "$0")" != mpirun ] || "${@: -3}"
"""


@dataclass(frozen=True)
class Machine:
    """A project with an MPI in its environment, beside another MPI that a model was built with."""

    folder: Path

    def bash(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder}/system/bin:{os.environ['PATH']}"
        record = str(self.folder / "record")
        given = {"PATH": path, "RECORD": record, "OMP_NUM_THREADS": "16"} | environment
        return bash(script, self.folder / "project", **given)

    @property
    def record(self) -> list[str]:
        return (self.folder / "record").read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    project = tmp_path / "project"
    shutil.copytree(ROOT / "bin", project / "bin")
    (project / "tools").mkdir()
    shutil.copy(ROOT / "tools/env.sh", project / "tools")
    for command in (".venv/bin/python", ".venv/bin/mpirun", "../system/bin/mpirun"):
        put(project / command, RECORDING)
    put(tmp_path / "system/bin/model", "#!/bin/sh\n")
    (project / ".venv/imgda_mpi.stamp").touch()
    return Machine(tmp_path)


def test_a_shell_that_runs_model_and_analysis_keeps_its_mpi_and_its_variables(machine: Machine) -> None:
    said = re.search(r"`(export PATH=[^`]*)`", (ROOT / "README.md").read_text())
    assert said
    done = machine.bash(
        f"""set -eu
        {said[1]}
        before=$(command -v mpirun python; env; set -o; declare -F)
        mpirun -n 4 model of 2022
        imgda_mpi check case.toml
        run_ranks 2 imgda_mpi analyse case.toml
        mpirun -n 4 model of 2022
        [ "$(command -v mpirun python; env; set -o; declare -F)" = "$before" ]
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    model = "system mpirun: -n 4 model of 2022, 16 threads"
    check, start, analyse = machine.record[1:-1]
    assert [machine.record[0], machine.record[-1]] == [model, model]
    assert check == ".venv python: -P -m mpi4py -m imgda_mpi check case.toml, 1 threads"
    assert start.startswith(".venv mpirun: -n 2 ")
    assert analyse == ".venv python: -P -m mpi4py -m imgda_mpi analyse case.toml, 1 threads"


def test_commands_are_found_by_a_link_and_pass_the_status_on(machine: Machine) -> None:
    put(machine.folder / "project/.venv/bin/python", "#!/bin/sh\nexit 7\n")
    done = machine.bash(
        'mkdir "$HOME" && ln -s "$PWD/bin/imgda_mpi" "$HOME" && "$HOME/imgda_mpi"', HOME=f"{machine.folder}/home"
    )
    assert done.returncode == 7


@pytest.mark.parametrize("command", ["imgda_mpi check case.toml", "run_ranks 2 imgda_mpi analyse case.toml"])
def test_commands_before_set_up_say_what_to_do(machine: Machine, command: str) -> None:
    done = machine.bash(f"bin/{command}", VIRTUAL_ENV="/elsewhere")
    assert done.returncode == 2
    assert "error: imgda_mpi is not set up in /elsewhere: run bash" in done.stderr
    assert not (machine.folder / "record").exists()


@pytest.mark.parametrize("words", ["", "imgda_mpi analyse case.toml", "0 python", "4"])
def test_ranks_without_a_number_or_a_command_are_refused(machine: Machine, words: str) -> None:
    done = machine.bash(f"bin/run_ranks {words}")
    assert done.returncode == 2
    assert "usage: run_ranks N command" in done.stderr


# --- The h5py that is built ----------------------------------------------------------------------------------------

# provide_parallel_h5py where a build takes no time: it makes a wheel of one word, which is what an environment gets.
BUILD = """
. tools/setup.sh
stamp=$WORK/stamp
find_hdf5() { echo "$WORK/hdf5"; }
installed_version() { echo 3.0; }
has_parallel_h5py() { grep -qx parallel "$WORK/installed"; }
ranks_write_together() { has_parallel_h5py; }
python() {
    case "$*" in
        *"pip wheel"*)
            echo "$CFLAGS" >>"$WORK/builds"
            mkdir "$log.wheel"
            echo "${BUILT:-parallel}" >"$log.wheel/h5py-3.0-cp0.whl"
            ;;
        *"pip install"*) [ ! -e "$stamp" ] && cp "${@: -1}" "$WORK/installed" ;;
        *) command python "$@" ;;
    esac
}
touch "$stamp"
echo serial >"$WORK/installed"
provide_parallel_h5py
"""


@dataclass(frozen=True)
class Builder:
    """A machine with a parallel HDF5 on which environments are set up."""

    folder: Path

    def build(self, **environment: str) -> str:
        """Set up one environment, and what that said."""
        done = self.run(**environment)
        assert done.returncode == 0, done.stderr
        assert (self.folder / "installed").read_text() == "parallel\n"
        return done.stdout

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        given = {"WORK": str(self.folder), "XDG_CACHE_HOME": str(self.folder / "cache"), "CFLAGS": ""}
        return bash(BUILD, VIRTUAL_ENV=str(self.folder / "environment"), **(given | environment))

    @property
    def builds(self) -> int:
        return len((self.folder / "builds").read_text().splitlines())

    @property
    def wheels(self) -> list[Path]:
        return sorted((self.folder / "cache").rglob("*.whl"))


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    put(tmp_path / "environment/bin/python", PYTHON)
    put(tmp_path / "hdf5/lib/libhdf5.so", "one version")
    return Builder(tmp_path)


def test_an_h5py_is_built_once_for_all_environments(builder: Builder) -> None:
    assert "building h5py 3.0" in builder.build()
    assert [wheel.read_text() for wheel in builder.wheels] == ["parallel\n"]
    assert str(builder.wheels[0]) in builder.build()
    assert builder.builds == 1


def test_an_h5py_of_another_hdf5_or_compilation_is_built_anew(builder: Builder) -> None:
    builder.build()
    builder.build(CFLAGS="-O3")
    (builder.folder / "hdf5/lib/libhdf5.so").write_text("another version")
    builder.build()
    assert builder.builds == len(builder.wheels) == 3


@pytest.mark.parametrize("kept", ["", "serial\n"], ids=["cut off", "without MPI"])
def test_a_kept_h5py_that_does_not_serve_is_replaced(builder: Builder, kept: str) -> None:
    builder.build()
    builder.wheels[0].write_text(kept)
    assert "does not serve" in builder.build()
    assert [wheel.read_text() for wheel in builder.wheels] == ["parallel\n"]
    builder.build()
    assert builder.builds == 2


def test_an_h5py_that_cannot_be_kept_is_used_all_the_same(builder: Builder) -> None:
    (builder.folder / "cache").write_text("a file")
    assert "not kept for other environments" in builder.build()


def test_an_h5py_that_was_built_without_mpi_is_an_error_and_not_kept(builder: Builder) -> None:
    done = builder.run(BUILT="serial")
    assert done.returncode == 1
    assert "has no MPI; is that HDF5 a parallel one?" in done.stderr
    assert builder.wheels == []
    assert not (builder.folder / "stamp").exists()


def test_a_long_step_says_how_far_it_is(tmp_path: Path) -> None:
    step = "echo ' [ 7/25] Cythonizing /tmp/h5py/h5d.pyx'; echo 'cc -c h5d.c -o h5d.o'; echo ' 3 | int'; /bin/sleep 1"
    done = bash('. tools/setup.sh; sleep() { /bin/sleep 0.1; }; quietly bash -c "$STEP"; echo "$ticker"', STEP=step)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^setup:   \d+ s, \[ 7/25\] Cythonizing h5d\.pyx$", done.stdout, re.MULTILINE)
    assert "h5d.o" not in done.stdout
