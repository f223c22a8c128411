"""Images by rows on ranks: every result has the bits of one rank."""

from __future__ import annotations

import numpy as np
import pytest
from mpi4py import MPI
from problems import COMMS, agree

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed import image_rows
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.planning.case import Case
from imgda_mpi.planning.full import FullCost

SHAPES = [(32, 40), (45, 62), (64, 33)]


@pytest.fixture(params=[100, 2**15], ids=["many blocks", "one block"])
def _block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_rows, "BLOCK", request.param)


@pytest.mark.usefixtures("_block")
@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_filter_multiplies_the_spectrum(comm: MPI.Intracomm, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    image, factors = rng.standard_normal(shape), rng.uniform(0, 2, (shape[0], shape[1] // 2 + 1))
    # The factors of a real symmetric filter: k and -k have the same.
    opposite = -np.arange(shape[0])
    for column in [0] if shape[1] % 2 else [0, shape[1] // 2]:
        factors[:, column] += factors[opposite, column]
    rows, alone = ImageRows(comm, shape), ImageRows(MPI.COMM_SELF, shape)
    filtered = rows.whole(rows.filter(image[rows.own], factors[:, rows.own_columns]))
    expected = np.fft.irfft2(np.fft.rfft2(image) * factors, s=shape)
    assert agree(comm, np.abs(filtered - expected).max() < 1e-13)
    assert agree(comm, np.array_equal(filtered, alone.filter(image, factors)))


@pytest.mark.usefixtures("_block")
@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_inner_products_and_sums_have_the_bits_of_one_rank(comm: MPI.Intracomm, shape: tuple[int, int]) -> None:
    images = np.random.default_rng(2).standard_normal((7, *shape))
    rows, alone = ImageRows(comm, shape), ImageRows(MPI.COMM_SELF, shape)
    inner = rows.inner(images[0][rows.own], images[1][rows.own])
    assert agree(comm, inner == alone.inner(images[0], images[1]))
    assert agree(comm, abs(inner - (images[0] * images[1]).sum()) < 1e-10)
    mine = {number: images[number] for number in range(comm.rank, 7, comm.size)}
    total = rows.whole(rows.sum(mine, 7))
    expected = np.zeros(shape)
    for image in images:
        expected += image
    assert agree(comm, np.array_equal(total, expected))


@pytest.mark.usefixtures("_block")
@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_sent_is_what_a_plan_says(comm: MPI.Intracomm, shape: tuple[int, int]) -> None:
    case = Case(CurveletTransform(shape).layout, 8, 7, shape[0] * shape[1], 1000, 0)
    cost, rows = FullCost(case, comm.size), ImageRows(comm, shape)
    image = np.zeros(shape)[rows.own]
    factors = np.ones((shape[0], shape[1] // 2 + 1))[:, rows.own_columns]
    steps = (
        (lambda: rows.filter(image, factors), cost.turns(16, there_and_back=True)),
        (lambda: rows.filter(image.astype(np.float32), factors), cost.turns(8, there_and_back=True)),
        (lambda: rows.energy(image, factors), cost.turns(16, there_and_back=False)),
        (lambda: rows.whole(image), cost.together(cost.rows * shape[1])),
    )
    for step, (messages, n_bytes) in steps:
        before = (rows.sent.messages, rows.sent.n_bytes)
        step()
        found = (rows.sent.messages - before[0], rows.sent.n_bytes - before[1])
        assert agree(comm, found == (messages[comm.rank], n_bytes[comm.rank]))
