"""How well one image agrees with another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray

MIN_CELLS = 3  # two points always lie on a line


@dataclass(frozen=True)
class Scores:
    """Agreement of an estimate with a reference; NaN where there are too few cells.

    Parameters
    ----------
    n_cells : number of cells compared
    scc : spatial correlation coefficient, NaN also where either image is constant
    ubrmse : root mean square error without the bias, m3 m-3
    bias : mean of estimate minus reference, m3 m-3
    """

    n_cells: int
    scc: float
    ubrmse: float
    bias: float


def scores(estimate: FloatArray, reference: FloatArray, where: BoolArray | None = None) -> Scores:
    """Scores of an image over the cells where both images are finite.

    Parameters
    ----------
    estimate, reference : (ny, nx) array
        Soil moisture in m3 m-3, NaN where missing.
    where : (ny, nx) array of bool or None
        Cells to be compared; None takes all.

    Raises
    ------
    ValueError
        Where the shapes differ.

    Notes
    -----
    With e the estimate, r the reference and <> the mean over the cells, each cell with the same weight:

    - bias = <e - r>
    - ubRMSE = sqrt(<((e - <e>) - (r - <r>))^2>) = sqrt(RMSE^2 - bias^2), Entekhabi et al. (2010), J. Hydrometeorol. 11
    - SCC = <(e - <e>)(r - <r>)> / sqrt(<(e - <e>)^2> <(r - <r>)^2>), Pearson's correlation

    >>> scores(np.array([0.125, 0.25, 0.375, np.nan]), np.array([0.25, 0.375, 0.5, 0.5]))
    Scores(n_cells=3, scc=1.0, ubrmse=0.0, bias=-0.125)
    """
    if estimate.shape != reference.shape or (where is not None and where.shape != estimate.shape):
        shapes = estimate.shape, reference.shape, None if where is None else where.shape
        raise ValueError(f"estimate, reference and where must have one shape, found {shapes}")
    compared = np.isfinite(estimate) & np.isfinite(reference)
    if where is not None:
        compared &= where
    e, r = estimate[compared], reference[compared]
    if e.size < MIN_CELLS:
        return Scores(e.size, np.nan, np.nan, np.nan)
    bias = np.mean(e - r)
    ubrmse = np.sqrt(np.mean((e - r - bias) ** 2))
    return Scores(e.size, _correlation(e, r), float(ubrmse), float(bias))


def _correlation(e: FloatArray, r: FloatArray) -> float:
    # Rounding gives the anomalies of a constant image a correlation of their own.
    if np.ptp(e) == 0 or np.ptp(r) == 0:
        return float("nan")
    e, r = e - e.mean(), r - r.mean()
    return float(np.clip(np.mean(e * r) / np.sqrt(np.mean(e**2) * np.mean(r**2)), -1.0, 1.0))


def before_and_after(background: FloatArray, analysis: FloatArray, reference: FloatArray) -> tuple[Scores, Scores]:
    """`scores` of background and analysis against a reference, over the same cells: those where all are finite."""
    where = np.isfinite(background) & np.isfinite(analysis)
    return scores(background, reference, where), scores(analysis, reference, where)


def score_line(before: Scores, after: Scores) -> str:
    """Scores before -> after in one line."""
    return (
        f"SCC {change(before.scc, after.scc, '.3f')}, ubRMSE {change(before.ubrmse, after.ubrmse, '.4f')} m3 m-3, "
        f"bias {change(before.bias, after.bias, '+.4f')} m3 m-3 over {before.n_cells} cells of equal weight"
    )


def change(before: float, after: float, form: str, arrow: str = "->") -> str:
    """A score before and after.

    >>> change(0.4, float("nan"), ".2f")
    '0.40 -> -'
    """
    first, second = ("-" if np.isnan(score) else format(score, form) for score in (before, after))
    return f"{first} {arrow} {second}"
