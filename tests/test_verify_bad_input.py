"""What stops a verification before it scores, and what is said where less is compared than was given."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from mpi4py import MPI
from runs import HOUR, RUN, SETTINGS, START, make_cycle, make_run, new_test_run
from series_files import THREE
from station_runs import inputs_of, said, series_of, settings_of, verified
from test_verify import settings_of as verify_settings
from test_verify import write_product

from imgda_mpi.faults import ConfigError, ImgdaError, InputError
from imgda_mpi.grid import Grid
from imgda_mpi.histories.columns import ColumnFrame
from imgda_mpi.histories.read import open_series
from imgda_mpi.parallel.failure import Ranks
from imgda_mpi.results.manifest import all_versions
from imgda_mpi.results.run_writing import new_run
from imgda_mpi.settings.file import read_settings
from imgda_mpi.settings.verify import RainFiles, Verification
from imgda_mpi.workflow.verify import check_verification, verify
from imgda_mpi.workflow.verify_stations import choose_all

SELF = MPI.COMM_SELF
DAY = timedelta(days=1)

pytestmark = pytest.mark.filterwarnings("ignore:h5py is running")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two runs and an image."""
    make_run(tmp_path / "control")
    make_run(tmp_path / "other")
    write_product(tmp_path / "product.nc", [0, 3, 6, 9, 12], shift=0.02)
    return tmp_path


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (
            "2040-01-02T00:00:00Z",
            r"control: found times from 2022-06-02 00:00 .*2040-01-02.*\[runs\.control\]",
        ),
        ("2022-06-02T18:00:00Z", r"product\.nc: found times from 2022-06-02 00:00 .*\(see \[images\.product\]"),
    ],
)
def test_runs_and_images_of_other_times_are_refused_by_a_check(folder: Path, time: str, said: str) -> None:
    settings = verify_settings(folder, ("innovations = false", f"innovations = false\ntimes = [{time}]"))
    with pytest.raises(InputError, match=said):
        check_verification(settings, SELF)


def test_a_cycle_that_is_gone_from_between_others_is_refused(folder: Path) -> None:
    shutil.rmtree(folder / "other" / "cycles" / "20220602T06")
    with pytest.raises(InputError, match=r"20220602T12.*its time.*expected 2022-06-02T06.*\(see \[runs\.other\]\)"):
        check_verification(verify_settings(folder), SELF)


def test_times_that_another_run_has_not_are_counted(folder: Path) -> None:
    short = new_test_run(folder / "short")
    make_cycle(short, SELF, begin=0, end=6)
    text = verify(verify_settings(folder, ('directory = "other"', 'directory = "short"')), SELF)
    assert text is not None
    assert "control: 6 of its 9 times are not those of all runs and are left out" in " ".join(text.split())


def test_a_run_as_its_own_image_is_not_independent(folder: Path) -> None:
    product = '[images.product]\nkind = "cf"\nfile = "product.nc"\nvariable = "soil_moisture"'
    text = verify(verify_settings(folder, (product, '[images.product]\nkind = "run"\ndirectory = "other"')), SELF)
    assert text is not None
    assert "Against product, 9 times: one of the runs itself" in text


def test_a_check_finds_diagnostics_that_are_gone(folder: Path) -> None:
    settings = verify_settings(folder, ("innovations = false\n", ""))
    with pytest.raises(InputError, match=r"diagnostics\.nc: found no such file, as of 1 of 1 .*\[runs\.control\]"):
        check_verification(settings, SELF)


def test_a_check_finds_that_there_is_nothing_to_verify(tmp_path: Path) -> None:
    without = replace(RUN, first_analysis=None, last_analysis=None)
    run = new_run(tmp_path / "control", without, SETTINGS, all_versions(), Ranks(SELF))
    make_cycle(run, SELF, begin=0, end=6)
    (tmp_path / "verify.toml").write_text(
        '[runs.control]\nkind = "run"\ndirectory = "control"\n[output]\ndirectory = "out"\n'
    )
    with pytest.raises(ConfigError, match=r"nothing to verify: no \[images\.NAME\]"):
        check_verification(read_settings(tmp_path / "verify.toml", Verification), SELF)


def test_a_box_without_land_is_said(folder: Path) -> None:
    boxes = "innovations = false\nboxes = {none = [14.9, 15.1, 99.9, 100.1]}"
    text = verify(verify_settings(folder, ("innovations = false", boxes)), SELF)
    assert text is not None
    assert "no cell that all have in none" in " ".join(text.split())


def test_images_of_any_time_are_said_to_be(folder: Path) -> None:
    change = ('variable = "soil_moisture"', 'variable = "soil_moisture"\nmax_time_offset = inf')
    text = verify(verify_settings(folder, change), SELF)
    assert text is not None
    assert "product: the nearest image stands for a time, however far" in " ".join(text.split())


def test_a_window_with_few_of_its_moments_has_no_frames(tmp_path: Path) -> None:
    make_run(tmp_path / "run")  # a moment every 3 hours of one day
    write_product(tmp_path / "product.nc", [0, 3, 6, 9, 12, 15, 18, 21])
    for hour in range(0, 12, 3):
        write_product(tmp_path / f"product_{hour:02d}.nc", [hour])
    how = {"times": [START], "variable": ("soil_moisture",)}
    for series, last in (
        (open_series("run", layers=THREE, times=[], directory=tmp_path / "run"), 24),
        (open_series("cf", layers=THREE, file=tmp_path / "product.nc", **how), 21),
        (open_series("cf", layers=THREE, file=tmp_path / "product_%H.nc", **how), 9),
    ):
        assert series.step == 3 * HOUR
        assert series.frames_of(START, DAY)
        assert len(series.frames_of(START + (last - 6) * HOUR, DAY)["after"]) == 3
        assert series.within(START + (last - 3) * HOUR, START + 48 * HOUR)
        assert not series.frames_of(START + (last - 3) * HOUR, DAY)


def two_stations(path: Path, *, days: int = 0, scale: tuple[float, float, float] = (1, 1, 1)) -> Path:
    """A table of three stations of which every third row has a bad flag."""
    lines = ["station,time,depth,value,latitude,longitude,flag"]
    for number, factor in enumerate(scale):
        for hour in range(0, 60 * 24, 3):
            time = START + timedelta(days=days, hours=hour)
            value, flag = factor * (0.2 + 0.01 * (hour % 7)), "D01" if hour % 9 == 0 else "G"
            lines.append(f"S{number},{time:%Y-%m-%dT%H:%M},0.05,{value:.4f},{14 - number},{101 + number},{flag}")
    path.write_text("\n".join(lines) + "\n")
    return path


TIMES = [START + 3 * n * HOUR for n in range(480)]


def wave(time: datetime, depth: float) -> np.ndarray:
    return 0.2 + 0.05 * np.cos(time.timestamp() / 1e5 + np.arange(8)) * np.ones((6, 1))


def runs() -> dict[str, object]:
    return {"one": series_of(wave, Grid(15.0 - np.arange(6.0), 100.0 + np.arange(8.0)), TIMES)}


def test_stations_of_other_times_are_refused_with_both_spans(tmp_path: Path) -> None:
    file = str(two_stations(tmp_path / "stations.csv", days=4000))
    with pytest.raises(InputError, match=r"time: found valid values from 2033-.*expected some from 2022-06-02"):
        choose_all(settings_of(sites={"kind": "table", "file": file}), inputs_of(runs(), TIMES))


def test_too_few_times_for_pairs_are_found_before_anything_is_read(tmp_path: Path) -> None:
    file = str(two_stations(tmp_path / "stations.csv"))
    with pytest.raises(ConfigError, match=r"least_pairs: found at most 20 times in a period, expected 30"):
        choose_all(settings_of(sites={"kind": "table", "file": file}), inputs_of(runs(), TIMES[:20]))


def test_stations_of_too_few_values_for_pairs_are_found_before_anything_is_read(tmp_path: Path) -> None:
    file = two_stations(tmp_path / "stations.csv")
    head, *rows = file.read_text().splitlines()
    few = [row for number, row in enumerate(rows) if number % 40 == 0]
    file.write_text("\n".join([head, *few, ""]))
    with pytest.raises(InputError, match=r"stations.csv: found 3 stations .* at most 8 pairs .* one with at least 30"):
        choose_all(settings_of(sites={"kind": "table", "file": str(file)}), inputs_of(runs(), TIMES))


def test_stations_below_a_run_are_found_by_a_check_and_what_is_damaged_later_is_said_to_be_the_runs(
    tmp_path: Path,
) -> None:
    def damaged(time: datetime, depth: float) -> np.ndarray:
        if depth > 2.8 or time == TIMES[99]:
            raise InputError("history.nc: found nothing")
        return wave(time, depth)

    file = two_stations(tmp_path / "stations.csv")
    inputs = inputs_of({"one": series_of(damaged, Grid(15.0 - np.arange(6.0), 100.0 + np.arange(8.0)), TIMES)}, TIMES)
    with pytest.raises(InputError, match=r"found nothing \(see \[runs\.one\]\)$"):
        verified(inputs, tmp_path, file=str(file))
    file.write_text(file.read_text().replace(",0.05,", ",3.0,"))
    deep = settings_of(sites={"kind": "table", "file": str(file), "depth": [2.0, 4.0]})
    with pytest.raises(InputError, match=r"found nothing \(see \[runs\.one\], \[stations\.sites\]\)$"):
        choose_all(deep, inputs)


def test_rows_that_are_no_value_are_counted_by_reason(tmp_path: Path) -> None:
    part, _ = verified(inputs_of(runs(), TIMES), tmp_path, file=str(two_stations(tmp_path / "stations.csv")))
    assert "3 sensors, 3 stations, 1440 rows, 960 valid values" in said(part)
    assert "Left out: rows with a bad flag: 480." in said(part)


def test_a_sensor_in_percent_is_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = two_stations(tmp_path / "stations.csv", scale=(1, 100, 1))
    with caplog.at_level(logging.WARNING):
        part, found = verified(inputs_of(runs(), TIMES), tmp_path, file=str(file))
    assert "1 of 3 sensors have more values beyond 0 to 1 m3 m-3 than within and are left out: S1" in caplog.text
    assert "sensors with values that are no m3 m-3: 1" in said(part)
    assert list(found.places.names) == ["S0", "S2"]


def test_stations_without_a_correlation_are_counted(tmp_path: Path) -> None:
    file = two_stations(tmp_path / "stations.csv")
    rows = [line.split(",") for line in file.read_text().splitlines()]
    text = "\n".join(",".join([*row[:3], "0.25" if row[0] == "S1" else row[3], *row[4:]]) for row in rows)
    file.write_text(text)
    part, _ = verified(inputs_of(runs(), TIMES), tmp_path, file=str(file))
    assert "R of 2 stations: at 1 a run or the station never changes." in said(part)


def test_stations_are_independent_where_run_folders_say_so(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    two_stations(tmp_path / "stations.csv")
    (tmp_path / "verify.toml").write_text(
        'innovations = false\n[runs.control]\nkind = "run"\ndirectory = "run"\n[output]\ndirectory = "out"\n'
        '[stations.sites]\nkind = "table"\nfile = "stations.csv"\nleast_pairs = 3\n'
    )
    text = verify(read_settings(tmp_path / "verify.toml", Verification), SELF)
    assert text is not None
    assert "Against stations sites: independent" in text


def test_a_check_reads_the_first_image_of_everything(folder: Path) -> None:
    check_verification(verify_settings(folder), SELF)
    for name, units in (("twice.nc", "m3 m-3"), ("rain.nc", "mm s-1")):
        write_product(folder / name, [0, 3], units=units)
        with netCDF4.Dataset(folder / name, "a") as file:
            file["time"][1] = 0.0
    said = "found 2 records of 2022-06-02 00:00 UTC with values.*"
    with pytest.raises(InputError, match=rf"twice\.nc: .*{said} \(see \[images\.product\]\)$"):
        check_verification(verify_settings(folder, ("product.nc", "twice.nc")), SELF)
    two_stations(folder / "stations.csv")
    stations = '[stations.sites]\nkind = "table"\nfile = "stations.csv"\nleast_pairs = 3\n'
    rain = '[rain]\nfile = "rain.nc"\nvariable = "soil_moisture"\n'
    with pytest.raises(InputError, match=rf"rain\.nc: .*{said} \(see \[rain\]\)$"):
        check_verification(verify_settings(folder, ("[output]", f"{stations}{rain}[output]")), SELF)


def test_what_cannot_be_read_of_a_run_is_said_to_be_the_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = ColumnFrame.layer

    def refuse(frame: ColumnFrame, layer: tuple[float, float]) -> np.ndarray:
        if frame.record.file.is_relative_to(folder / "other") and frame.time.hour == 9:
            raise InputError("history.nc: found nothing")
        return read(frame, layer)

    monkeypatch.setattr(ColumnFrame, "layer", refuse)
    with pytest.raises(InputError, match=r"history\.nc: found nothing \(see \[runs\.other\]\)$"):
        verify(verify_settings(folder), SELF)


def test_images_of_another_region_are_refused_with_both(folder: Path) -> None:
    write_product(folder / "product.nc", [0, 3])
    with netCDF4.Dataset(folder / "product.nc", "a") as file:
        file["lat"][:] -= 60.0
    with pytest.raises(InputError, match=r"lat, lon: found 6 x 8 cells from -45 N.*expected some of .* from 15 N"):
        check_verification(verify_settings(folder), SELF)


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("layers = [[1.0, 2.0]]", r"layers: .*control has none of 1-2 m"),
        ("layers = [[0.1, 0.4]]", r"product\.nc: found no layer that all runs have too, expected one of 10-40 cm"),
        ("layers = [[0.0, 0.1], [0.0, 0.1]]", "layers: one is there twice"),
    ],
)
def test_layers_that_nothing_has_and_doubled_ones_are_refused(folder: Path, added: str, said: str) -> None:
    with pytest.raises(ImgdaError, match=said):
        check_verification(verify_settings(folder, ("innovations = false", f"innovations = false\n{added}")), SELF)


def test_rain_without_stations_is_refused(folder: Path) -> None:
    rain = '[rain]\nfile = "rain.nc"\nvariable = "pr"\n\n[output]'
    with pytest.raises(ConfigError, match=r"\[rain\]: goes with the series of \[stations\.NAME\]"):
        verify_settings(folder, ("[output]", rain))


def test_a_check_finds_rain_that_cannot_be_read(tmp_path: Path) -> None:
    settings = settings_of(sites={"kind": "table", "file": str(two_stations(tmp_path / "stations.csv"))})
    write_product(tmp_path / "rain.nc", [0, 3], units="mm day-1")
    section = RainFiles(file=str(tmp_path / "rain.nc"), variable="soil_moisture")
    with pytest.raises(InputError, match=r"rain\.nc.*found units 'mm day-1', expected a rate.*\(see \[rain\]\)"):
        choose_all(settings.model_copy(update={"rain": section}), inputs_of(runs(), TIMES))
