from __future__ import annotations

import numpy as np
import pytest
from problems import SELF
from transforms import every_finest

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.wedge_powers import WedgePowers

SHAPE = (96, 144)


@every_finest
def test_powers_add_up_to_the_sum_of_squares(finest: str, rng: np.random.Generator) -> None:
    transform = CurveletTransform(SHAPE, finest=finest)
    image, other = rng.standard_normal((2, *SHAPE))
    powers = WedgePowers(transform, SELF)
    assert powers.of(image).sum() == pytest.approx(np.square(image).sum(), rel=1e-12)
    assert powers.of(image, other).sum() == pytest.approx((image * other).sum(), rel=1e-9)
    assert powers.norms.sum() == pytest.approx(1, rel=1e-12)
    white = np.mean([powers.of(rng.standard_normal(SHAPE)) for _ in range(40)], axis=0)
    np.testing.assert_allclose(white, powers.norms * image.size, rtol=0.15)


@every_finest
def test_filter_is_what_weighted_coefficients_do(finest: str, rng: np.random.Generator) -> None:
    transform = CurveletTransform(SHAPE, finest=finest)
    image = rng.standard_normal(SHAPE)
    factors = rng.uniform(0, 2, len(transform.layout.wedges))
    coefficients = transform.forward(image)
    for wedge, factor in zip(transform.layout.wedges, factors, strict=True):
        coefficients[wedge.start : wedge.stop] *= factor
    filtered = np.fft.irfft2(np.fft.rfft2(image) * transform.filter_of(factors), s=SHAPE)
    np.testing.assert_allclose(filtered, transform.inverse(coefficients), rtol=0, atol=1e-13)
