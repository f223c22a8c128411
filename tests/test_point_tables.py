"""Tables of points as text."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from image_files import assert_accounted
from point_lists import GRID, LATITUDE, LONGITUDE, MOISTURE, NOON, write_points

from imgda_mpi.faults import InputError
from imgda_mpi.observations.image import ObservedImage
from imgda_mpi.observations.point_files import read_points

TIMES = [f"2022-06-03T{hour:02d}:00:00Z" for hour in (11, 12, 4, 12, 13, 23)]


def table(*columns: tuple[str, object]) -> str:
    """A table of the points, with further columns."""
    of_points = (("latitude", LATITUDE), ("longitude", LONGITUDE), ("sm", MOISTURE))
    headings, texts = zip(*of_points, *columns, strict=True)
    return "\n".join(",".join(map(str, row)) for row in (headings, *zip(*texts, strict=True))) + "\n"


def read(folder: Path, text: str, **how: object) -> ObservedImage:
    (folder / "a.csv").write_text(text)
    return read_points(folder / "a.csv", GRID, NOON, variable="sm", **how)


def test_a_table_holds_the_same_points_as_a_netcdf_file(tmp_path: Path) -> None:
    image = read(tmp_path, table())
    other = read_points(write_points(tmp_path / "a.nc"), GRID, NOON, variable="sm")
    assert image.values.tobytes() == other.values.tobytes()
    assert (image.fingerprint, image.counts, image.remarks) == (other.fingerprint, other.counts, other.remarks)
    assert_accounted(image)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(table().encode()))
    packed = read_points(tmp_path / "a.csv.gz", GRID, NOON, variable="sm")
    assert packed.fingerprint == image.fingerprint


def test_headings_may_be_short_in_capitals_and_have_units(tmp_path: Path) -> None:
    text = table(("station", ['"A, north"', *"bcdef"]))
    text = (
        text.replace("latitude", "\ufeffLat (degrees_north)").replace("longitude", " lon").replace("sm", "SM [m3/m3]")
    )
    image = read(tmp_path, text.replace("\n", "\r\n"))
    assert image.counts["used"] == 6
    assert image.remarks == ()
    with pytest.raises(InputError, match="sm: found units '%' and no name that says volume fraction"):
        read(tmp_path, table().replace("sm", "sm [%]"))
    with pytest.raises(InputError, match="latitude: found units 'rad', expected degrees"):
        read(tmp_path, table().replace("latitude", "latitude [rad]"))


def test_a_row_without_a_value_or_a_place_is_missing(tmp_path: Path) -> None:
    image = read(tmp_path, table() + "\n10.0,100.0,\n10.0,NA,0.2\n,101.0,0.2\n11.0,101.0,nan\n")
    assert (image.counts["source pixels"], image.counts["missing"], image.counts["used"]) == (10, 4, 6)


def test_percent_is_refused_by_its_values(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.csv: sm: found values from 10 to 36, .*looks like percent"):
        read(tmp_path, table(("percent", 100.0 * MOISTURE)).replace("sm", "other").replace("percent", "sm"))


def test_times_of_a_table_are_believed(tmp_path: Path) -> None:
    image = read(tmp_path, table(("time", TIMES)), max_time_offset=1.0)
    assert (image.counts["not used"], image.counts["used"]) == (2, 4)
    assert image.time == NOON
    assert "values of 2022-06-03 11:00 to 2022-06-03 13:00" in image.what
    long = read(tmp_path, table(("time", TIMES)))
    assert long.counts["used"] == 6
    assert "values of 2022-06-03 04:00 to 2022-06-03 23:00 is taken for an instant" in long.remarks
    zone = read(tmp_path, table(("time", ["2022-06-03 20:00+08:00"] * 6)), max_time_offset=0.0)
    assert zone.time == datetime(2022, 6, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (("time", ["12"] * 6), "time: found '12' in line 2, expected a time in UTC"),
        (("time", [*TIMES[:5], ""]), "time: found '' in line 7"),
        (("lst_date", TIMES), "lst_date: found what may be the time, in a column of another name"),
        (("year", [2022] * 6), "year: found what may be the time"),
        (("depth [cm]", [5, 5, 5, 5, 5, 10]), "depth: found points at 2 depths, 0.05 to 0.1 m"),
        (("depth", [0.05] * 6), "depth: found units '', expected m, cm or mm"),
        (("lat", LATITUDE), r"latitude: found 2 such columns among latitude, longitude, sm, lat"),
    ],
)
def test_columns_that_are_not_understood_are_refused(tmp_path: Path, column: tuple[str, object], found: str) -> None:
    with pytest.raises(InputError, match=f"a.csv: {found}"):
        read(tmp_path, table(column))


def test_a_table_without_time_needs_a_stated_one(tmp_path: Path) -> None:
    text = table(("processing_time", TIMES))
    assert read(tmp_path, text).counts["used"] == 6
    with pytest.raises(InputError, match="found no time coordinate"):
        read(tmp_path, text, max_time_offset=3.0)


def test_a_table_without_a_row_observes_nothing(tmp_path: Path) -> None:
    image = read(tmp_path, "lat,lon,sm,time\n", max_time_offset=3.0)
    assert not image.observed.any()
    assert image.counts["source pixels"] == 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "a.csv: found an empty file"),
        (table().replace("0.25", "wet"), r"sm: found 'wet' in line 7, expected a number"),
        (table()[:-8], r"found 2 columns in line 7, expected 3"),
        (table().replace(",", ";"), "latitude: found no such columns among latitude;longitude;sm"),
        (
            table().replace("sm", "moisture"),
            r"sm: found no such columns among latitude, longitude, moisture, .*named sm",
        ),
    ],
)
def test_tables_that_cannot_be_read_are_refused(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(InputError, match=found):
        read(tmp_path, text)


def test_damaged_and_missing_tables_are_refused(tmp_path: Path) -> None:
    whole = gzip.compress(np.random.default_rng(1).bytes(1000).hex().encode())
    for damaged in (whole[: len(whole) // 2], b"lat,lon", whole[:100] + bytes(50) + whole[150:]):
        (tmp_path / "a.csv.gz").write_bytes(damaged)
        with pytest.raises(InputError, match=r"a.csv.gz: found what cannot be read"):
            read_points(tmp_path / "a.csv.gz", GRID, NOON, variable="sm")
    (tmp_path / "b.csv").write_bytes(b"lat,lon,sm\n\xff\xfe,1,2\n")
    with pytest.raises(InputError, match=r"b.csv: found what cannot be read"):
        read_points(tmp_path / "b.csv", GRID, NOON, variable="sm")
    with pytest.raises(InputError, match=r"c.csv: found no such file \(nearest in its directory: .*b.csv"):
        read_points(tmp_path / "c.csv", GRID, NOON, variable="sm")
