"""The images of a run in the order of time, one at a time, and its table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from histories import GRID, flux, moisture
from problems import SELF
from runs import HOUR, START, make_cycle, make_run, moments, new_test_run

from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.report.run_table import run_table
from imgda_mpi.results import history_file
from imgda_mpi.results.run_images import fluxes, images, instants


def test_images_come_once_and_twice_where_an_analysis_lies_between(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    hours = [(0, ""), (3, ""), (6, "before"), (6, "after"), (9, ""), (12, ""), (15, ""), (18, ""), (21, ""), (24, "")]
    assert moments(run) == [(START + hour * HOUR, side) for hour, side in hours]
    for layer, of_layer in enumerate(LAYERS):
        found = list(images(run, of_layer))
        assert [(time, side) for time, side, _ in found] == moments(run)
        for time, side, image in found:
            np.testing.assert_allclose(image, moisture(time, 0.01 * (side == "after"))[layer], rtol=1e-6)
    rain = list(fluxes(run, "rain"))
    assert [times for *times, _ in rain] == [[START + hour * HOUR for hour in (n - 3, n)] for n in range(3, 25, 3)]
    for _, time, image in rain:
        np.testing.assert_allclose(image, flux("rain", time), rtol=1e-6)


def test_a_run_of_one_cycle_that_begins_with_an_analysis(tmp_path: Path) -> None:
    run = new_test_run(tmp_path / "run")
    make_cycle(run, SELF, begin=0, end=6, analysed=True)
    assert [(time.hour, side) for time, side in moments(run)] == [(0, "after"), (3, ""), (6, "")]


def test_a_history_that_does_not_reach_the_end_of_its_window(tmp_path: Path) -> None:
    run = new_test_run(tmp_path / "run")
    first = make_cycle(run, SELF, begin=0, end=8)
    make_cycle(run, SELF, begin=8, end=11, origin=first.record.as_origin)
    assert [(time.hour, side) for time, side in moments(run)] == [(0, ""), (3, ""), (6, ""), (8, ""), (11, "")]
    hours = [3, 6, 11]
    assert [(since.hour, until.hour) for since, until, _ in fluxes(run, "rain")] == [(n - 3, n) for n in hours]

    def mean(image: np.ndarray) -> float:
        there = np.isfinite(image)
        return float(np.average(image[there], weights=GRID.cell_area[there]))

    first, *layers, _, rain, runoff, evaporation, left, said = run_table(run).splitlines()
    assert first.split()[-6:] == ["2022-06-02", "00", "UTC", "2022-06-02", "11", "UTC"]
    for line, before, after in zip(layers, moisture(START), moisture(START + 11 * HOUR), strict=True):
        assert line.split()[2:] == [f"{mean(before):.4f}", f"{mean(after):.4f}"]
    total = 3 * 3600 * sum(mean(flux("rain", START + hour * HOUR)) for hour in hours)
    assert rain.split() == ["rain", f"{total:.2f}", f"{total * 24 / 9:.3f}"]
    numbers = [float(line.split()[-2]) for line in (rain, runoff, evaporation, left)]
    assert numbers[3] == pytest.approx(numbers[0] - numbers[1] - numbers[2], abs=0.02)
    assert said.startswith("40 soil columns, 3 of them left alone for ice or frost; ")


def test_never_more_than_one_image_is_read_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run")
    sizes: list[int] = []

    def counted(*arguments: object) -> np.ndarray:
        values = read_values(*arguments)
        sizes.append(values.size)
        return values

    read_values = history_file.read_values
    monkeypatch.setattr(history_file, "read_values", counted)
    moments(run)
    assert max(sizes) < GRID.latitude.size * GRID.longitude.size
    for n_images, _ in enumerate(images(run, LAYERS[1]), start=1):
        assert sum(size >= 48 for size in sizes) == n_images
    assert max(sizes) == 48


def test_an_unread_rest_closes_its_history(tmp_path: Path) -> None:
    steps = instants(make_run(tmp_path / "run"))
    file = next(steps).history._file
    assert file.isopen()
    steps.close()
    assert not file.isopen()


def test_a_run_whose_images_cannot_be_had_says_so(tmp_path: Path) -> None:
    run = new_test_run(tmp_path / "run")
    with pytest.raises(InputError, match="found no complete cycle"):
        moments(run)
    first = make_cycle(run, SELF, begin=0, end=6)
    make_cycle(run, SELF, begin=6, end=12, history=())
    with pytest.raises(InputError, match=r"20220602T06: found no history, expected history/history\.nc"):
        moments(run)
    moved = new_test_run(tmp_path / "moved")
    make_cycle(moved, SELF, begin=0, end=6)
    grid = Grid(GRID.latitude, GRID.longitude + 0.5)
    make_cycle(moved, SELF, begin=6, end=12, grid=grid, origin=first.record.as_origin)
    with pytest.raises(InputError, match=r"history\.nc: lat, lon: found .* the grid of the cycles before"):
        moments(moved)
    early = new_test_run(tmp_path / "early")
    make_cycle(early, SELF, begin=0, end=6, history=(0, 3, 9))
    with pytest.raises(
        InputError, match=r"history\.nc: time: found times from 2022-06-02 00:00 UTC to 2022-06-02 09:00"
    ):
        moments(early)
