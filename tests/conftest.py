from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference data kept beside the project: real restarts, observations, reference coefficients."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the reference data in {SHARED}, which are not part of the project")
    return SHARED


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20220602)
