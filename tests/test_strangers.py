"""Modules of somebody else's, on PYTHONPATH or beside the case."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from launch import ROOT, finished

START = [sys.executable, "-m", "mpi4py", "-m", "imgda_mpi", "settings"]
OURS = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


@pytest.mark.program
@pytest.mark.parametrize(
    ("name", "text"),
    [("pydantic/__init__.py", "__version__ = '1'"), ("json.py", "print 'old'")],
)
def test_a_module_that_hides_another_is_named(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{text}\n")
    go = 'cd "$0" && exec "$@"'
    beside = finished(["bash", "-c", go, str(tmp_path), *START], {"PYTHONPATH": OURS, "PYTHONSAFEPATH": ""})
    on_path = finished(START, {"PYTHONPATH": f"{tmp_path}{os.pathsep}{OURS}"})
    for done, do in ((beside, "start it in another folder, or with python -P"), (on_path, "unset PYTHONPATH: ")):
        assert done.returncode == 2, done.stderr
        assert f"error: {file}: found a module that imgda_mpi cannot work with (" in done.stderr
        assert do in done.stderr
        assert "Traceback" not in done.stderr
    # As with tools/env.sh.
    safe = finished(["bash", "-c", go, str(tmp_path), *START], {"PYTHONPATH": OURS, "PYTHONSAFEPATH": "1"})
    assert (safe.returncode, safe.stderr) == (0, "")
