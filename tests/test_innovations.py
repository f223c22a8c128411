"""Statistics of innovations of analyses with known errors."""

from __future__ import annotations

import numpy as np
import pytest

from imgda_mpi.verify.innovations import (
    STATISTICS,
    SUMS,
    ErrorsUsed,
    Images,
    lag_of_means,
    region_sums,
    standard_errors,
    statistics,
)

SHAPE = (20, 30)
ALL = {"all": np.ones(SHAPE, bool), "west": np.arange(30) < np.full((20, 1), 10), "none": np.zeros(SHAPE, bool)}
S_B, S_O = 0.06, 0.03


def analyses(
    rng: np.random.Generator,
    n: int,
    *,
    used: tuple[float | np.ndarray, float] = (S_B, S_O),
    s_b: float | np.ndarray = S_B,
    bias: float = 0.0,
    carried: float = 0.0,
    members: bool = False,
) -> np.ndarray:
    """Sums of n analyses of white errors whose gain is that of the errors used, (n, n_sums, n_regions).

    ``carried`` is the correlation of background errors in time.
    """
    gain = np.square(used[0]) / (np.square(used[0]) + used[1] ** 2)
    found, before, background = [], None, s_b * rng.standard_normal(SHAPE)
    for _ in range(n):
        innovation = bias + S_O * rng.standard_normal(SHAPE) - background
        innovation[0, :5] = np.nan
        images = Images(innovation, gain * innovation, gain * innovation, np.full(SHAPE, S_B) if members else None)
        found.append(region_sums(images, ErrorsUsed(*used), ALL, before))
        before = innovation
        background = carried * background + np.sqrt(1 - carried**2) * s_b * rng.standard_normal(SHAPE)
    return np.array(found)


def assert_near(sums: np.ndarray, **expected: float) -> None:
    """Statistics of all cells are as expected, within three and a half of the standard errors that are stated."""
    values, errors = statistics(sums.sum(axis=0)), standard_errors(sums)
    for name, wanted in expected.items():
        assert errors[name][0] > 0, name
        assert values[name][0] == pytest.approx(wanted, abs=3.5 * errors[name][0]), name


def test_right_errors_are_found_right(rng: np.random.Generator) -> None:
    sums = analyses(rng, 40, members=True)
    assert_near(sums, chi2=1.0, background_error=S_B, observation_error=S_O, lag_correlation=0.0, mean_ob=0.0)
    total = np.hypot(S_B, S_O)
    assert_near(sums, sd_ob=total, sd_oa=S_O**2 / total, rms_oa_expected=S_O**2 / total, rms_ob_spread=total)
    values = statistics(sums.sum(axis=0))
    assert values["background_error_used"][0] == pytest.approx(S_B, rel=1e-12)
    assert values["observation_error_used"][0] == pytest.approx(S_O, rel=1e-12)
    assert values["oa_expected"][0] == pytest.approx(S_O**2 / total, rel=1e-12)
    assert values["ob_by_spread"][0] == pytest.approx(total, rel=1e-12)
    assert values["applied"][0] == pytest.approx(1.0, rel=1e-12)
    # 23,800 cells: the standard error is a small one, and about what counting them says.
    assert standard_errors(sums)["chi2"][0] == pytest.approx(np.sqrt(2 / (40 * 595)), rel=0.35)


def test_errors_taken_for_half_their_variance_give_twice_the_chi2(rng: np.random.Generator) -> None:
    sums = analyses(rng, 40, used=(S_B / np.sqrt(2), S_O / np.sqrt(2)))
    # One gain: the estimates share chi2 out as it does, here rightly.
    assert_near(sums, chi2=2.0, background_error=S_B, observation_error=S_O)


def test_one_gain_for_all_cells_cannot_tell_which_error_is_wrong(rng: np.random.Generator) -> None:
    values = statistics(analyses(rng, 20, used=(S_B, 2 * S_O)).sum(axis=0))
    for name in ("background_error", "observation_error"):
        assert values[name][0] / values[f"{name}_used"][0] == pytest.approx(np.sqrt(values["chi2"][0]), rel=5e-3)


def test_fields_of_errors_are_used_cell_by_cell(rng: np.random.Generator) -> None:
    s_b = np.where(np.arange(30) < 15, 0.02, 0.08) * np.ones(SHAPE)
    assert_near(analyses(rng, 40, used=(s_b, S_O), s_b=s_b), chi2=1.0, observation_error=S_O)


def test_a_bias_is_reported_and_not_an_error(rng: np.random.Generator) -> None:
    sums = analyses(rng, 40, bias=0.05)
    assert_near(sums, mean_ob=0.05, sd_ob=np.hypot(S_B, S_O), background_error=S_B, observation_error=S_O)
    assert_near(sums, chi2=1.0 + 0.05**2 / (S_B**2 + S_O**2))


def test_errors_that_live_on_correlate_from_one_analysis_to_the_next(rng: np.random.Generator) -> None:
    sums = analyses(rng, 60, carried=0.7)
    wanted = 0.7 * S_B**2 / (S_B**2 + S_O**2)
    assert statistics(sums.sum(axis=0))["lag_correlation"][0] == pytest.approx(wanted, abs=0.03)


def test_regions_have_their_own_cells(rng: np.random.Generator) -> None:
    sums = analyses(rng, 3).sum(axis=0)
    assert sums[SUMS.index("cells")].tolist() == [3 * 595, 3 * 195, 0]
    assert sums[SUMS.index("pairs")].tolist() == [2 * 595, 2 * 195, 0]
    values = statistics(sums)
    assert set(values) == set(STATISTICS)
    assert all(np.isnan(of_none[2]) for of_none in values.values())


def test_what_is_not_known_is_nan(rng: np.random.Generator) -> None:
    innovation = rng.standard_normal(SHAPE)
    sums = region_sums(Images(innovation, 0.5 * innovation, 0.5 * innovation), ErrorsUsed(), ALL)
    values, errors = statistics(sums), standard_errors(sums[None])
    for name in ("chi2", "background_error_used", "lag_correlation", "spread", "oa_expected"):
        assert np.isnan(values[name]).all()
    assert np.isfinite(values["background_error"][0])
    assert all(np.isnan(error).all() for error in errors.values())


def test_a_product_below_zero_is_no_error(rng: np.random.Generator) -> None:
    innovation = rng.standard_normal(SHAPE)
    values = statistics(region_sums(Images(innovation, -innovation, innovation), ErrorsUsed(), ALL))
    assert np.isnan(values["background_error"][0])
    assert values["observation_error"][0] > 0


def test_increments_that_bounds_withhold_are_told(rng: np.random.Generator) -> None:
    innovation = rng.standard_normal(SHAPE)
    values = statistics(region_sums(Images(innovation, 0.3 * innovation, 0.5 * innovation), ErrorsUsed(), ALL))
    assert values["applied"][0] == pytest.approx(0.6, rel=1e-12)


def test_means_correlate_over_pairs_that_follow_closely() -> None:
    means = np.array([[1.0], [2.0], [9.0], [3.0], [4.0], [np.nan], [5.0]])
    follows = np.array([False, True, False, True, True, True, True])
    x, y = [1.0, 9.0, 3.0], [2.0, 3.0, 4.0]
    assert lag_of_means(means, follows)[0] == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-12)
    assert np.isnan(lag_of_means(means[:2], follows[:2])[0])
