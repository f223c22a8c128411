from __future__ import annotations

import pytest

from imgda_mpi.settings.comparison import Swaths
from imgda_mpi.verify.noise import swaths


def test_swaths_are_where_the_formula_says() -> None:
    seen = swaths((128, 256), period=22, width=9, slope=0.35)
    row, column = 37, 141
    assert seen[row, column] == ((column + int(0.35 * row)) % 22 < 9)
    assert seen.mean() == pytest.approx(9 / 22, abs=0.01)
    assert swaths((3, 4), **Swaths().pattern).all()
