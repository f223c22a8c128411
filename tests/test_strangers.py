"""Modules of somebody else's, on PYTHONPATH or beside the case."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from launch import ROOT, finished

START = [sys.executable, "-m", "mpi4py", "-m", "imgda_mpi", "settings"]
OURS = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])  # with an empty part, if there is none


@pytest.mark.program
@pytest.mark.parametrize(
    ("name", "text"),
    [("pydantic/__init__.py", "__version__ = '1'"), ("json.py", "print 'old'"), ("pydantic.py", "raise SystemExit(3)")],
)
def test_a_module_that_hides_another_is_passed_over_beside_the_case_and_named_on_pythonpath(
    tmp_path: Path, name: str, text: str
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{text}\n")
    beside = finished(["bash", "-c", 'cd "$0" && exec "$@"', str(tmp_path), *START], {"PYTHONPATH": OURS})
    assert (beside.returncode, beside.stderr) == (0, "")
    on_path = finished(START, {"PYTHONPATH": f"{tmp_path}{os.pathsep}{OURS}"})
    assert on_path.returncode == 2
    assert on_path.stderr.startswith(f"error: {file}: found a module that imgda_mpi cannot work with (")
    assert on_path.stderr.endswith("; unset PYTHONPATH: it is for another Python\n")


def test_a_fault_of_the_program_is_not_laid_on_what_lies_on_pythonpath(tmp_path: Path) -> None:
    (tmp_path / "harmless.py").write_text("")
    script = "import harmless\nfrom imgda_mpi import cli\nwith cli._own_modules():\n    None.missing\n"
    on_path = finished([sys.executable, "-c", script], {"PYTHONPATH": f"{tmp_path}{os.pathsep}{OURS}"})
    assert on_path.returncode == 1
    assert "AttributeError: 'NoneType' object has no attribute 'missing'" in on_path.stderr
