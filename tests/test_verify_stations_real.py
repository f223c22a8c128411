"""Runs held against real stations: counts, time taken, and the comparison of Ghana once more."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from problems import SELF
from station_runs import Field, inputs_of, series_of, settings_of

from imgda_mpi.grid import Grid
from imgda_mpi.histories.read import open_series
from imgda_mpi.results.comparison_file import read_comparison
from imgda_mpi.results.station_scores_file import read_station_scores
from imgda_mpi.settings.comparison import Comparison
from imgda_mpi.settings.file import read_settings
from imgda_mpi.stations.read import read_stations
from imgda_mpi.verify.block_bootstrap import intervals
from imgda_mpi.verify.station_scores import SCALES
from imgda_mpi.workflow.compare import compare
from imgda_mpi.workflow.verify_stations import choose_all, verify_stations

GHANA = "ghana_2019_2021"
TAHMO = f"{GHANA}/ismn_tahmo_header_20190101_20220101.zip"
USCRN = "ismn_uscrn_jja2020/ismn_uscrn_header_20200601_20200831.zip"


def test_the_comparison_of_ghana_repeated_gives_the_same_scores(shared: Path, tmp_path: Path) -> None:
    data = shared / "data" / GHANA
    names = sorted(file.name for file in (data / "era5").glob("*.nc"))
    starts = [name.split("_")[1] for name in names if (data / "smap" / name.replace("ERA5", "SMAP")).exists()]
    starts = starts[::3]  # that the comparison of all has the other program's means is tested in test_compare_real.py
    times = [datetime.strptime(start, "%Y%m%d").replace(tzinfo=UTC) for start in starts]
    given = ", ".join(f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in times)
    settings = tmp_path / "ghana.toml"
    settings.write_text(
        f'methods = ["none"]\ntimes = [{given}]\nwindow = "3 days"\ngrid = "background"\n'
        f'[background]\nkind = "cf"\nfile = "{data}/era5/ERA5_%Y%m%d_*.nc"\nvariable = "swvl1"\n'
        'mask = {variable = "lsm", min = 0.5}\n'
        f'[observation]\nkind = "points"\nfile = "{data}/smap/SMAP_%Y%m%d_*.nc"\nvariable = "soil_moisture"\n'
        f'max_time_offset = inf\n[judge]\nkind = "ismn"\nfile = "{shared}/data/{TAHMO}"\n[output]\ndirectory = "out"\n'
    )
    compare(read_settings(settings, Comparison), SELF)
    compared = read_comparison(tmp_path / "out/comparison.nc").station_scores
    assert compared is not None
    era5 = open_series(
        "cf",
        layers=[(0.0, 0.1)],
        times=times,
        file=data / "era5/ERA5_%Y%m%d_*.nc",
        variable=("swvl1",),
    )  # without the mask: all stations are in cells of land
    inputs = inputs_of({"ERA5": era5}, times, window=timedelta(days=3), layers=[(0.0, 0.1)])
    section = {"kind": "ismn", "file": str(shared / "data" / TAHMO), "cell": "nearest", "least_pairs": 10}
    settings = settings_of(tahmo=section)
    verify_stations(settings, inputs, choose_all(settings, inputs), tmp_path, SELF)
    found = read_station_scores(tmp_path / "scores_stations_tahmo.nc")
    assert compared.used.size == len(found.places.names) == 21
    np.testing.assert_array_equal(found.results.n_pairs[0], compared.n_pairs)
    np.testing.assert_allclose(found.results.values[:3, 0, 0], compared.values[:, 0], rtol=0, atol=1e-12)
    assert found.results.blocks[0] == compared.block
    for score, scale in enumerate(SCALES):
        mean, draws = compared.values[score, 0].mean(keepdims=True), compared.resampled[score, 0][:, None]
        ends = intervals(mean, draws, compared.n_blocks, scale)
        np.testing.assert_allclose(found.results.mean_ends[:, score, 0, 0, 0], ends[:, 0], atol=1e-12)
    assert found.results.means[0, 0, 0, 0] == pytest.approx(compared.values[0, 0].mean(), abs=1e-12)


def test_uscrn_is_verified_in_seconds(shared: Path, tmp_path: Path) -> None:
    start = datetime(2020, 6, 1, tzinfo=UTC)
    times = [start + timedelta(hours=3 * n) for n in range(92 * 8)]
    grid = Grid(np.arange(20.25, 55.0, 0.5), np.arange(-129.75, -60.0, 0.5))

    def wave(number: int) -> Field:
        def image(moment: datetime, depth: float) -> np.ndarray:
            hours = (moment - start) / timedelta(hours=1)
            return 0.2 + 0.05 * np.cos(hours / 90 + number + np.arange(140) / 30) * np.ones((70, 1)) + 0.1 * depth

        return image

    runs = {f"run{number}": series_of(wave(number), grid, times) for number in range(2)}
    inputs = inputs_of(runs, times, boxes={"US": (25.0, 50.0, -125.0, -65.0)})
    settings = settings_of(uscrn={"kind": "ismn", "file": str(shared / "data" / USCRN)})
    begin = time.perf_counter()
    (part,) = verify_stations(settings, inputs, choose_all(settings, inputs), tmp_path, SELF)
    assert time.perf_counter() - begin < 60
    assert part.text.splitlines()[1].startswith(
        "217 sensors, 109 stations, 475720 rows, 406553 valid values, 736 times."
    )
    found = read_station_scores(tmp_path / "scores_stations_uscrn.nc")
    assert len(found.places.names) == 109
    assert found.places.networks == ["USCRN"] * 109
    # Waves without any weather say nothing of time zones.
    assert [lag.doubtful for lag in found.lags] == [False]


@pytest.mark.parametrize(
    ("name", "depth", "flags", "expected"),
    [
        ("ismn_hawaii/ismn_scan_hawaii_header_20160101_20221231.zip", (0.0, 0.06), ("G",), (14, 7, 0)),
        ("ismn_format_samples/Data_header_values.zip", (0.0, 2.0), ("G", "U"), (8, 8, 0)),
    ],
)
def test_further_real_archives(
    shared: Path, name: str, depth: tuple[float, float], flags: tuple[str, ...], expected: tuple[int, int, int]
) -> None:
    found = read_stations("ismn", shared / "data" / name, depth, flags=flags)
    assert (len(found), len({(one.network, one.station) for one in found}), found.n_unread) == expected


def test_one_damaged_file_of_a_real_archive_is_left_out_and_counted(shared: Path, tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "uscrn.zip"
    shutil.copyfile(shared / "data" / USCRN, path)
    with zipfile.ZipFile(path) as archive:
        member = next(one for one in archive.infolist() if "_sm_0.05" in one.filename)
    content = bytearray(path.read_bytes())
    middle = member.header_offset + 30 + len(member.filename) + member.compress_size // 2
    content[middle : middle + 20] = bytes(20)
    path.write_bytes(content)
    found = read_stations("ismn", path, (0.0, 0.1), flags=("G",))
    assert (len(found), found.n_unread) == (216, 1)
