"""What is loaded without parts of packages that nobody asks for."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from launch import python

from imgda_mpi.lazy import left_out, without


def test_parts_that_a_package_would_load_are_none_within_and_as_before_outside() -> None:
    package = ModuleType("package")
    package.there = 1  # type: ignore[attr-defined]
    with without(package, "there", "later", "meanwhile"):
        assert (package.there, package.later, package.meanwhile) == (1, None, None)
        package.meanwhile = 2  # type: ignore[attr-defined]
    assert {name for name in vars(package) if not name.startswith("_")} == {"there", "meanwhile"}
    assert package.meanwhile == 2


def test_a_module_left_out_can_be_loaded_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this_is_none", raising=False)
    with left_out("this_is_none"), pytest.raises(ModuleNotFoundError):
        __import__("this_is_none")
    assert "this_is_none" not in sys.modules


def test_sparse_matrices_leave_numpy_whole() -> None:
    finished = python(
        "-c",
        "import sys, numpy as np, imgda_mpi.sparse\n"
        "assert 'numpy.f2py' not in sys.modules and 'unittest' not in sys.modules\n"
        "np.testing.assert_allclose(imgda_mpi.sparse.eye_array(3).toarray(), np.eye(3))\n"
        "assert callable(np.f2py.run_main) and np.polynomial.Polynomial([1, 2])(3) == 7",
    )
    assert finished.returncode == 0, finished.stderr
