"""The workflow on a real Cylc."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cycles import SIX, imgda, kept, setup2014
from launch import ENVIRONMENT, ROOT
from processes import end

pytestmark = pytest.mark.program

# Writes down what it is asked. Something is wrong the first time that a window after an analysis is asked for.
DRIVER = """#!/usr/bin/env bash
cd "$(dirname -- "$0")" || exit
echo "$*" >>calls
[ "$(grep -cFx -- "$*" calls)" -gt 1 ] || case "$*" in
    *model*2T00*) echo "what is wrong" >&2; exit 2 ;;
esac
"""

# As a site has it: jobs find cylc.
CONFIGURATION = """
[platforms]
    [[localhost]]
        cylc path = {cylc}
"""


@dataclass(frozen=True)
class Workflow:
    """One of a site of its own."""

    folder: Path
    cylc: Path

    def write(self, **edits: str) -> None:
        """The workflow as a user edits it."""
        (self.folder / "global.cylc").write_text(CONFIGURATION.format(cylc=self.cylc.parent))
        text = (ROOT / "jobs/cylc/flow.cylc").read_text()
        for name, value in edits.items():
            text, count = re.subn(f'(% set {name} = )"[^"]*"', rf'\1"{value}"', text)
            assert count == 1, name
        (self.folder / "source").mkdir()
        (self.folder / "source/flow.cylc").write_text(text)

    def start(self, *words: object) -> subprocess.Popen[str]:
        """One of Cylc's commands."""
        path = f"{self.cylc.parent}:{os.environ['PATH']}"
        environment = ENVIRONMENT | {"HOME": str(self.folder), "CYLC_CONF_PATH": str(self.folder), "PATH": path}
        return subprocess.Popen(
            [str(self.cylc), *map(str, words)],
            env=environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def play(self) -> subprocess.Popen[str]:
        """The workflow, until it has nothing to do any more."""
        return self.start("vip", "--no-detach", "--no-run-name", "--workflow-name=run", self.folder / "source")


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[Workflow]:
    cylc = shutil.which("cylc", path=f"{sys.prefix}/cylc/bin:{os.environ['PATH']}")
    missing = [name for name, found in (("cylc", cylc), ("rsync", shutil.which("rsync"))) if not found]
    if missing or not cylc:
        pytest.skip(f"needs Cylc 8, of which there is no {', '.join(missing)}: see tools/setup.sh --tests")
    yield Workflow(tmp_path, Path(cylc))
    end(f"HOME={tmp_path}")


def finished(command: subprocess.Popen[str]) -> tuple[int, str]:
    """Status and output of a command."""
    output, _ = command.communicate(timeout=100)
    return command.returncode, output


def test_a_run_by_tasks_of_which_one_is_lost_is_the_same(workflow: Workflow) -> None:
    folder, cycle = workflow.folder, "retries = 0\n"
    setup = setup2014(folder, 2)
    fault = f"COLM_FAULT=killed COLM_FAULT_TIMES=1 COLM_FAULT_FILE={folder}/faults"
    lost = setup.settings("lost", n=2, cycle=cycle, command=f"{fault} {setup.case.command}")
    times = [f"{setup.case.start + number * SIX:%Y%m%dT%HZ}" for number in range(2)]
    edits = {"START": times[0], "FIRST_ANALYSIS": times[0], "LAST_ANALYSIS": times[1], "RETRIES": "PT0S"}
    workflow.write(CASE=str(lost), PROJECT=str(ROOT), **edits)
    playing = workflow.play()
    undisturbed = imgda("cycle", setup.settings("undisturbed", n=2, cycle=cycle))
    assert undisturbed.returncode == 0, undisturbed.stderr
    status, output = finished(playing)
    assert status == 0, output
    assert (folder / "faults").stat().st_size == 1
    assert kept(folder / "lost") == kept(folder / "undisturbed")


def test_something_to_mend_is_not_repeated_until_somebody_says_so(workflow: Workflow) -> None:
    program = workflow.folder / "bin/imgda_mpi"
    program.parent.mkdir()
    program.write_text(DRIVER)
    program.chmod(0o755)
    calls = program.with_name("calls")
    # A run that starts before its first analysis, which is its last one too.
    times = {"START": "20220601T00Z", "LAST_ANALYSIS": "20220602T00Z"}
    workflow.write(CASE="case.toml", PROJECT=str(workflow.folder), RETRIES="PT0S", **times)
    playing = workflow.play()
    assert playing.stdout is not None
    said = []
    for line in playing.stdout:
        said += [line]
        if "Workflow stalled" in line:
            break
    assert any("something to mend, see job.err" in line for line in said), "".join(said)
    steps = ["model --at 2022-06-01", "analysis --at 2022-06-02", "model --at 2022-06-02"]
    asked = [f"cycle case.toml --only {step}T00:00:00Z" for step in steps]
    assert calls.read_text().splitlines() == asked
    [log] = (workflow.folder / "cylc-run/run/log/job/20220602T0000Z/model/01").glob("job.err")
    assert "what is wrong" in log.read_text()
    assert finished(workflow.start("trigger", "run//20220602T0000Z/model"))[0] == 0
    assert finished(playing)[0] == 0
    assert calls.read_text().splitlines() == [*asked, asked[-1]]
