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


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (
            {"kind": "inovation", "coherent_share": 0.5},
            '[methods] entry 2: kind = "inovation": expected "none", "insert"',
        ),
        ({"coherent_share": 0.5}, '[methods] entry 2: key \'kind\' is missing: known are "none", "insert"'),
        (
            {"kind": "innovation/full", "coherent_share": 1.5},
            "coherent_share = 1.5: expected 1 or less",
        ),
        ("innovation/ful", 'expected "diagonal" or "full"'),
    ],
)
def test_an_entry_that_is_no_method_is_said(method: object, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_table(TABLE | {"methods": ["none", method]}, Path("c.toml"), Comparison)
    assert said in str(caught.value)
    both = [{"kind": "innovation/full", "coherent_share": share} for share in (0.0, 0.5)]
    labels = check_table(TABLE | {"methods": both}, Path("c.toml"), Comparison).labels
    assert labels == ["innovation/full(coherent_share=0.0)", "innovation/full(coherent_share=0.5)"]


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
        ({"methods": "paper"}, r"expected a list of sections or names"),
        ({"seed": 3}, "unknown key 'seed'; did you mean 'seeds'"),
    ],
)
def test_settings_that_make_no_comparison_are_refused(change: dict, said: str) -> None:
    given = {name: value for name, value in (TABLE | change).items() if value is not None}
    with pytest.raises(ConfigError, match=said):
        check_table(given, Path("c.toml"), Comparison)


def test_a_key_without_effect_is_refused() -> None:
    table = TABLE | {"truth": FIELD | {"allow_empty": True}}
    with pytest.raises(ConfigError, match=r"\[truth\] allow_empty has no effect here: remove it"):
        check_table(table, Path("a.toml"), Comparison)


REAL = {name: value for name, value in TABLE.items() if name not in ("noise", "truth")} | {
    "observation": FIELD,
    "judge": {"kind": "table", "file": "s.csv"},
}
DAY = {"first": datetime(2020, 1, 1, tzinfo=UTC), "last": datetime(2020, 1, 4, tzinfo=UTC), "step": "1 day"}


def checked(table: dict, change: dict) -> Comparison:
    given = {name: value for name, value in (table | change).items() if value is not None}
    return check_table(given, Path("c.toml"), Comparison)


@pytest.mark.parametrize(
    ("table", "change", "said"),
    [
        (REAL, {"noise": 0.1}, r"noise has no effect with \[observation\]"),
        (REAL, {"seeds": 3}, "seeds has no effect"),
        (REAL, {"coverage": {}}, "coverage has no effect"),
        (REAL, {"judge": None}, r"needs \[background\] and \[truth\]"),
        (REAL, {"observation": FIELD | {"allow_empty": True}}, r"\[observation\] allow_empty has no effect"),
        (REAL, {"judge": {"kind": "table"}}, r"\[judge\] key 'file' is missing"),
        (TABLE, {"noise": None}, "key 'noise' is missing"),
        (TABLE, {"noise": {"white": 0.1}}, r"\[noise\] key 'red' is missing"),
        (TABLE, {"noise": {"white": 0.1, "red": 0.1, "boxes": [[1, 0, 3, 4]]}}, r"boxes: .*south < north"),
        (TABLE, {"time": None}, "needs time, or times"),
        (TABLE, {"times": DAY}, "needs time, or times"),
        (TABLE, {"time": None, "times": DAY | {"last": datetime(2019, 1, 1, tzinfo=UTC)}}, "last must not be before"),
        (TABLE, {"time": None, "times": [DAY["last"], DAY["first"]]}, "times: must ascend"),
        (TABLE, {"grid": "background", "background": FIELD | {"kind": "points"}}, "needs a background on a grid"),
        (TABLE, {"grid": "globe"}, "grid"),
        (TABLE, {"window": "1 day", "background": FIELD | {"kind": "points"}, "truth": {"kind": "gldas", "file": "a"}},
         "window has no effect"),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_together_are_refused(table: dict, change: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        checked(table, change)


def test_times_and_what_methods_are_told() -> None:
    settings = checked(TABLE, {"time": None, "times": DAY, "noise": {"white": 0.03, "red": 0.04}})
    assert [time.day for time in settings.all_times] == [1, 2, 3, 4]
    assert settings.assumed == pytest.approx(0.05)
    assert settings.noise_parts == {"white": 0.03, "red": 0.04, "length": 2.0, "boxes": ()}
    assert checked(REAL, {}).assumed == 0.1
    assert checked(REAL, {"errors": {"observation": 0.05}}).assumed == 0.05
    assert checked(TABLE, {"time": None, "times": [DAY["first"], DAY["last"]]}).all_times == (DAY["first"], DAY["last"])


def test_features_of_files_need_a_method_that_uses_them() -> None:
    features = {"soil": {"file": "soil.nc", "variable": "slt", "kind": "classes"}}
    methods = ["none", "innovation/full"]
    settings = check_table(TABLE | {"methods": methods, "features": features}, Path("c.toml"), Comparison)
    assert settings.features["soil"].variable == "slt"
    with pytest.raises(ConfigError, match=r"\[features.soil\]: no effect with none: remove it"):
        check_table(TABLE | {"features": features}, Path("c.toml"), Comparison)
