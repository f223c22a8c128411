from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from imgda_mpi.faults import ConfigError
from imgda_mpi.settings.comparison import Comparison
from imgda_mpi.settings.document import documented
from imgda_mpi.settings.file import check_table

FIELD = {"kind": "cf", "file": "a.nc", "variable": "sm"}
TABLE = {
    "methods": ["none"],
    "time": datetime(2022, 6, 2, tzinfo=UTC),
    "noise": 0.1,
    "background": FIELD,
    "truth": FIELD,
    "output": {"directory": "x"},
}


def test_settings_of_before_are_those_of_today(caplog: pytest.LogCaptureFixture) -> None:
    old = {
        "methods": ["paper", "pointwise", "ensemble/full", "hybrid/diagonal", "letkf", "innovation/full"],
        "time": datetime(2022, 6, 2, tzinfo=UTC),
        "noise": 0.1,
        "members": {"file": "a.nc", "variable": "sm", "localisation": 1500.0, "innovation_weight": 0.2},
        "errors": {"background": 0.08, "n_members": 7},
        "output": {"directory": "x"},
    }
    methods = [
        {"kind": "paper", "background_error": 0.08, "n_members": 7},
        {"kind": "pointwise", "background_error": 0.08},
        {"kind": "ensemble", "solver": "full", "localisation": 1500.0},
        {"kind": "hybrid", "localisation": 1500.0, "innovation_weight": 0.2},
        "letkf",
        "innovation/full",
    ]
    new = old | {"methods": methods, "members": {"file": "a.nc", "variable": "sm"}, "errors": {}}
    settings = check_table(old, Path("c.toml"), Comparison)
    assert settings == check_table(new, Path("c.toml"), Comparison)
    assert settings.labels == old["methods"]
    # The lengths that the LETKF is tried with are its own.
    assert settings.methods[4].model_fields_set == {"kind"}
    assert len(caplog.records) == 1
    with pytest.raises(ConfigError, match=r"\[errors\] unknown key 'background'; it is 'background_error'"):
        check_table(old | {"methods": [{"kind": "paper"}]}, Path("c.toml"), Comparison)


def test_the_same_method_twice_is_refused_and_two_settings_of_it_are_not() -> None:
    files = [{"kind": "pointwise", "background_error": {"file": name, "variable": "sb"}} for name in ("b.nc", "c.nc")]
    labels = check_table(TABLE | {"methods": files}, Path("c.toml"), Comparison).labels
    assert labels == ["pointwise(background_error=b.nc:sb)", "pointwise(background_error=c.nc:sb)"]
    with pytest.raises(ConfigError, match="methods: each may be given once"):
        same = ["pointwise", {"kind": "pointwise", "background_error": 0.15}]
        check_table(TABLE | {"methods": same}, Path("c.toml"), Comparison)


def test_every_key_is_documented() -> None:
    text = documented(Comparison)
    for name in (*Comparison.model_fields, "letkf_lengths", "slope", "estimate_observation"):
        assert name in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"truth": None},
            r"needs \[background\] and \[truth\], or \[background\], \[observation\] and \[judge\], or \[members\]",
        ),
        ({"methods": ["letkf"]}, r"methods letkf need \[members\]"),
        ({"methods": ["magic"]}, "magic"),
        ({"methods": []}, "methods"),
        ({"noise": 0.0}, "noise"),
        ({"methods": ["paper", "paper"]}, "each may be given once"),
        ({"coverage": {"kind": "swaths", "width": 30}}, "width = 30: at most the period, 22"),
        ({"methods": "paper"}, r"needs a list, as \[...\]"),
        ({"seed": 3}, "unknown key 'seed'; did you mean 'seeds'"),
    ],
)
def test_settings_that_make_no_comparison_are_refused(change: dict, said: str) -> None:
    given = {name: value for name, value in (TABLE | change).items() if value is not None}
    with pytest.raises(ConfigError, match=said):
        check_table(given, Path("c.toml"), Comparison)


def test_a_key_without_effect_is_refused() -> None:
    table = TABLE | {"truth": FIELD | {"allow_empty": True}}
    with pytest.raises(ConfigError, match=r"\[truth\] allow_empty has no effect in a comparison: remove it"):
        check_table(table, Path("a.toml"), Comparison)
