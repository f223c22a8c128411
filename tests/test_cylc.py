"""The workflow on a real Cylc, with a driver that only writes down what it was asked."""

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
from launch import ENVIRONMENT, ROOT
from processes import end

pytestmark = pytest.mark.program

# Fails as the test says, at an analysis or a window, the first time that it is asked.
DRIVER = """#!/usr/bin/env bash
cd "$(dirname -- "$0")" || exit
echo "$*" >>calls
[ "$(grep -cFx -- "$*" calls)" -gt 1 ] || case "$*" in
    {failing}) echo "what is wrong" >&2; exit {status} ;;
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

    def write(self, failing: str = "nothing", status: int = 0, **edits: str) -> None:
        """The workflow as a user edits it, and its driver."""
        program = self.folder / "bin/imgda_mpi"
        program.parent.mkdir()
        program.write_text(DRIVER.format(failing=failing, status=status))
        program.chmod(0o755)
        (self.folder / "global.cylc").write_text(CONFIGURATION.format(cylc=self.cylc.parent))
        text = (ROOT / "jobs/cylc/flow.cylc").read_text()
        given = {"CASE": "case.toml", "PROJECT": str(self.folder), "LAST_ANALYSIS": "20220602T06Z", "RETRIES": "PT0S"}
        for name, value in (given | edits).items():
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

    @property
    def calls(self) -> list[str]:
        """What the driver was asked."""
        return (self.folder / "bin/calls").read_text().splitlines()


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[Workflow]:
    cylc = shutil.which("cylc", path=f"{sys.prefix}/cylc/bin:{os.environ['PATH']}")
    missing = [name for name, found in (("cylc", cylc), ("rsync", shutil.which("rsync"))) if not found]
    if missing or not cylc:
        pytest.skip(f"needs Cylc 8, of which there is no {', '.join(missing)}: see tools/setup.sh --tests")
    yield Workflow(tmp_path, Path(cylc))
    end(f"HOME={tmp_path}")


def asked(*steps: str) -> list[str]:
    """What the driver is asked: "analysis 2T00" and the like."""
    return [
        f"cycle case.toml --only {part} --at 2022-06-0{time}:00:00Z" for part, time in (step.split() for step in steps)
    ]


def finished(command: subprocess.Popen[str]) -> tuple[int, str]:
    """Status and output of a command."""
    output, _ = command.communicate(timeout=100)
    return command.returncode, output


def test_model_and_analyses_go_in_turn_and_what_was_lost_is_repeated(workflow: Workflow) -> None:
    workflow.write(failing="*analysis*2T06*", status=4, START="20220601T00Z")
    status, output = finished(workflow.play())
    assert status == 0, output
    steps = ["model 1T00", "analysis 2T00", "model 2T00", "analysis 2T06", "analysis 2T06", "model 2T06"]
    assert workflow.calls == asked(*steps)


def test_something_to_mend_is_not_repeated_until_somebody_says_so(workflow: Workflow) -> None:
    workflow.write(failing="*model*", status=2, LAST_ANALYSIS="20220602T00Z")
    playing = workflow.play()
    output = playing.stdout
    assert output is not None
    said = []
    for line in output:
        said += [line]
        if "Workflow stalled" in line:
            break
    assert any("something to mend, see job.err" in line for line in said), "".join(said)
    assert workflow.calls == asked("analysis 2T00", "model 2T00")
    assert finished(workflow.start("trigger", "run//20220602T0000Z/model"))[0] == 0
    assert finished(playing)[0] == 0
    assert workflow.calls == asked("analysis 2T00", "model 2T00", "model 2T00")
    [said_by_driver] = (workflow.folder / "cylc-run/run/log/job/20220602T0000Z/model/01").glob("job.err")
    assert "what is wrong" in said_by_driver.read_text()
