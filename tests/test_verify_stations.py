"""Runs in memory held against stations of a table: values, pairs, scores, what is left out."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from mpi4py import MPI
from problems import COMMS, SELF, agree
from pytesmo import metrics
from runs import shared_folder
from station_runs import LAYERS, MadeSeries, inputs_of, said, series_of, settings_of, verified

from imgda_mpi.faults import ConfigError, InputError
from imgda_mpi.grid import Grid
from imgda_mpi.results.station_scores_file import StationVerification, read_station_scores
from imgda_mpi.verify.station_verification import CHUNK, NAMES
from imgda_mpi.workflow.verify_stations import choose_all, verify_stations

START = datetime(2020, 6, 1, tzinfo=UTC)
TIMES = [START + timedelta(hours=3 * n) for n in range(60 * 8)]
GRID = Grid(20.5 - np.arange(12.0), 100.5 + np.arange(14.0))
ROWS, COLUMNS = np.indices(GRID.shape)
LAND = np.where(COLUMNS > 11, np.nan, 1.0)

PLACES = {"wet": (18.2, 102.9), "dry": (12.4, 108.1), "edge": (15.5, 104.5), "sea": (15.0, 112.9), "away": (50.0, 7.0)}


def nature(time: datetime, depth: float) -> np.ndarray:
    """Waves that damp with depth."""
    hours = (time - START) / timedelta(hours=1)
    damped = np.exp(-2 * depth)
    return LAND * (0.25 + 0.08 * damped * np.sin(hours / 70 + ROWS / 3.0) * np.cos(hours / 23 + COLUMNS / 4.0))


def control(time: datetime, depth: float) -> np.ndarray:
    hours = (time - START) / timedelta(hours=1)
    return nature(time, depth) + 0.03 + 0.04 * np.sin(hours / 40 + COLUMNS)


def better(time: datetime, depth: float) -> np.ndarray:
    return 0.5 * nature(time, depth) + 0.5 * control(time, depth)


def bilinear(image: np.ndarray, latitude: float, longitude: float) -> float:
    row, column = 20.5 - latitude, longitude - 100.5
    i, j = int(row), int(column)
    a, b = row - i, column - j
    corners = image[i : i + 2, j : j + 2]
    return float(
        (1 - a) * (1 - b) * corners[0, 0]
        + (1 - a) * b * corners[0, 1]
        + a * ((1 - b) * corners[1, 0] + b * corners[1, 1])
    )


def write_table(
    folder: Path,
    places: dict[str, tuple[float, float]] = PLACES,
    depth: float = 0.05,
    hours: int = 1,
    network: str = "N",
) -> dict[str, np.ndarray]:
    """Values every so many hours, of nature with noise; returns them at `TIMES`."""
    rng = np.random.default_rng(5)
    lines, series = ["network,station,time,depth,value,latitude,longitude"], {}
    steps = [START + timedelta(hours=n) for n in range(0, 60 * 24, hours)]
    for name, (latitude, longitude) in places.items():
        inside = name not in ("away", "sea")
        values = [bilinear(nature(time, depth), latitude, longitude) if inside else 0.2 for time in steps]
        values = np.array(values) + 0.01 * rng.standard_normal(len(steps))
        values[10:40] = np.nan
        for time, value in zip(steps, values, strict=True):
            text = "" if np.isnan(value) else repr(float(value))
            lines.append(f"{network},{name},{time:%Y-%m-%dT%H:%M},{depth},{text},{latitude},{longitude}")
        series[name] = values[:: 3 // hours] if hours <= 3 else values
    (folder / "stations.csv").write_text("\n".join(lines) + "\n")
    return series


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    folder = tmp_path_factory.mktemp("stations")
    return folder / "stations.csv", write_table(folder)


def two_runs(**more: object) -> dict[str, MadeSeries]:
    return {"control": series_of(control, GRID, TIMES, **more), "better": series_of(better, GRID, TIMES, **more)}


def station(found: StationVerification, name: str) -> int:
    return [one.split()[-1] for one in found.places.names].index(name)


def test_scores_are_those_of_pytesmo_and_of_numpy_on_the_pairs_that_all_have(
    table: tuple[Path, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    path, measured = table
    runs = two_runs()
    runs["better"] = series_of(better, GRID, TIMES, missing={TIMES[100], TIMES[300]})
    part, found = verified(inputs_of(runs, TIMES), tmp_path, file=str(path))
    assert [name.split()[-1] for name in found.places.names] == ["wet", "dry", "edge"]
    assert found.counts["times without a frame of some run"] == 2
    for name in ("wet", "dry", "edge"):
        number = station(found, name)
        b = measured[name].copy()
        b[[100, 300]] = np.nan
        there = np.isfinite(b)
        np.testing.assert_array_equal(found.series.pairs[:, number], there)
        assert found.results.n_pairs[0, number] == there.sum() == 468
        for run, image in enumerate((control, better)):
            a = np.array([bilinear(image(time, 0.05), *PLACES[name]) for time in TIMES])
            np.testing.assert_allclose(found.series.values[run, there, number], a[there], rtol=1e-12)
            x, y = found.series.values[run, there, number], b[there]
            scores = dict(zip(NAMES, found.results.values[:, 0, run, number], strict=True))
            for score, value in (
                ("R", np.corrcoef(x, y)[0, 1]),
                ("ubRMSE", (x - y).std()),
                ("bias", (x - y).mean()),
                ("RMSE", np.sqrt(((x - y) ** 2).mean())),
                ("R", metrics.pearson_r(x, y)),
                ("ubRMSE", metrics.ubrmsd(x, y)),
                ("bias", metrics.bias(x, y)),
                ("RMSE", metrics.rmsd(x, y)),
            ):
                assert scores[score] == pytest.approx(value, abs=1e-10)
            seconds = found.series.seconds[there]
            near = np.abs(seconds[:, None] - seconds) <= 17.5 * 86400
            away = [values - (near * values).sum(axis=1) / near.sum(axis=1) for values in (x, y)]
            assert scores["anomaly R"] == pytest.approx(np.corrcoef(*away)[0, 1], abs=1e-6)
    assert "WARNING" not in said(part)


def test_intervals_hold_the_scores_and_a_better_run_is_significantly_better(
    table: tuple[Path, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    part, found = verified(inputs_of(two_runs(), TIMES), tmp_path, file=str(table[0]))
    low, high = found.results.ends[:, 0, 0]
    assert (low <= found.results.values[0, 0]).all()
    assert (found.results.values[0, 0] <= high).all()
    np.testing.assert_allclose(found.results.means[..., 0], found.results.values.mean(axis=-1), rtol=1e-12)
    assert found.results.blocks[0] > np.cbrt(len(TIMES))  # errors of these runs last
    words = "better beside control: R better at 3 of 3 stations, significantly at 3 (significantly worse at 0); ubRMSE"
    assert words in said(part)
    assert "3 stations, 1410 pairs" in said(part)
    # Bias halves: the difference of the means has the sign and size.
    bias = NAMES.index("bias")
    assert found.results.mean_differences[bias, 0, 1, 0] == pytest.approx(-0.5 * 0.03, abs=5e-3)


@pytest.mark.parametrize("comm", COMMS)
def test_results_are_the_same_bits_on_any_number_of_ranks(tmp_path: Path, comm: MPI.Intracomm) -> None:
    folder = shared_folder(tmp_path, comm)
    if comm.rank == 0:
        rng = np.random.default_rng(1)
        many = {f"s{n}": (10.0 + 9 * rng.random(), 101.0 + 9 * rng.random()) for n in range(CHUNK + 9)}
        write_table(folder, many, hours=3)
        (folder / "one").mkdir()
        (folder / "many").mkdir()
    comm.Barrier()
    times = TIMES[:160]
    runs = {name: series_of(image, GRID, times) for name, image in (("control", control), ("better", better))}
    inputs = inputs_of(runs, times, boxes={"west": (0.0, 30.0, 100.0, 105.0), "none": (-30.0, -20.0, 0.0, 5.0)})
    settings = settings_of(sites={"kind": "table", "file": str(folder / "stations.csv")})
    chosen = choose_all(settings, inputs) if comm.rank == 0 else None
    parts = verify_stations(settings, inputs, chosen, folder / "many", comm)
    same = not parts
    if comm.rank == 0:
        (part,), (alone,) = parts, verify_stations(settings, inputs, chosen, folder / "one", SELF)
        texts = [(folder / name / "scores_stations_sites.csv").read_bytes() for name in ("one", "many")]
        same = part.text == alone.text and texts[0] == texts[1]
        assert "no station in none" in said(part)
        found = [read_station_scores(folder / name / "scores_stations_sites.nc") for name in ("one", "many")]
        for name in ("means", "mean_ends", "mean_difference_ends", "ends"):
            np.testing.assert_array_equal(*(getattr(one.results, name) for one in found))
    assert agree(comm, same)


def test_the_state_after_an_analysis_counts(table: tuple[Path, dict[str, np.ndarray]], tmp_path: Path) -> None:
    runs = {"control": series_of(control, GRID, TIMES, analyses=TIMES[::2])}
    _, found = verified(inputs_of(runs, TIMES), tmp_path, file=str(table[0]), cell="nearest")
    wet = [control(time, 0.05)[2, 2] for time in TIMES]
    np.testing.assert_array_equal(found.series.values[0, :, station(found, "wet")], wet)


def test_of_few_weeks_it_is_said_that_departures_are_from_the_mean(
    table: tuple[Path, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    part, _ = verified(inputs_of(two_runs(), TIMES[:241]), tmp_path, file=str(table[0]))
    assert "over 30 days a moving mean of 35 days is nearly the mean: anomaly R is nearly R" in said(part)


def test_means_of_an_interval_are_held_against_means_of_stations(
    table: tuple[Path, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    middles = [time + timedelta(hours=1.5) for time in TIMES[:-1]]
    runs = two_runs()
    runs["better"] = series_of(better, GRID, middles, interval=timedelta(hours=3), remarks=("holds means",))
    part, found = verified(inputs_of(runs, TIMES[:-1]), tmp_path, file=str(table[0]))
    hourly = read_hourly(table[0], "wet")
    hourly = hourly.reshape(-1, 3)
    means = np.array([np.nanmean(three) if np.isfinite(three).any() else np.nan for three in hourly])
    # A time at the end of an interval is that of its mean; the first one is in the first interval too.
    wanted = np.concatenate([means[:1], means[:478]])
    np.testing.assert_allclose(found.series.measured[:, station(found, "wet")], wanted, rtol=1e-12)
    assert "means of 3 h, as of better" in said(part)
    assert "better: holds means" in said(part)


def read_hourly(path: Path, name: str) -> np.ndarray:
    rows = [line.split(",") for line in path.read_text().splitlines()]
    return np.array([float(row[4] or "nan") for row in rows if row[1] == name])


def test_a_window_averages_runs_and_stations_alike(table: tuple[Path, dict[str, np.ndarray]], tmp_path: Path) -> None:
    days = TIMES[::8]
    inputs = inputs_of(two_runs(rains=True), days, window=timedelta(days=1))
    part, found = verified(inputs, tmp_path, file=str(table[0]), cell="nearest")
    wet = station(found, "wet")
    wanted = [np.mean([control(time, 0.05)[2, 2] for time in TIMES[8 * n : 8 * n + 8]]) for n in range(60)]
    np.testing.assert_allclose(found.series.values[0, :, wet], wanted, rtol=1e-12)
    hourly = read_hourly(table[0], "wet").reshape(60, 24)
    hourly[1] = np.where(np.isfinite(hourly[1]).sum() >= 8, hourly[1], np.nan)
    np.testing.assert_allclose(found.series.measured[2:, wet], hourly[2:].mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.rain, 1e-5)
    assert "means of 24 h from each time on" in said(part)
    assert "cannot be seen" in said(part)  # whether times are UTC, of daily means


def test_sensors_are_compared_with_depths_or_layers(tmp_path: Path) -> None:
    write_table(tmp_path, {"wet": PLACES["wet"]}, depth=0.1, hours=3)
    section = {"file": str(tmp_path / "stations.csv"), "cell": "nearest"}
    for at, depth, words in (
        (None, 0.1, "value at the depth of the sensor, linear between nodes (10 cm: 1)"),
        ("layer", 0.05, "mean of the layer that holds the sensor (0-10 cm: 1)"),
    ):
        part, found = verified(inputs_of(two_runs(), TIMES), tmp_path, at=at, **section)
        np.testing.assert_array_equal(found.series.values[0, :, 0], [control(time, depth)[2, 2] for time in TIMES])
        assert words in said(part)
    runs = two_runs()
    runs["layers"] = series_of(control, GRID, TIMES, has_nodes=False, held=LAYERS[:1])
    _, found = verified(inputs_of(runs, TIMES), tmp_path, **section)
    assert found.places.compared.tolist() == [[0.0, 0.1]]
    with pytest.raises(
        ConfigError, match=r'at: found runs without nodes \(layers\).*take at = "layer" \(see \[stations'
    ):
        verified(inputs_of(runs, TIMES), tmp_path, at="depth", **section)
    write_table(tmp_path, {"wet": PLACES["wet"]}, depth=0.2, hours=3)
    with pytest.raises(InputError, match="in no layer that all runs have: 1"):
        verified(inputs_of(runs, TIMES), tmp_path, depth=[0.0, 0.3], **section)


def test_what_is_left_out_is_counted_and_named(
    table: tuple[Path, dict[str, np.ndarray]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        part, _ = verified(inputs_of(two_runs(), TIMES), tmp_path, file=str(table[0]))
    assert "1 of 5 stations are outside the grid and left out: N away" in caplog.text
    assert "1 of 4 stations are in cells without land of some run and left out: N sea" in caplog.text
    assert "5 sensors, 5 stations, 7200 rows, 7050 valid values, 480 times" in said(part)
    assert "outside the grid: 1, in cells without land of some run: 1" in said(part)


@pytest.mark.parametrize(
    ("places", "more", "said"),
    [
        ({"away": PLACES["away"]}, {}, "0 stations to compare .*outside the grid: 1"),
        ({"sea": PLACES["sea"]}, {}, "0 stations to compare .*without land of some run: 1"),
        ({"wet": PLACES["wet"]}, {"least_pairs": 451}, "1 stations to compare with at most 450 pairs .*at least 451"),
    ],
)
def test_no_station_with_enough_pairs_is_an_error(
    tmp_path: Path, places: dict[str, tuple[float, float]], more: dict[str, object], said: str
) -> None:
    write_table(tmp_path, places, hours=3)
    with pytest.raises(InputError, match=rf"stations.csv: found {said}.*\(see \[stations.sites\]\)"):
        verified(inputs_of(two_runs(), TIMES), tmp_path, file=str(tmp_path / "stations.csv"), **more)


def test_periods_are_scored_apart_and_stations_with_few_pairs_are_not(
    table: tuple[Path, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    periods = {"early": (TIMES[0], TIMES[20]), "late": (TIMES[21], TIMES[-1])}
    part, found = verified(inputs_of(two_runs(), TIMES, periods=periods), tmp_path, file=str(table[0]))
    assert found.results.n_pairs[:, 0].tolist() == [11, 459]
    assert np.isnan(found.results.values[:, 0]).all()
    assert found.results.n_scored.tolist() == [[0], [3]]
    assert "early, all stations: 0 stations with 30 pairs or more" in said(part)
    pairs = found.series.pairs[21:, 0]
    a, b = found.series.values[1, 21:, 0][pairs], found.series.measured[21:, 0][pairs]
    assert found.results.values[0, 1, 1, 0] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-12)


def test_the_file_is_cf_time_series_that_xarray_opens_with_the_table_of_scores(
    table: tuple[Path, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    import xarray

    part, found = verified(inputs_of(two_runs(rains=True), TIMES), tmp_path, file=str(table[0]), assimilated=True)
    assert [path.name for path in part.written] == ["scores_stations_sites.nc", "scores_stations_sites.csv"]
    with xarray.open_dataset(tmp_path / "scores_stations_sites.nc") as file:
        assert file.attrs["featureType"] == "timeSeries"
        assert file["station"].attrs["cf_role"] == "timeseries_id"
        assert file["station"].values.tolist() == ["N wet", "N dry", "N edge"]
        assert file["run"].values.tolist() == ["control", "better"]
        assert file["value"].dims == ("run", "station", "time")
        np.testing.assert_array_equal(file["measured"].T, found.series.measured)
        assert file["time"].values[1] == np.datetime64("2020-06-01T03:00:00")
        assert {"lat", "lon", "depth"} <= set(file["value"].coords)
        np.testing.assert_array_equal(file["correlation"], found.results.values[0])
    assert found.status == "fit to assimilated data"
    assert part.text.startswith("Stations sites: fit to assimilated data\n")
    assert part.summary is not None
    assert part.summary.startswith("Against stations sites: fit to assimilated data\n")
    assert max(map(len, part.text.splitlines())) <= 120
    header, *rows = (tmp_path / "scores_stations_sites.csv").read_text().splitlines()
    assert len(rows) == 6
    first = dict(zip(header.split(","), rows[0].split(","), strict=True))
    assert (first["station"], first["period"], first["run"], first["n_pairs"]) == ("N wet", "all", "control", "470")
    assert float(first["correlation"]) == found.results.values[0, 0, 0, 0]
    assert float(first["bias_m3_m-3_high"]) == found.results.ends[1, 2, 0, 0, 0]


def test_another_file_is_no_verification(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "other.nc", "w") as file:
        file.createDimension("n", 1)
    with pytest.raises(InputError, match=r"other.nc: found no measured, value, .*expected a verification at stations"):
        read_station_scores(tmp_path / "other.nc")


def test_rain_of_files_goes_with_the_series(table: tuple[Path, dict[str, np.ndarray]], tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "rain.nc", "w") as file:
        for name, values, units in (
            ("time", np.arange(480) * 3.0, "hours since 2020-06-01 00:00:00"),
            ("lat", GRID.latitude, "degrees_north"),
            ("lon", GRID.longitude, "degrees_east"),
        ):
            file.createDimension(name, values.size)
            file.createVariable(name, "f8", (name,))[:] = values
            file[name].units = units
        rain = file.createVariable("pr", "f8", ("time", "lat", "lon"))
        rain.units = "mm s-1"
        rain[:] = 1e-6 * np.arange(480)[:, None, None]
    settings = settings_of(sites={"kind": "table", "file": str(table[0])})
    settings = settings.model_copy(
        update={
            "rain": type(settings).model_fields["rain"].annotation.__args__[0](file=tmp_path / "rain.nc", variable="pr")
        }
    )
    inputs = inputs_of(two_runs(rains=True), TIMES)
    verify_stations(settings, inputs, choose_all(settings, inputs), tmp_path, SELF)
    found = read_station_scores(tmp_path / "scores_stations_sites.nc")
    np.testing.assert_allclose(found.rain, 1e-6 * np.arange(480)[:, None] * np.ones(3), atol=1e-18)


def test_without_pytesmo_it_is_said_how_to_install_it(
    table: tuple[Path, dict[str, np.ndarray]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytesmo.metrics", None)
    with pytest.raises(ConfigError, match=r"found no package .*packages pytesmo and pandas; .* -m pip install pytesmo"):
        verified(inputs_of(two_runs(), TIMES), tmp_path, file=str(table[0]))
