"""FFT plans: the same values in blocks or at once, the same bits from the same plans."""

from __future__ import annotations

import numpy as np
import pyfftw
import pytest
from transforms import every_kind, every_shape

from imgda_mpi import fourier
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.fourier import NO_WISDOM, BoxFourier, Planner, empty, padded_boxes, padded_size


@pytest.mark.parametrize("block", [300, 512, 1500])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_shape
def test_large_images_in_blocks_have_the_coefficients_of_small_ones(
    shape: tuple[int, int], dtype: type, block: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = CurveletTransform(shape, dtype=dtype)
    monkeypatch.setattr(fourier, "BLOCK", block)
    in_blocks = CurveletTransform(shape, dtype=dtype)
    image = rng.standard_normal(shape).astype(dtype)
    expected = whole.forward(image)
    tolerance = 1e-13 if dtype is np.float64 else 1e-5
    np.testing.assert_allclose(in_blocks.forward(image), expected, rtol=0, atol=tolerance)
    np.testing.assert_allclose(in_blocks.inverse(expected), image, rtol=0, atol=tolerance)


@pytest.mark.parametrize("wisdom", [None, NO_WISDOM])
@pytest.mark.parametrize("block", [512, 2**16])
def test_what_is_given_keeps_its_values(
    wisdom: object, block: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fourier, "BLOCK", block)
    transform = CurveletTransform((64, 96), wisdom=wisdom)
    image = rng.standard_normal((64, 96))
    given = image.copy()
    coefficients = transform.forward(image)
    np.testing.assert_array_equal(image, given)
    kept = coefficients.copy()
    transform.inverse(coefficients)
    np.testing.assert_array_equal(coefficients, kept)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_kind
def test_measured_plans_that_are_given_again_keep_every_bit(
    finest: str, sampling: str, dtype: type, rng: np.random.Generator
) -> None:
    shape = (48, 66)
    measured = CurveletTransform(shape, finest=finest, sampling=sampling, dtype=dtype, wisdom=NO_WISDOM)
    assert measured.wisdom is not None
    first, second = (
        CurveletTransform(shape, finest=finest, sampling=sampling, dtype=dtype, wisdom=measured.wisdom)
        for _ in range(2)
    )
    image = rng.standard_normal(shape).astype(dtype)
    coefficients = first.forward(image)
    np.testing.assert_array_equal(second.forward(image), coefficients)
    np.testing.assert_array_equal(second.inverse(coefficients), first.inverse(coefficients))
    estimated = CurveletTransform(shape, finest=finest, sampling=sampling, dtype=dtype)
    assert estimated.wisdom is None
    tolerance = 1e-13 if dtype is np.float64 else 1e-5
    np.testing.assert_allclose(estimated.forward(image), coefficients, rtol=0, atol=tolerance)


def test_a_caller_keeps_what_fftw_knows_for_it() -> None:
    pyfftw.forget_wisdom()
    pyfftw.builders.fft(np.zeros(105), planner_effort="FFTW_MEASURE")
    own = pyfftw.export_wisdom()
    CurveletTransform((32, 48), wisdom=NO_WISDOM)
    CurveletTransform((32, 48))
    assert pyfftw.export_wisdom() == own
    pyfftw.forget_wisdom()


@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
@pytest.mark.parametrize("shape", [(3, 16, 28), (2, 8, 64), (1, 9, 15), (2, 5, 12)])
def test_padded_boxes_hold_the_spectra_of_boxes(
    shape: tuple[int, int, int], dtype: type, rng: np.random.Generator
) -> None:
    before = 8  # numbers of other boxes
    padded, *work = empty((3, before + padded_size(shape)), dtype)
    with Planner(None) as planner:
        fourier = BoxFourier(shape, padded[before:], work, planner)
    boxes = empty(shape, dtype)
    boxes[...] = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    given = boxes.copy()
    padded[:] = 7
    fourier.to_padded(boxes.reshape(-1))
    np.testing.assert_array_equal(boxes, given)
    spectra = padded[before:].reshape(padded_boxes(shape))
    tolerance = 1e-12 if dtype is np.complex128 else 1e-4
    np.testing.assert_allclose(spectra[..., : shape[2]], np.fft.fft2(given), rtol=0, atol=tolerance)
    assert np.all(padded[:before] == 7)
    back = empty(shape, dtype)
    fourier.from_padded(back.reshape(-1))
    np.testing.assert_allclose(back, given * (shape[1] * shape[2]), rtol=0, atol=100 * tolerance)
    assert np.all(padded[:before] == 7)
