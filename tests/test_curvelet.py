from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from transforms import every_kind, every_shape, inner

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.curvelet.windows import window

REFERENCES = [
    f"cpp_{shape}_{image}_{finest}.npz"
    for shape, image, finest in product(("64x64", "96x144"), ("white", "soil"), ("wavelets", "curvelets"))
]


def plane_wave(shape: tuple[int, int], k1: int, k2: int) -> np.ndarray:
    n1, n2 = np.indices(shape)
    return np.cos(2 * np.pi * (k1 * n1 / shape[0] + k2 * n2 / shape[1]))


@pytest.mark.parametrize("name", REFERENCES)
def test_coefficients_are_those_of_the_published_code(shared: Path, name: str) -> None:
    reference = np.load(shared / "curvelet" / name)
    image = reference["x"]
    finest = name.removesuffix(".npz").split("_")[-1]
    transform = CurveletTransform(image.shape, finest=finest, sampling="reference")
    coefficients = transform.forward(image)
    stored = {key: reference[key] for key in reference.files if key.startswith("c") and not key.startswith("center")}
    assert len(stored) == len(transform.layout.wedges)
    for wedge in transform.layout.wedges:
        ours = transform.wedge(coefficients, wedge.scale, wedge.number)
        theirs = stored[f"c{wedge.scale}_{wedge.number}"]
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    for scale, energy in enumerate(reference["energy_per_scale"], start=1):
        only = np.zeros_like(coefficients)
        only[transform.layout.scale(scale)] = coefficients[transform.layout.scale(scale)]
        assert inner(transform.layout, only, only) == pytest.approx(energy, rel=1e-12)


@every_shape
@every_kind
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_energy_is_kept_and_the_inverse_gives_the_image_again(
    shape: tuple[int, int], finest: str, sampling: str, dtype: type, tolerance: float, rng: np.random.Generator
) -> None:
    transform = CurveletTransform(shape, finest=finest, sampling=sampling, dtype=dtype)
    image = rng.standard_normal(shape).astype(dtype)
    coefficients = transform.forward(image)
    assert coefficients.dtype == dtype
    energy = np.square(image, dtype=np.float64).sum()
    wide = coefficients.astype(np.float64)
    assert inner(transform.layout, wide, wide) == pytest.approx(energy, rel=tolerance)
    again = transform.inverse(coefficients)
    assert again.dtype == dtype
    np.testing.assert_allclose(again, image, rtol=0, atol=tolerance)


@pytest.mark.parametrize("shape", [(256, 512), (360, 361), (361, 720)])
@pytest.mark.parametrize("finest", ["wavelets", "curvelets"])
def test_large_images_come_back(shape: tuple[int, int], finest: str, rng: np.random.Generator) -> None:
    transform = CurveletTransform(shape, finest=finest)
    image = rng.standard_normal(shape)
    coefficients = transform.forward(image)
    assert inner(transform.layout, coefficients, coefficients) == pytest.approx(np.square(image).sum(), rel=1e-12)
    np.testing.assert_allclose(transform.inverse(coefficients), image, rtol=0, atol=1e-12)


def test_coefficients_of_another_type_are_converted() -> None:
    transform = CurveletTransform((64, 96))
    values = np.arange(transform.layout.n_values) % 7
    expected = transform.inverse(values.astype(float))
    for dtype in (np.int64, ">f8", np.float32):
        np.testing.assert_array_equal(transform.inverse(values.astype(dtype)), expected)


@pytest.mark.parametrize("shape", [(33, 47), (64, 96)])
def test_results_go_into_the_array_that_is_given(shape: tuple[int, int], rng: np.random.Generator) -> None:
    transform = CurveletTransform(shape)
    n_values = transform.layout.n_values
    images = rng.standard_normal((3, *shape))
    values, back = np.full((3, n_values), np.nan), np.full((3, *shape), np.nan)
    assert transform.forward(images, out=values) is values
    np.testing.assert_array_equal(values, transform.forward(images))
    assert transform.inverse(values, out=back) is back
    np.testing.assert_array_equal(back, transform.inverse(values))
    for wrong in (
        np.empty((3, n_values + 1)),
        np.empty((3, n_values), np.float32),
        np.empty((3, 2 * n_values))[:, ::2],
    ):
        with pytest.raises(ValueError, match="out: float"):
            transform.forward(images, out=wrong)


@every_shape
@every_kind
def test_inverse_is_the_adjoint(shape: tuple[int, int], finest: str, sampling: str, rng: np.random.Generator) -> None:
    transform = CurveletTransform(shape, finest=finest, sampling=sampling)
    image = rng.standard_normal(shape)
    # Any coefficients, most of them not the transform of an image.
    values = rng.standard_normal(transform.layout.n_values)
    left = inner(transform.layout, transform.forward(image), values)
    right = (image * transform.inverse(values)).sum()
    scale = np.linalg.norm(image) * math.sqrt(inner(transform.layout, values, values))
    assert abs(left - right) < 1e-14 * scale


@pytest.mark.parametrize("n_angles", [8, 12, 16, 24])
@pytest.mark.parametrize("n_scales", [2, 3, 4])
@every_kind
def test_other_numbers_of_scales_and_angles_are_tight_frames(
    n_angles: int, n_scales: int, finest: str, sampling: str, rng: np.random.Generator
) -> None:
    transform = CurveletTransform((64, 90), n_scales, n_angles, finest, sampling)
    image = rng.standard_normal((64, 90))
    coefficients = transform.forward(image)
    assert inner(transform.layout, coefficients, coefficients) == pytest.approx(np.square(image).sum(), rel=1e-12)
    np.testing.assert_allclose(transform.inverse(coefficients), image, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_kind
def test_an_image_has_the_same_bits_alone_and_in_a_stack(
    finest: str, sampling: str, dtype: type, rng: np.random.Generator
) -> None:
    shape = (48, 65)
    transform = CurveletTransform(shape, finest=finest, sampling=sampling, dtype=dtype)
    other = CurveletTransform(shape, finest=finest, sampling=sampling, dtype=dtype)
    images = rng.standard_normal((2, 3, *shape)).astype(dtype)
    stack = transform.forward(images)
    assert stack.shape == (2, 3, transform.layout.n_values)
    back = transform.inverse(stack)
    for place in np.ndindex(2, 3):
        alone = other.forward(images[place])
        np.testing.assert_array_equal(alone, stack[place])
        np.testing.assert_array_equal(other.inverse(alone), back[place])
    assert transform.forward(images[:, :0]).shape == (2, 0, transform.layout.n_values)
    assert transform.inverse(stack[:, :0]).shape == (2, 0, *shape)


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (96, 144)])
@pytest.mark.parametrize("finest", ["wavelets", "curvelets"])
def test_squared_windows_add_up_to_one_over_the_periodic_plane(shape: tuple[int, int], finest: str) -> None:
    transform = CurveletTransform(shape, finest=finest)
    total = np.zeros(shape)
    for wedge in transform.layout.wedges:
        part = window(transform.geometry, wedge.scale, wedge.number)
        for sign in (1,) if wedge.is_real else (1, -1):
            place = np.ix_(sign * part.rows % shape[0], sign * part.columns % shape[1])
            np.add.at(total, place, part.weight**2)
    np.testing.assert_allclose(total, 1, rtol=0, atol=1e-14)


@pytest.mark.parametrize("wave", [(-8, 9), (3, 14), (-12, -5), (10, 1), (0, 13), (17, 0), (-20, 23), (24, -31)])
@every_kind
def test_plane_wave_has_the_coefficients_of_the_formula(wave: tuple[int, int], finest: str, sampling: str) -> None:
    shape = (64, 96)
    transform = CurveletTransform(shape, finest=finest, sampling=sampling)
    coefficients = transform.forward(plane_wave(shape, *wave))
    n_excited = 0
    for wedge in transform.layout.wedges:
        part = window(transform.geometry, wedge.scale, wedge.number)
        n1, n2 = wedge.shape
        m1, m2 = np.indices(wedge.shape)
        # The cosine has X(k) = sqrt(N1 N2)/2 at +-k, and so at all aliases of them that the window reaches.
        expected = np.zeros(wedge.shape, dtype=complex)
        for i, j in zip(*np.nonzero(part.weight), strict=True):
            k1, k2 = part.rows[i], part.columns[j]
            if any((k1 - s * wave[0]) % shape[0] == 0 and (k2 - s * wave[1]) % shape[1] == 0 for s in (1, -1)):
                phase = np.exp(2j * np.pi * (k1 * m1 / n1 + k2 * m2 / n2))
                expected += part.weight[i, j] * math.sqrt(math.prod(shape) / (n1 * n2)) / 2 * phase
        n_excited += bool(expected.any())
        given = transform.wedge(coefficients, wedge.scale, wedge.number)
        np.testing.assert_allclose(given, expected, rtol=0, atol=1e-12)
    # Two scales, and two directions of each, share a frequency; finest curvelets do so again beyond Nyquist.
    assert 1 <= n_excited <= 8


@pytest.mark.parametrize("sampling", ["fast", "reference"])
@pytest.mark.parametrize("name", [name for name in REFERENCES if "white" in name])
def test_wave_at_the_nominal_centre_is_strongest_in_its_wedge(shared: Path, name: str, sampling: str) -> None:
    reference = np.load(shared / "curvelet" / name)
    shape = reference["x"].shape
    finest = name.removesuffix(".npz").split("_")[-1]
    transform = CurveletTransform(shape, finest=finest, sampling=sampling)
    for scale in range(2, transform.geometry.n_scales + 1):
        if transform.geometry.is_real(scale):
            continue
        n_wedges = transform.geometry.n_wedges(scale)
        for number, centre in enumerate(reference[f"center{scale}"][:n_wedges], start=1):
            coefficients = transform.forward(plane_wave(shape, *np.rint(centre).astype(int)))
            energies = [
                np.square(np.abs(transform.wedge(coefficients, scale, other))).sum() for other in range(1, n_wedges + 1)
            ]
            assert np.argmax(energies) + 1 == number


def test_wave_along_the_columns_is_in_the_middle_of_the_second_half() -> None:
    # Crests along axis 0, k = (0, 20): between wedges 12 and 13 of 1..8 | 9..16, the two about the k2 axis.
    transform = CurveletTransform((128, 128))
    coefficients = transform.forward(plane_wave((128, 128), 0, 20))
    energies = [np.square(np.abs(transform.wedge(coefficients, 3, n))).sum() for n in range(1, 17)]
    assert set(np.flatnonzero(np.array(energies) > 1e-20) + 1) == {12, 13}
    assert energies[11] == pytest.approx(energies[12], rel=1e-12)


@pytest.mark.parametrize("finest", ["wavelets", "curvelets"])
def test_moving_the_image_by_half_its_size_moves_the_coefficients_by_half_of_theirs(
    finest: str, rng: np.random.Generator
) -> None:
    transform = CurveletTransform((64, 96), finest=finest)
    image = rng.standard_normal((64, 96))
    before, after = transform.forward(image), transform.forward(np.roll(image, (32, 48), axis=(0, 1)))
    for wedge in transform.layout.wedges:
        half = (wedge.shape[0] // 2, wedge.shape[1] // 2)
        moved = np.roll(transform.wedge(before, wedge.scale, wedge.number), half, axis=(0, 1))
        np.testing.assert_allclose(transform.wedge(after, wedge.scale, wedge.number), moved, rtol=0, atol=1e-13)


def test_coarsest_mode_is_the_image_through_the_squared_low_pass(rng: np.random.Generator) -> None:
    shape = (64, 90)
    transform = CurveletTransform(shape)
    image = rng.standard_normal(shape)
    low = window(transform.geometry, 1, 1)
    weight = np.zeros(shape)
    weight[np.ix_(low.rows % shape[0], low.columns % shape[1])] = low.weight**2
    smooth = np.fft.ifft2(np.fft.fft2(image) * weight).real
    np.testing.assert_allclose(transform.reconstruct(image, modes=1), smooth, rtol=0, atol=1e-13)
    np.testing.assert_allclose(transform.reconstruct(image, modes=3), image, rtol=0, atol=1e-13)
    assert np.abs(transform.reconstruct(image, modes=2) - image).max() > 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (31, 64)}, r"shape=\(31, 64\): needs two sizes of at least 32"),
        ({"shape": (64,)}, r"shape=\(64,\): needs two sizes"),
        ({"n_scales": 1}, "n_scales=1: needs at least 2"),
        ({"n_scales": 8}, "n_scales=8: needs at most 7"),
        ({"n_angles": 18}, "n_angles=18: needs a multiple of 4, at least 8"),
        ({"n_angles": 4}, "n_angles=4: needs a multiple of 4, at least 8"),
        ({"finest": "wavlets"}, "finest='wavlets': needs one of"),
        ({"sampling": "slow"}, "sampling='slow': needs one of"),
        ({"dtype": np.complex128}, "dtype=complex128: needs float64 or float32"),
    ],
)
def test_wrong_argument_is_refused_with_what_was_given_and_needed(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CurveletTransform(**({"shape": (64, 64)} | arguments))


def test_wrong_array_or_wedge_is_refused() -> None:
    transform = CurveletTransform((64, 90))
    n_values = transform.layout.n_values
    with pytest.raises(ValueError, match=r"float64 array of shape \(90, 64\): need real numbers \(..., 64, 90\)"):
        transform.forward(np.zeros((90, 64)))
    with pytest.raises(ValueError, match="complex128 array"):
        transform.forward(np.zeros((64, 90), dtype=complex))
    with pytest.raises(ValueError, match=rf"\(7,\): need real numbers \(..., {n_values}\)"):
        transform.inverse(np.zeros(7))
    with pytest.raises(ValueError, match="scale=2, wedge=9"):
        transform.wedge(np.zeros(n_values), 2, 9)
    with pytest.raises(ValueError, match="scale=4: this layout has"):
        transform.layout.scale(4)
    with pytest.raises(ValueError, match="modes=0: needs 1 to 3"):
        transform.reconstruct(np.zeros((64, 90)), modes=0)


@pytest.mark.parametrize(
    ("n_scales", "n_angles", "said"),
    [
        (64, 16, "n_scales=64: needs at most 9"),
        (10**18, 16, "n_scales=1000000000000000000: needs at most 9"),
        (5, 4 * 10**18, "n_angles=4000000000000000000: needs at most 3640 with n_scales=5"),
    ],
)
def test_scales_and_angles_beyond_the_image_are_refused_before_any_is_made(
    n_scales: int, n_angles: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        CurveletTransform((128, 256), n_scales, n_angles)
