"""What numba keeps on disk of functions that call each other across files, and where it cannot."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from launch import finished, python

from imgda_mpi import compiled

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


WEATHER = """
import sys
from datetime import UTC, datetime
import numpy as np
from imgda_mpi.columns.generator import GeneratedWeather

hour = GeneratedWeather(np.zeros(1), np.zeros(1), np.zeros(1), 1).hour(datetime(2022, 6, 2, tzinfo=UTC))
print("scipy.linalg" in sys.modules, [*map(float, np.concatenate(hour))])
"""


@pytest.fixture
def caller(tmp_path: Path) -> str:
    shutil.copy(compiled.__file__, tmp_path / "compiled.py")
    (tmp_path / "callee.py").write_text(CALLEE.format(1))
    (tmp_path / "caller.py").write_text(f"import sys; sys.path[:0] = [{str(tmp_path)!r}]\n{CALLER}")
    return str(tmp_path / "caller.py")


def test_a_function_is_compiled_anew_where_one_that_it_calls_has_changed(tmp_path: Path, caller: str) -> None:
    said = [python(caller) for _ in range(2)]
    (tmp_path / "callee.py").write_text(CALLEE.format(10))
    said.append(python(caller))
    # The number, and how often what was kept has served.
    assert [done.stdout for done in said] == ["2 0\n", "2 1\n", "20 0\n"], said[-1].stderr


def test_without_a_place_for_compiled_code_it_works_and_says_why_it_is_slower(tmp_path: Path, caller: str) -> None:
    # Root may write into folders that nobody may write into, but not where a folder has to be and a file is.
    (tmp_path / "__pycache__").write_text("")
    done = finished(["env", "-u", "NUMBA_CACHE_DIR", "-u", "XDG_CACHE_HOME", "HOME=/proc", "python", "-B", caller], {})
    assert done.stdout == "2 0\n", done.stderr
    assert done.stderr.startswith("compiled code cannot be kept (cannot cache function 'two': no locator available")
    assert done.stderr.count("\n") == 1


def test_a_number_of_threads_that_numba_refuses_is_said_in_words() -> None:
    done = finished(["python", "-m", "imgda_mpi", "analyse", "case.toml"], {"NUMBA_NUM_THREADS": "0"})
    assert done.returncode == 2
    assert done.stderr.startswith("error: NUMBA_NUM_THREADS: found 0, expected 1 or more; unset it"), done.stderr


def test_what_is_kept_is_loaded_without_scipys_blas() -> None:
    compiling, loading = (python("-c", WEATHER).stdout.split(" ", 1) for _ in range(2))
    assert loading[0] == "False"
    assert loading[1] == compiling[1]


def test_damaged_compiled_code_is_compiled_anew(tmp_path: Path, caller: str) -> None:
    kept = tmp_path / "kept"
    said = []
    for _ in range(3):
        said.append(finished(["python", caller], {"NUMBA_CACHE_DIR": str(kept)}))
        if len(said) == 1:
            for file in (*kept.rglob("*.one-*.nbi"), *kept.rglob("*.two-*.nbc")):
                file.write_bytes(b"")
    assert [done.stdout for done in said] == ["2 0\n", "2 0\n", "2 1\n"], said[1].stderr


ARRAYS = """
import sys
import numpy as np
from compiled import compiled


@compiled
def doubled(values):
    twice = np.empty(values.size, values.dtype)
    for i in range(values.size):
        twice[i] = values[i] + values[i]
    return twice


for dtype in sys.argv[1:]:
    print(doubled(np.ones(2, dtype)), end=" ")
print(sum(doubled.stats.cache_hits.values()), sum(doubled.stats.cache_misses.values()))
"""


def test_what_is_kept_serves_beside_what_is_compiled_anew(tmp_path: Path) -> None:
    shutil.copy(compiled.__file__, tmp_path / "compiled.py")
    (tmp_path / "arrays.py").write_text(ARRAYS)
    runs = [("f8",), ("f8",), ("f8", "i4"), ("i4", "f4", "f8")]
    said = [python(str(tmp_path / "arrays.py"), *dtypes).stdout for dtypes in runs]
    assert said == ["[2. 2.] 0 1\n", "[2. 2.] 1 0\n", "[2. 2.] [2 2] 1 1\n", "[2 2] [2. 2.] [2. 2.] 2 1\n"]


REFUSED = """
from numba.core.caching import IndexDataCacheFile

def refuse(*_):
    raise PermissionError("not your file")

IndexDataCacheFile._save_index = refuse
"""


def test_damaged_compiled_code_that_cannot_be_replaced_is_left_alone(tmp_path: Path, caller: str) -> None:
    kept = {"NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    (tmp_path / ".#callee.py").symlink_to("nowhere")
    assert finished(["python", caller], kept).stdout == "2 0\n"
    for file in (tmp_path / "kept").rglob("*.nbi"):
        file.write_bytes(b"junk")
    Path(caller).write_text(REFUSED + Path(caller).read_text())
    done = finished(["python", caller], kept)
    assert done.stdout == "2 0\n", done.stderr
    assert done.stderr.startswith("compiled code cannot be kept (")
    assert "Traceback" not in done.stderr
