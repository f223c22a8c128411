"""What numba keeps on disk of functions that call each other across files."""

from __future__ import annotations

import shutil
from pathlib import Path

from launch import python

from imgda_mpi.columns import compiled

CALLER = """
from compiled import compiled
from callee import one


@compiled
def two():
    return 2 * one()


print(two(), sum(two.stats.cache_hits.values()))
"""
CALLEE = """
from compiled import compiled


@compiled
def one():
    return {}
"""


def test_a_function_is_compiled_anew_where_one_that_it_calls_has_changed(tmp_path: Path) -> None:
    shutil.copy(compiled.__file__, tmp_path / "compiled.py")
    (tmp_path / "caller.py").write_text(CALLER)
    callee = tmp_path / "callee.py"
    callee.write_text(CALLEE.format(1))
    said = [python(str(tmp_path / "caller.py")) for _ in range(2)]
    callee.write_text(CALLEE.format(10))
    said.append(python(str(tmp_path / "caller.py")))
    # The number, and how often what was kept has served.
    assert [done.stdout for done in said] == ["2 0\n", "2 1\n", "20 0\n"], said[-1].stderr
