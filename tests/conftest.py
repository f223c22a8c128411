from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

# Before they are imported: what they assert is explained as in a test.
pytest.register_assert_rewrite("cases", "image_files", "launch", "processes", "slurm_cluster")

from example_blocks import Blocks, read_case  # noqa: E402
from launch import load  # noqa: E402
from slurm_cluster import Cluster, cluster  # noqa: E402

from imgda_mpi.example.case import write_example  # noqa: E402

SHARED = Path(__file__).parents[2] / "shared"

# Of tests/launch.py and tests/cases.py: what starts the program.
STARTERS = {"imgda", "on_ranks", "run"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of modules that start the program."""
    for item in items:
        if isinstance(item, pytest.Function) and STARTERS & vars(item.module).keys():
            item.add_marker("program")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference data kept beside the project: real restarts, observations, reference coefficients."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the reference data in {SHARED}, which are not part of the project")
    return SHARED


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20220602)


@pytest.fixture(scope="session")
def example_case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings file of the embedded case."""
    return write_example(tmp_path_factory.mktemp("example") / "case")


@pytest.fixture(scope="session")
def example(example_case: Path) -> Path:
    """The folder of the embedded case."""
    return example_case.parent


@pytest.fixture(scope="session")
def blocks(example: Path) -> Blocks:
    """All block files of the embedded case."""
    return read_case(example / "model/demo")


@pytest.fixture(scope="session")
def background(blocks: Blocks) -> np.ndarray:
    """The model's image of the embedded case."""
    return blocks.surface_image()


@pytest.fixture(scope="session")
def truth(example: Path) -> np.ndarray:
    """The withheld image of the embedded case."""
    return load(example / "truth.nc")["soil_moisture"]


@pytest.fixture(scope="session")
def slurm() -> Iterator[Cluster]:
    """A SLURM of this machine alone."""
    with cluster() as running:
        yield running
