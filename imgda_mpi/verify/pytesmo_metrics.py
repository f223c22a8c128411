"""Scores and anomalies of the package ``pytesmo``, which is loaded where stations are verified."""

from __future__ import annotations

import sys

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import ConfigError, fault

WINDOW = 35
"""Days of the moving window that anomalies are departures from."""


def check_pytesmo() -> None:
    """See that the package is there.

    Raises
    ------
    ConfigError
        Where it is not.
    """
    try:
        import pytesmo.metrics
        import pytesmo.time_series.anomaly  # noqa: F401
    except ImportError as err:
        raise fault(
            "stations",
            found=f"no package to score them with ({err})",
            expected="the packages pytesmo and pandas",
            do=f"install them where imgda_mpi is: {sys.executable} -m pip install pytesmo pandas",
            kind=ConfigError,
        ) from err


def pair_scores(estimate: FloatArray, measured: FloatArray) -> tuple[float, float, float, float]:
    """R, ubRMSE, bias and RMSE of pairs, (n,) each, at least two; R is NaN where one of them never changes."""
    from pytesmo.metrics import bias, pearson_r, rmsd, ubrmsd

    never_changes = np.ptp(estimate) == 0 or np.ptp(measured) == 0
    r = np.nan if never_changes else pearson_r(estimate, measured)
    return float(r), float(ubrmsd(estimate, measured)), float(bias(estimate, measured)), float(rmsd(estimate, measured))


def departures(values: FloatArray, seconds: FloatArray) -> FloatArray:
    """Values minus their mean over a moving window of `WINDOW` days around each, (n_times,), NaN where missing.

    Parameters
    ----------
    values : (n_times,), NaN where missing
    seconds : since 1970, UTC, ascending, (n_times,)
    """
    import pandas as pd
    from pytesmo.time_series.anomaly import calc_anomaly

    index = pd.DatetimeIndex(np.round(seconds).astype("datetime64[s]").astype("datetime64[ns]"))
    return np.asarray(calc_anomaly(pd.Series(values, index=index), window_size=WINDOW), np.float64)
