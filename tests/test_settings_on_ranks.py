"""A settings file is looked into on one rank alone: it may be on the first node's disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases import demo
from launch import on_ranks
from test_settings import CYCLE

IN_OWN_FOLDERS = """
import os, sys
from mpi4py import MPI
os.chdir(sys.argv.pop(2 if MPI.COMM_WORLD.rank == 0 else 1))
from imgda_mpi.cli import main
sys.exit(main(sys.argv[-2:]))
"""
COLUMNS = CYCLE[: CYCLE.index("[model]")] + (
    '[model]\nkind = "columns"\ndirectory = "nowhere"\ncase = "demo"\n[weather]\nkind = "generated"\n'
    '[output]\ndirectory = "run"\n'
)


@pytest.mark.parametrize(
    ("verb", "text", "status", "said"),
    [
        ("check", None, 0, "nothing stands in the way of the analysis"),
        ("check", "[model]\n" + CYCLE, 2, "error: case.toml: is not valid TOML (Cannot declare [model] twice"),
        ("cycle", 'method = "none"\n' + COLUMNS, 2, "error: nowhere: found no such folder"),
        ("cycle", CYCLE, 2, "error: launcher: found several processes, expected one, which starts model and analyses"),
    ],
)
def test_ranks_that_do_not_see_the_settings(
    tmp_path: Path, example_case: Path, verb: str, text: str | None, status: int, said: str
) -> None:
    for name in ("there", "elsewhere"):
        (tmp_path / name).mkdir()
    given = demo(example_case) + f'[output]\ndirectory = "{tmp_path / "out"}"\n' if text is None else text
    (tmp_path / "there" / "case.toml").write_text(given)
    folders = [str(tmp_path / name) for name in ("elsewhere", "there")]
    done = on_ranks(2, "-m", "mpi4py", "-c", IN_OWN_FOLDERS, *folders, verb, "case.toml")
    assert done.returncode == status, done.stderr
    assert done.stderr.count(said) == 1
    assert done.stderr.count("error: ") == (status != 0)
