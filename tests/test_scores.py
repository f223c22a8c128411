from __future__ import annotations

import numpy as np
import pytest

from imgda_mpi.verify.scores import scores


def test_scores_of_four_cells_by_hand() -> None:
    estimate = np.array([[0.1, 0.2], [0.3, 0.4]])
    reference = np.array([[0.2, 0.2], [0.2, 0.4]])
    result = scores(estimate, reference)
    # Differences -0.1, 0, 0.1, 0: no bias. Anomalies -.15 -.05 .05 .15 and -.05 -.05 -.05 .15.
    assert result.n_cells == 4
    assert result.bias == pytest.approx(0.0, abs=1e-16)
    assert result.ubrmse == pytest.approx(np.sqrt(0.02 / 4), rel=1e-14)
    assert result.scc == pytest.approx(0.03 / np.sqrt(0.05 * 0.03), rel=1e-14)


def test_scores_agree_with_numpy_and_the_identity_of_entekhabi(rng: np.random.Generator) -> None:
    estimate, reference = rng.uniform(0.0, 0.5, (2, 40, 60))
    result = scores(estimate, reference)
    mean_square = np.mean((estimate - reference) ** 2)
    assert result.scc == pytest.approx(np.corrcoef(estimate.ravel(), reference.ravel())[0, 1], abs=1e-14)
    assert result.ubrmse**2 + result.bias**2 == pytest.approx(mean_square, rel=1e-13)
    assert result.ubrmse == pytest.approx(np.std(estimate - reference), rel=1e-13)


def test_a_shift_is_all_bias_and_a_factor_is_none_of_the_correlation(rng: np.random.Generator) -> None:
    reference = rng.uniform(0.1, 0.4, (20, 30))
    shifted = scores(reference + 0.05, reference)
    assert shifted.bias == pytest.approx(0.05, rel=1e-13)
    assert shifted.ubrmse == pytest.approx(0.0, abs=1e-16)
    assert scores(-2.0 * reference, reference).scc == pytest.approx(-1.0, abs=1e-14)


def test_only_cells_that_are_finite_in_both_and_asked_for_are_compared(rng: np.random.Generator) -> None:
    estimate, reference = rng.uniform(0.0, 0.5, (2, 10, 10))
    where = rng.uniform(size=(10, 10)) < 0.7
    kept = where.copy()
    estimate[2, :4], reference[5, 5:] = np.nan, np.inf
    kept[2, :4] = kept[5, 5:] = False
    result = scores(estimate, reference, where)
    assert result == scores(estimate[kept], reference[kept])
    assert result.n_cells == kept.sum()


@pytest.mark.parametrize("n_cells", [0, 1, 2])
def test_too_few_cells_have_no_score(n_cells: int) -> None:
    estimate = np.full(5, np.nan)
    estimate[:n_cells] = np.arange(n_cells)
    result = scores(estimate, np.arange(5.0))
    assert result.n_cells == n_cells
    assert np.isnan([result.scc, result.ubrmse, result.bias]).all()


def test_a_constant_image_has_no_correlation_but_an_error() -> None:
    # 0.1 has no exact mean over seven cells: its rounded anomalies must not be correlated with anything.
    constant, reference = np.full(7, 0.1), np.linspace(0.1, 0.4, 7)
    for result in (scores(constant, reference), scores(reference, constant)):
        assert np.isnan(result.scc)
        assert result.ubrmse == pytest.approx(np.std(reference), rel=1e-13)
        assert abs(result.bias) == pytest.approx(0.15, rel=1e-13)


def test_images_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        scores(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="one shape"):
        scores(np.zeros((2, 3)), np.zeros((2, 3)), np.ones(3, dtype=bool))
