"""What innovations mean, in sentences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from imgda_mpi.report.innovations_table import WIDTH, innovations_summary, innovations_table
from imgda_mpi.report.innovations_words import sentences
from imgda_mpi.verify.innovation_scales import STATISTICS as OF_SCALES
from imgda_mpi.verify.innovations import STATISTICS, RunInnovations

CONSISTENT = {
    "mean_ob": 0.001,
    "sd_ob": 0.067,
    "mean_oa": 0.0,
    "sd_oa": 0.013,
    "chi2": 1.02,
    "background_error_used": 0.060,
    "background_error": 0.061,
    "observation_error_used": 0.030,
    "observation_error": 0.029,
    "lag_correlation": 0.03,
    "oa_expected": 0.0134,
    "rms_oa_expected": 0.0131,
    "applied": 1.0,
}


def innovations(
    n: int = 40, *, gain: str = "", error: float = 0.01, hours: float = 6.0, own_chi2: float = np.nan, **changed: float
) -> RunInnovations:
    """A run of two regions that is consistent but for what is changed; ``error`` is the relative standard error."""
    numbers = dict.fromkeys(STATISTICS, np.nan) | CONSISTENT | changed
    assert set(numbers) == set(STATISTICS)
    of_period: dict[str, Any] = {name: np.array([[value, value]]) for name, value in numbers.items()}
    scales = {name: np.array([[0.03, 0.04]]) for name in OF_SCALES} | {"scale_chi2": np.array([[0.9, 1.3]])}
    return RunInnovations(
        name="mine",
        method="innovation/full",
        times=3600.0 * hours * np.arange(n),
        regions=("all land", "box"),
        periods=("all times",),
        n_cells=np.full((n, 2), 100.0),
        series={name: np.full((n, 2), value) for name, value in numbers.items()},
        n_analyses=np.full((1, 2), float(n)),
        n_values=np.full((1, 2), 100.0 * n),
        n_pairs=np.full((1, 2), n - 1.0),
        values=of_period,
        errors={name: np.abs(error * value) for name, value in of_period.items()},
        lag_of_mean=np.full((1, 2), 0.1),
        own_chi2=np.array([own_chi2]),
        scales=scales,
        shortest_waves=np.array([3e6, 1.5e6]),
        hours=hours,
        n_passed=0,
        gain=gain,
    )


def said(run: RunInnovations) -> str:
    return " ".join(sentences(run, 0))


def test_where_all_is_consistent_it_is_said() -> None:
    text = said(innovations())
    assert "as large as the errors used say (chi2 1.02 +- 0.01)." in text
    assert "s_b 0.061 against 0.060 used; s_o 0.029 against 0.030 used: about as used." in text
    assert "O-B of consecutive analyses (6 h) hardly correlate (0.03)" in text
    assert "0.013 (root mean square)" in text
    assert "as expected" in text
    assert "no sign of corrections that are too small or too large" in text
    assert not any(word in text for word in ("is too", "bias", "rough", "scale", "sure"))


def test_what_is_fitted_to_innovations_proves_little() -> None:
    text = said(innovations(gain="fitted", own_chi2=0.99))
    assert "0.99 by the method, with all covariances" in text
    assert "taken from the innovations, so it says little" in text
    assert "Neither tells whose the coherent errors are" in text


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {"chi2": 2.0},
            "Innovations are 1.4 times what the errors used say (chi2 2.00 +- 0.02): s_b or s_o is too small.",
        ),
        (
            {"chi2": 0.25},
            "Innovations are 0.5 times what the errors used say (chi2 0.25 +- 0.00): s_b or s_o is too large.",
        ),
        ({"observation_error": 0.071}, "s_o 0.071 against 0.030 used, which is too small."),
        ({"background_error": 0.03}, "s_b 0.030 against 0.060 used, which is too large"),
        ({"background_error": np.nan}, "no s_b, its square is below 0"),
        ({"chi2": np.nan}, "The errors used are not known"),
        ({"lag_correlation": 0.45}, "correlate by 0.45: corrections are smaller than they should be"),
        ({"lag_correlation": -0.3}, "correlate by -0.30: corrections are larger than they should be"),
        ({"mean_ob": -0.03}, "Observations are 0.030 m3 m-3 drier than the background"),
        ({"rms_oa_expected": 0.02}, "larger than expected"),
        ({"rms_oa_expected": 0.01}, "smaller than expected"),
        ({"applied": 0.7}, "let 70 % of the increment through"),
        (
            {"spread": 0.02, "ob_by_spread": 0.036, "rms_ob_spread": 0.067},
            "Members have a spread of 0.020, with s_o O-B should be 0.036 and is 0.067: it is too small, or s_o is.",
        ),
        ({"spread": 0.06, "ob_by_spread": 0.067, "rms_ob_spread": 0.067}, "is 0.067: it fits."),
    ],
)
def test_what_is_wrong_is_said(changed: dict[str, float], expected: str) -> None:
    assert expected in said(innovations(**changed))
    assert expected not in said(innovations())


def test_what_is_not_sure_is_said_to_be_so() -> None:
    assert "Whether innovations are as large as the errors used say is not sure (chi2 1.50 +- 0.45)" in said(
        innovations(chi2=1.5, error=0.3)
    )
    assert "correlate by 0.26 +- 0.08, which is not surely beyond 0.2" in said(
        innovations(lag_correlation=0.26, error=0.3)
    )


def test_one_gain_for_all_cells_cannot_tell_which_is_wrong() -> None:
    text = said(innovations(gain="one", chi2=2.0))
    assert "they cannot tell which of the two is wrong" in text
    assert "By Desroziers s_b" not in text


def test_methods_without_a_gain_say_nothing_of_errors() -> None:
    for gain, expected in (("none", "Nothing is corrected"), ("whole", "The observation replaces the background")):
        text = said(innovations(gain=gain, background_error=0.0, observation_error=0.0))
        assert expected in text
        assert "By Desroziers" not in text
        assert "O-A is 0.0" not in text


def test_too_few_analyses_are_said_to_be_few() -> None:
    one = innovations(1, hours=np.nan, lag_correlation=np.nan, error=np.nan)
    assert "It is one analysis: whether O-B are alike in time cannot be said." in said(one)
    assert "(chi2 1.02)" in said(one)
    assert "With 2 pairs" in said(innovations(3))
    assert "These are 5 analyses: the numbers are rough." in said(innovations(5))
    nothing = innovations(2)
    nothing.n_analyses[:] = 0
    assert sentences(nothing, 0) == []


def test_a_first_analysis_unlike_the_others_is_named() -> None:
    run = innovations()
    run.series["sd_ob"][0] = 0.2
    assert "O-B of the first analysis is 0.200 (root mean square), of the others 0.067" in said(run)


def test_scales_far_from_what_was_used_are_named_for_the_whole() -> None:
    run = innovations()
    run.scales["scale_chi2"][0] = 0.3, 1.1
    assert "By scale their power is 0.3 times at scale 1 (waves from 3000 km on) what the errors used say." in said(run)


def test_the_table_is_as_wide_as_a_page_and_has_every_region() -> None:
    wide = innovations(lag_correlation=-0.25, chi2=12.5, mean_ob=-0.0123)
    text = innovations_table([innovations(gain="fitted"), wide])
    lines = text.splitlines()
    assert max(map(len, lines)) <= WIDTH
    rows = [line.split() for line in lines if line.startswith(("all land", "box"))]
    assert len(rows) == 4
    assert rows[1][1:5] == ["40", "100", "+0.0010", "0.0670"]
    assert rows[1][-2:] == ["0.03", "(0.10)"]
    assert "mine: innovation/full, 40 analyses 6 h apart" in text
    assert "cannot tell everything" in text


def test_periods_with_as_many_analyses_are_all_shown() -> None:
    three = innovations()
    of_periods = {
        name: {of: np.repeat(values, 3, axis=0) for of, values in getattr(three, name).items()}
        for name in ("values", "errors", "scales")
    }
    counts = {name: np.repeat(getattr(three, name), 3, axis=0) for name in ("n_values", "n_pairs", "lag_of_mean")}
    n_analyses = np.array([[40.0, 40.0], [20.0, 20.0], [20.0, 20.0]])
    periods, own_chi2 = ("all times", "first", "second"), np.full(3, np.nan)
    run = replace(three, periods=periods, n_analyses=n_analyses, own_chi2=own_chi2, **of_periods, **counts)
    rows = [line.split()[0] for line in innovations_table([run]).splitlines() if " chi2  " in line and "O-B" in line]
    assert [row for row in rows if row != "scale"] == ["all", "first", "second"]
    whole = replace(run, n_analyses=np.array([[40.0, 40.0], [40.0, 40.0], [0.0, 0.0]]))
    assert "all times" not in innovations_table([whole])


def test_the_summary_has_what_it_means_for_each_run() -> None:
    nothing = innovations(0)
    nothing.n_analyses[:] = 0
    text = innovations_summary([innovations(chi2=2.0), nothing])
    assert "Innovations of mine: innovation/full, 40 analyses 6 h apart\nInnovations are 1.4 times" in text
    assert text.endswith("Innovations of mine: no analyses")
    assert len(text.splitlines()) < 10
