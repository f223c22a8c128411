"""Soil moisture measured at stations: series, tables, archives of ISMN."""

from __future__ import annotations

import gzip
import logging
import sys
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from imgda_mpi.faults import ConfigError, InputError
from imgda_mpi.settings.stations import AnyStations
from imgda_mpi.stations.read import READERS, read_stations
from imgda_mpi.stations.series import StationSeries, merged, sorted_out, window_means

NAN = float("nan")
SURFACE = (0.0, 0.1)


def hours(*numbers: int) -> np.ndarray:
    return np.datetime64("2020-06-01T00:00:00", "s") + np.array(numbers, "timedelta64[h]")


def at(hour: float) -> datetime:
    return datetime(2020, 6, 1, tzinfo=UTC) + timedelta(hours=hour)


def series(values: list[float], first: int = 0, **of: object) -> StationSeries:
    place = {"network": "N", "station": "A", "latitude": 40.0, "longitude": 100.0, "depth": (0.05, 0.05)}
    times = hours(*range(first, first + len(values)))
    return StationSeries(**place | {"times": times, "values": np.array(values), "counts": {"rows": len(values)}} | of)


def accounted(one: StationSeries) -> bool:
    """Whether every row is valid, or counted under one reason."""
    return one.counts["rows"] == np.isfinite(one.values).sum() + sum(one.counts.values()) - one.counts["rows"]


# --- Series -----------------------------------------------------------------------------------------------------------


def test_rows_become_an_ascending_series_and_each_is_counted_once() -> None:
    times = hours(3, 1, 1, 0, 2, 4, 5)
    values = np.array([0.3, 0.9, 0.1, -9999.0, 1.5, NAN, 0.2])
    good = np.array([True, False, True, True, True, True, False])
    ascending, kept, counts = sorted_out(times, values, good)
    np.testing.assert_array_equal(ascending, hours(0, 1, 2, 3, 4, 5))
    np.testing.assert_array_equal(kept, [NAN, 0.1, NAN, 0.3, NAN, NAN])
    assert counts == {"rows": 7, "repeated time": 1, "bad flag": 1, "missing": 2, "out of range": 1}


def test_the_first_of_two_valid_values_of_one_time_stays() -> None:
    assert sorted_out(hours(1, 1), np.array([0.2, 0.1]), np.ones(2, bool))[1] == [0.2]


def test_sensors_are_averaged_where_several_have_a_value() -> None:
    one = merged([series([0.1, 0.2, NAN, NAN], sensor="x"), series([0.4, NAN, 0.3], first=1, sensor="y")])
    np.testing.assert_array_equal(one.times, hours(0, 1, 2, 3))
    np.testing.assert_allclose(one.values, [0.1, (0.2 + 0.4) / 2, NAN, 0.3], rtol=1e-15)
    assert (one.sensor, one.counts) == ("x + y", {"rows": 7})


@pytest.mark.parametrize("other", [{"station": "B"}, {"network": "M"}, {"depth": (0.1, 0.1)}])
def test_sensors_of_several_places_are_not_merged(other: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not of 2"):
        merged([series([0.1]), series([0.1], **other)])
    with pytest.raises(ValueError, match="not of 0"):
        merged([])


def test_a_mean_is_of_the_valid_values_of_a_window_with_both_ends() -> None:
    one = series([0.1, 0.2, NAN, 0.6, 0.7])
    found = window_means(one, [at(1), at(0.5)], [at(3), at(3.5)], 2)
    assert found.tolist() == [pytest.approx((0.2 + 0.6) / 2), pytest.approx(0.4)]
    beijing = timezone(timedelta(hours=8))
    assert window_means(one, [at(1).astimezone(beijing)], [at(3).astimezone(beijing)], 2)[0] == found[0]


def test_a_mean_of_too_few_values_is_none() -> None:
    one = series([0.1, 0.2, NAN, 0.6])
    for start, end, least in ((0, 3, 4), (2, 2, 1), (5, 9, 0), (-9, -1, 1)):
        assert np.isnan(window_means(one, [at(start)], [at(end)], least)).all()
    assert window_means(one, [at(0)], [at(3)], 3).tolist() == [pytest.approx(0.3)]
    with pytest.raises(ValueError, match="time zone"):
        window_means(one, [datetime(2020, 6, 1)], [at(1)], 1)


# --- Tables -----------------------------------------------------------------------------------------------------------

TABLE = """\
Station,TIME,depth,value,latitude,longitude,network,rain,flag
A,2020-06-01T08:00+08:00,0.05,0.10,40.0,100.0,CMA,1,
B,2020-06-01,0.10,0.50,41.0,101.0,CMA,,G
A,2020-06-01 02:00,0.050,0.30,40,100.00,CMA,,g
A,2020-06-01T01:00Z,0.05,,40.0,100.0,CMA,,G

A,2020-06-01T03:00,0.05,0.20,40.0,100.0,CMA,,D03
A,2020-06-01T02:00,0.05,0.35,40.0,100.0,CMA,,
A,2020-06-01T04:00,0.05,-9999,40.0,100.0,CMA,,
A,2020-06-01T00:00,0.40,0.40,40.0,100.0,CMA,,
"""


def table(folder: Path, text: str = TABLE) -> Path:
    path = folder / "stations.csv"
    path.write_text(text)
    return path


def read_text(folder: Path, *rows: str, header: str = "station,time,depth,value,latitude,longitude") -> None:
    read_stations("table", table(folder, "\n".join((header, *rows))), SURFACE)


@pytest.mark.parametrize("packed", [False, True])
def test_a_table_is_read_in_utc_with_every_row_accounted_for(tmp_path: Path, packed: bool) -> None:
    path = table(tmp_path)
    if packed:
        path = tmp_path / "stations.csv.gz"
        path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + TABLE.replace("\n", "\r\n").encode()))
    a, b = read_stations("table", path, SURFACE)
    assert (a.network, a.station, a.sensor, a.depth, a.latitude, a.longitude) == ("CMA", "A", "", (0.05,) * 2, 40, 100)
    assert a.times.dtype == np.dtype("datetime64[s]")
    np.testing.assert_array_equal(a.times, hours(0, 1, 2, 3, 4))
    np.testing.assert_array_equal(a.values, [0.10, NAN, 0.30, NAN, NAN])
    assert a.counts == {"rows": 6, "repeated time": 1, "bad flag": 1, "missing": 2, "out of range": 0}
    assert (b.station, b.values.tolist(), b.times.tolist()) == ("B", [0.5], hours(0).tolist())
    assert accounted(a)
    assert accounted(b)


def test_the_range_of_depth_chooses_sensors(tmp_path: Path) -> None:
    path = table(tmp_path)
    assert [one.depth[0] for one in read_stations("table", path, (0.0, 0.4))] == [0.05, 0.1, 0.4]
    assert [one.depth[0] for one in read_stations("table", path, (0.1, 0.3))] == [0.1]
    with pytest.raises(
        InputError, match=r"stations.csv: depth: found sensors at 0.05, 0.1, 0.4 m, expected one from 1"
    ):
        read_stations("table", path, (1.0, 2.0))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("A,2020-06-01 CST,0.05,0.1,40,100", r"line 2, time: found '2020-06-01 CST', expected ISO 8601"),
        ("A,,0.05,0.1,40,100", "line 2, time: found ''"),
        ("A,2020-06-01,0.05,wet,40,100", "line 2, value: found 'wet', expected a number"),
        ("A,2020-06-01,,0.1,40,100", "line 2, depth: found ''"),
        ("A,2020-06-01,-0.05,0.1,40,100", "line 2, depth: found -0.05, expected 0 to inf m"),
        ("A,2020-06-01,0.05,0.1,400,100", "line 2, latitude: found 400, expected -90 to 90 degrees north"),
        ("A,2020-06-01,0.05,0.1,nan,100", "line 2, latitude: found nan"),
        ("A,2020-06-01,0.05,0.1,40,-200", "line 2, longitude: found -200, expected -180 to 360 degrees east"),
        ("A,2020-06-01,0.05,0.1", "line 2: found 4 fields, expected 6 or more"),
        ("", "found no rows"),
        (
            "A,2020-06-01,0.05,0.1,40,100\nA,2020-06-01,0.10,0.1,40,99",
            "line 3, latitude and longitude: found station A",
        ),
    ],
)
def test_what_cannot_be_understood_is_named_with_its_line(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(InputError, match=rf"stations.csv: {said}"):
        read_text(tmp_path, row)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("station,time,value,latitude,longitude", "line 1: found columns station, .*, expected depth too"),
        ("station;time;depth;value;latitude;longitude", "line 1: found columns station;time;.* with commas"),
        ("station,time,depth,value,latitude,longitude,Value", "line 1: .*, expected value once"),
        ("", "line 2: found columns A, 2020-06-01, .*, expected station, time, .* too"),
    ],
)
def test_columns_that_are_missing_or_twice_are_named(tmp_path: Path, header: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_text(tmp_path, "A,2020-06-01,0.05,0.1,40,100,0.1", header=header)


def test_percent_is_no_volume_fraction(tmp_path: Path) -> None:
    rows = [f"A,2020-06-01T{hour:02d}:00,0.05,{value},40,100" for hour, value in enumerate((-9999, -9999, 31.5, 9, 12))]
    with pytest.raises(
        InputError, match=r"value: found more values beyond 0 to 1 than .* 1 of 1 .*, expected m3 m-3; divide by 100"
    ):
        read_text(tmp_path, *rows)


def test_a_table_without_a_good_value_is_refused_with_the_reasons(tmp_path: Path) -> None:
    header = "station,time,depth,value,latitude,longitude,flag"
    rows = ("A,2020-06-01,0.05,0.1,40,100,bad", "B,2020-06-01,0.05,,41,100,G")
    with pytest.raises(InputError, match=r"no valid value of 2 sensors \(rows: 2, bad flag: 1, missing: 1\)"):
        read_text(tmp_path, *rows, header=header)


def test_tables_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone.csv: found no such file"):
        read_stations("table", tmp_path / "gone.csv", SURFACE)
    with pytest.raises(InputError, match=r"stations.csv: found an empty file"):
        read_stations("table", table(tmp_path, ""), SURFACE)
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(TABLE.encode())[:-40])
    (tmp_path / "plain.csv.gz").write_text(TABLE)
    (tmp_path / "latin.csv").write_bytes(TABLE.replace("B,", "\xd6,").encode("latin-1"))
    for name in ("cut.csv.gz", "plain.csv.gz", "latin.csv"):
        with pytest.raises(InputError, match=rf"{name}: found what cannot be read"):
            read_stations("table", tmp_path / name, SURFACE)


# --- ISMN -------------------------------------------------------------------------------------------------------------

HEADER = "NET NET {station} 40.50000 -100.25000 120.0 {depth:.4f} {depth:.4f} Probe A"
ROWS = ("2020/06/01 00:00 0.100 G M", "2020/06/01 01:00 0.200 D01,D03 M", "2020/06/01 02:00 0.300 D01 M")
ROWS += ("2020/06/01 03:00 -9999 M M", "2020/06/01 04:00 0.500 G M")
CEOP = (
    "2020/06/01 {hour:02d}:00 2020/06/01 {hour:02d}:00 NET NET A 40.50000 -100.25000 120.0 0.05 0.05 {value} {flag} M"
)


def member(station: str, depth: float, sensor: str = "Probe-A", variable: str = "sm") -> str:
    return f"NET/{station}/NET_NET_{station}_{variable}_{depth:.6f}_{depth:.6f}_{sensor}_20200601_20200602.stm"


def content(station: str, depth: float) -> str:
    return "\n".join((HEADER.format(station=station, depth=depth), *ROWS))


FILES = {member(*of): content(*of) for of in (("A", 0.05), ("A", 0.1016), ("B(1),x", 0.05))}
FILES |= {member("A", 0.05, "Probe-B"): content("A", 0.05), member("A", 0.05, variable="ts"): "temperature"}


def archive(folder: Path, files: dict[str, str] = FILES, name: str = "ismn.zip") -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for file, text in files.items():
            opened.writestr(file, text)
    return path


def unpacked(path: Path) -> Path:
    with zipfile.ZipFile(path) as opened:
        opened.extractall(path.with_suffix(""))
    return path.with_suffix("")


@pytest.mark.parametrize("make", [archive, lambda folder: unpacked(archive(folder))], ids=["zip", "folder"])
def test_an_archive_is_read_by_depth_and_flag_and_nothing_is_written_beside_it(
    tmp_path: Path, make: object, capfd: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    found = read_stations("ismn", path, SURFACE, flags=("G",))
    assert [(one.network, one.station, one.sensor, one.depth) for one in found] == [
        ("NET", "A", "Probe-A", (0.05, 0.05)),
        ("NET", "A", "Probe-B", (0.05, 0.05)),
        ("NET", "B(1),x", "Probe-A", (0.05, 0.05)),
    ]
    for one in found:
        assert (one.latitude, one.longitude) == (40.5, -100.25)
        np.testing.assert_array_equal(one.times, hours(0, 1, 2, 3, 4))
        np.testing.assert_array_equal(one.values, [0.1, NAN, NAN, NAN, 0.5])
        assert one.counts == {"rows": 5, "repeated time": 0, "bad flag": 3, "missing": 0, "out of range": 0}
    assert sorted(tmp_path.rglob("*")) == before
    assert capfd.readouterr() == ("", "")


def test_a_value_is_good_where_it_may_have_each_of_its_flags(tmp_path: Path) -> None:
    path = archive(tmp_path)
    for flags, values in (
        (("G", "D01"), [0.1, NAN, 0.3, NAN, 0.5]),
        (("G", "D01", "D03"), [0.1, 0.2, 0.3, NAN, 0.5]),
    ):
        np.testing.assert_array_equal(read_stations("ismn", path, (0.1, 0.2), flags=flags)[0].values, values)


def test_ceop_is_read_as_header_and_values(tmp_path: Path) -> None:
    rows = [CEOP.format(hour=hour, value=0.1 * hour, flag="GU"[hour % 2]) for hour in range(1, 5)]
    (one,) = read_stations("ismn", archive(tmp_path, {member("A", 0.05): "\n".join(rows)}), SURFACE, flags=("G",))
    np.testing.assert_array_equal(one.times, hours(1, 2, 3, 4))
    np.testing.assert_array_equal(one.values, [NAN, 0.2, NAN, 0.4])
    assert (one.station, one.latitude, one.longitude, one.depth) == ("A", 40.5, -100.25, (0.05, 0.05))


def test_files_that_cannot_be_read_are_left_out_counted_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {member("C", 0.05): "", member("D", 0.05): content("D", 0.05).replace("0.300", "wet")}
    bad |= {member("E", 0.05): content("E", 0.05).replace("40.5", "140.5"), "NET/F/F_sm_x.stm": content("F", 0.05)}
    bad |= {member("G", 0.05): content("G", 0.05).replace("2020/06/01 04:00", "2020/06")}
    path = archive(tmp_path, FILES | bad)
    spoilt = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as opened:
        info = opened.getinfo(member("A", 0.05))
    spoilt[info.header_offset + 30 + len(info.filename) + 5] ^= 0xFF
    path.write_bytes(spoilt)
    with caplog.at_level(logging.WARNING):
        found = read_stations("ismn", path, SURFACE, flags=("G",))
    assert [(one.station, one.sensor) for one in found] == [("A", "Probe-B"), ("B(1),x", "Probe-A")]
    assert found.n_unread == 6
    (said,) = caplog.messages
    assert said.startswith(
        f"{path}: 6 of 8 files of soil moisture cannot be read and are left out: NET/F/F_sm_x.stm: a"
    )
    assert said.endswith("...")
    with pytest.raises(InputError, match=r"bad.zip: found 5 files of soil moisture that cannot be read \(NET/F/F_sm_x"):
        read_stations("ismn", archive(tmp_path, bad, "bad.zip"), SURFACE, flags=("G",))


def test_archives_without_what_is_asked_for_are_refused(tmp_path: Path) -> None:

    def refused(path: Path, said: str, depth: tuple[float, float] = SURFACE, flags: tuple[str, ...] = ("G",)) -> None:
        with pytest.raises(InputError, match=f"{path.name}: {said}"):
            read_stations("ismn", path, depth, flags=flags)

    refused(tmp_path / "gone.zip", "found no such file")
    refused(table(tmp_path), "found no zip archive that can be read")
    refused(archive(tmp_path, {"readme.txt": ""}, "other.zip"), "found no file of soil moisture")
    path = archive(tmp_path)
    refused(path, "depth: found sensors at 0.05, 0.1016 m, expected one from 1 to 2 m", depth=(1.0, 2.0))
    refused(path, "found no valid value of 3 sensors", flags=("X",))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"PK\1\2", b"PK\1\0"))  # of the list of its files
    refused(path, "found no zip archive that can be read")
    path.write_bytes(whole[:-100])
    refused(path, "found no zip archive that can be read")


def test_without_the_package_it_is_said_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ismn.base", None)
    with pytest.raises(ConfigError, match=r"ismn.zip: found no package .*python.* -m pip install ismn"):
        read_stations("ismn", archive(tmp_path), SURFACE, flags=("G",))


@pytest.mark.parametrize(
    ("name", "sensors", "stations", "rows", "share"),
    [
        ("ghana_2019_2021/ismn_tahmo_header_20190101_20220101.zip", 21, 21, 374_547, 0.955),
        ("ismn_uscrn_jja2020/ismn_uscrn_header_20200601_20200831.zip", 217, 109, 475_720, 0.855),
        ("ismn_hawaii/ismn_scan_hawaii_header_20160101_20221231.zip", 22, 7, 630_809, 0.962),
        ("ismn_format_samples/Data_seperate_files_20170810_20180809.zip", 2, 2, 13_924, 0.824),
        ("ismn_format_samples/Data_seperate_files_header_20170810_20180809.zip", 2, 2, 13_924, 0.824),
    ],
)
def test_real_archives_are_read_whole(
    shared: Path, name: str, sensors: int, stations: int, rows: int, share: float
) -> None:
    found = read_stations("ismn", shared / "data" / name, (0.0, 0.3), flags=("G",))
    assert len(found) == sensors
    assert len({(one.network, one.station) for one in found}) == stations
    assert sum(one.counts["rows"] for one in found) == rows
    assert 1 - sum(one.counts["bad flag"] for one in found) / rows == pytest.approx(share, abs=5e-4)
    assert all(accounted(one) and (np.diff(one.times) > np.timedelta64(0)).all() for one in found)


# --- Settings ---------------------------------------------------------------------------------------------------------


def test_sections_have_the_arguments_of_their_readers() -> None:
    sections = TypeAdapter(AnyStations)
    ismn = sections.validate_python({"kind": "ismn", "file": "ismn.zip"})
    assert ismn.values() == {"file": Path("ismn.zip"), "depth": (0.0, 0.1), "flags": ("G",)}
    chosen = sections.validate_python({"kind": "table", "file": "a.csv", "depth": [0.1, 0.4]})
    assert chosen.values() == {"file": Path("a.csv"), "depth": (0.1, 0.4)}
    assert {ismn.kind, chosen.kind} == set(READERS)
    for wrong in ({"depth": [0.1, 0.1]}, {"flags": []}):
        with pytest.raises(ValidationError):
            sections.validate_python({"kind": "ismn", "file": "ismn.zip"} | wrong)


def test_a_section_reads_its_file(tmp_path: Path) -> None:
    section = TypeAdapter(AnyStations).validate_python({"kind": "table", "file": str(table(tmp_path))})
    assert [one.station for one in read_stations(section.kind, **section.values())] == ["A", "B"]
