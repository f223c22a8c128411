"""Pedotransfer functions against numbers of another implementation, and within their range."""

from __future__ import annotations

import numpy as np

from imgda_mpi.twin.pedotransfer import hypres


def test_retention_is_that_of_another_implementation() -> None:
    """Examples of the R package euosi, function pFpara_ptf_Wosten1999."""
    clay, silt = np.array([25.0, 45.0]), np.array([15.0, 3.0])
    found = hypres(clay, silt, np.array(4.5), np.array(1.124447), np.array(True))
    np.testing.assert_allclose(found.porosity, [0.5098983, 0.5043651], rtol=1e-6)
    np.testing.assert_allclose(found.alpha, [0.005413231, 0.004231467], rtol=1e-5)  # mm-1
    np.testing.assert_allclose(found.n, [1.169909, 1.177021], rtol=1e-6)


def test_conductivity_is_the_sum_of_the_source_by_hand() -> None:
    """Clay 20, silt 30, organic matter 2 %, 1.5 g cm-3, subsoil: all terms with one digit more than the source has."""
    found = hypres(np.array(20.0), np.array(30.0), np.array(2.0), np.array(1.5), np.array(False)).conductivity
    terms = 7.755 + 1.056 - 2.17575 - 0.1936 - 0.2898 + 0.0000333 - 0.0374 - 2.1869699 - 0.4194 - 0.5019
    np.testing.assert_allclose(found, np.exp(terms) * 10.0 / 86400.0, rtol=1e-5)


def test_soils_that_occur_have_properties_that_columns_take() -> None:
    """From sand to clay, with and without organic matter, above and below."""
    rng = np.random.default_rng(0)
    clay, silt = 75.0 * rng.random(5000), 90.0 * rng.random(5000)
    is_soil = clay + silt < 98.0
    organic, density, topsoil = 8.0 * rng.random(5000), 0.9 + 0.8 * rng.random(5000), rng.random(5000) < 0.5
    found = hypres(*(values[is_soil] for values in (clay, silt, organic, density, topsoil)))
    limits = ((0.25, 0.75), (1e-6, 0.2), (1.01, 3.0), (1e-9, 1.0))
    for values, (low, high) in zip(found, limits, strict=True):
        assert low < values.min()
        assert values.max() < high
