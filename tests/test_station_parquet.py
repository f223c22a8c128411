"""Tables of stations in parquet, and wide ones made long."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from imgda_mpi.faults import ConfigError, InputError
from imgda_mpi.stations.read import read_stations

pd = pytest.importorskip("pandas", reason="needs pandas, of the extra `stations`")
pytest.importorskip("pyarrow", reason="needs pyarrow, which reads and writes parquet")

ROWS = {
    "station": ["54511", "54511", "54511", "B", "B"],
    "time": ["2020-06-01T08:00+08:00", "2020-06-01T01:00", "2020-06-01T02:00", "2020-06-01T00:00", "2020-06-01T01:00"],
    "depth": [0.05, 0.05, 0.05, 0.1, 0.1],
    "value": [0.1, None, 0.123456789012345, -9999.0, 0.3],
    "latitude": [40.0] * 3 + [41.0] * 2,
    "longitude": [100.0] * 3 + [101.0] * 2,
    "flag": ["", "G", None, "G", "D03"],
}
SURFACE = (0.0, 0.1)


@pytest.mark.parametrize("times", ["text", "UTC", "no zone", "nanoseconds", "offset"])
def test_parquet_is_read_as_csv_is(tmp_path: Path, times: str) -> None:
    frame = pd.DataFrame(ROWS)
    frame.to_csv(tmp_path / "stations.csv", index=False)
    instants = pd.DatetimeIndex([pd.Timestamp(one) for one in ("2020-06-01T00:00", *ROWS["time"][1:])]).tz_localize(
        "UTC"
    )
    if times == "nanoseconds":
        frame["time"] = (instants + pd.Timedelta(5, "ns")).tz_localize(None).astype("datetime64[ns]")
    elif times != "text":
        frame["time"] = instants.tz_localize(None) if times == "no zone" else instants
        if times == "offset":
            frame["time"] = instants.tz_convert("Asia/Shanghai")
    frame.to_parquet(tmp_path / "stations.parquet")
    of_csv, of_parquet = (read_stations("table", tmp_path / f"stations.{end}", SURFACE) for end in ("csv", "parquet"))
    assert len(of_csv) == len(of_parquet) == 2
    for a, b in zip(of_csv, of_parquet, strict=True):
        assert (a.station, a.depth, a.latitude, a.longitude, a.counts) == (
            b.station,
            b.depth,
            b.latitude,
            b.longitude,
            b.counts,
        )
        np.testing.assert_array_equal(a.times, b.times)
        np.testing.assert_array_equal(a.values, b.values)


def test_faults_of_parquet_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "stations.parquet"
    with pytest.raises(InputError, match=r"stations.parquet: found no such file"):
        read_stations("table", path, SURFACE)
    pd.DataFrame(ROWS).drop(columns="depth").to_parquet(path)
    with pytest.raises(InputError, match=r"line 1: found columns station, time, .*, expected depth too"):
        read_stations("table", path, SURFACE)
    frame = pd.DataFrame(ROWS)
    frame["latitude"] = [40.0, 40.0, 140.0, 41.0, 41.0]
    frame.to_parquet(path)
    with pytest.raises(InputError, match=r"line 4, latitude: found 140, expected -90 to 90"):
        read_stations("table", path, SURFACE)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"stations.parquet: found what cannot be read"):
        read_stations("table", path, SURFACE)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        ConfigError, match=r"found no package .*expected the package pyarrow; .* -m pip install pyarrow"
    ):
        read_stations("table", path, SURFACE)


def documented() -> str:
    """The lines of docs/stations.md that make a table of daily values of USCRN."""
    text = (Path(__file__).parents[1] / "docs/stations.md").read_text()
    return text.split("```python\n")[1].split("```")[0]


def daily(folder: Path, *sources: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run them in a folder, over the file that is there."""
    monkeypatch.chdir(folder)
    code = documented()
    for source in sources:
        code = code.replace("crn_2020.csv", source)
    exec(compile(code, "docs/stations.md", "exec"), {})
    return folder / "uscrn.csv"


def test_daily_values_of_uscrn_become_a_table_by_the_documented_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crn_2020.csv").write_text(
        "wban,lst_date,longitude,latitude,soil_moisture_5_daily,soil_moisture_10_daily\n"
        "3047,2020-06-01,-105.0,31.6,0.1,0.2\n3047,2020-06-02,-105.0,31.6,,0.21\n53877,2020-06-01,-82.5,35.5,0.3,0.4\n"
    )
    path = daily(tmp_path, monkeypatch=monkeypatch)
    found = {(one.station, one.depth[0]): one for one in read_stations("table", path, SURFACE)}
    assert set(found) == {("3047", 0.05), ("3047", 0.1), ("53877", 0.05), ("53877", 0.1)}
    one = found["3047", 0.05]
    # The middle of a local day: 19 UTC at 105 W.
    assert one.times[0] == np.datetime64("2020-06-01T19:00:00")
    np.testing.assert_array_equal(one.values, [0.1, np.nan])


def test_real_daily_values_of_uscrn_are_read_counted_and_filtered(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = shared / "data/uscrn_daily_2020/crn_20200601_20200831.csv.gz"
    path = daily(tmp_path, str(source), monkeypatch=monkeypatch)
    found = read_stations("table", path, SURFACE)
    wide = pd.read_csv(source)
    for depth in (5, 10):
        of_depth = [one for one in found if one.depth[0] == depth / 100]
        values = wide[f"soil_moisture_{depth}_daily"]
        assert sum(one.counts["rows"] for one in of_depth) == len(wide)
        assert sum(one.counts["missing"] for one in of_depth) == values.isna().sum()
        assert sum(int(np.isfinite(one.values).sum()) for one in of_depth) == values.between(0, 1).sum()
        n_with_values = sum(bool(np.isfinite(one.values).any()) for one in of_depth)
        assert n_with_values == wide[values.notna()]["wban"].nunique()
