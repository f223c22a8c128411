"""Errors of three products whose errors are known, and what the command makes of files."""

from __future__ import annotations

import tomllib
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from image_files import write_grid
from launch import differing, imgda, load
from mpi4py import MPI
from problems import COMMS, REGION, SELF, agree
from triples_made import GRID, SD, WHITE, Maker, transform_on

from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.faults import ConfigError, InputError
from imgda_mpi.grid import Grid, global_grid
from imgda_mpi.numerics.triple_collocation import amplitudes, block_size, blocks_of, coherent_share, error_powers
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.errors import ErrorEstimate
from imgda_mpi.settings.file import check_table, read_table, verb_of
from imgda_mpi.verify.triples import TripleErrors, Triples


def errors_of(grid: Grid, *images: np.ndarray, comm: MPI.Intracomm = SELF) -> TripleErrors:
    """Of images of several times."""
    triples = Triples(grid, transform_on(grid, comm), comm)
    for of_time in images:
        triples.add(of_time)
    return triples.errors()


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_share_of_known_errors_is_found(share: float, rng: np.random.Generator) -> None:
    maker = Maker()
    drawn = [maker.triple(share, rng) for _ in range(6)]
    found = [errors_of(GRID, images) for images, _ in drawn]
    misses = np.array([one.share - true for one, (_, true) in zip(found, drawn, strict=True)])
    assert abs(misses.mean()) < 0.05
    assert np.sqrt(np.mean(misses**2)) < 0.06
    assert np.abs(misses).max() < 0.12
    sds = np.mean([one.sd for one in found], axis=0)
    expected = [SD * np.sqrt(1 - share), np.sqrt(SD**2 * share + WHITE**2), 0.05]
    np.testing.assert_allclose(sds, expected, rtol=0.06)
    holding = 0
    for one, (_, true) in zip(found, drawn, strict=True):
        assert one.white_is_seen
        assert one.intervals is not None
        low, high = one.intervals[3]
        assert low < one.share < high < low + 0.35
        holding += low < true < high
        np.testing.assert_allclose(np.sum(one.sd_of_scales**2, axis=0), one.sd**2, rtol=1e-6)
    assert holding >= 5


@pytest.mark.parametrize("white", [0.03, 0.06])
def test_white_errors_are_found_but_for_coherent_ones_of_the_finest_scale(
    white: float, rng: np.random.Generator
) -> None:
    found = errors_of(GRID, Maker().triple(0.2, rng, white=white)[0])
    # A mode of the coherent errors of both together has 0.0146 there.
    assert 0.99 * white < found.white < np.hypot(white, 0.0146)


def test_amplitudes_of_the_truth_are_no_errors(rng: np.random.Generator) -> None:
    maker = Maker()
    found = [errors_of(GRID, maker.triple(0.5, rng, amplitude=0.8)[0]) for _ in range(6)]
    assert np.mean([one.share for one in found]) == pytest.approx(0.5, abs=0.05)
    seen = np.mean([one.amplitudes for one in found], axis=0)
    np.testing.assert_allclose(seen, [1.0, 0.8, 0.9], atol=0.06)


def test_times_are_added_up(rng: np.random.Generator) -> None:
    maker = Maker()
    times = [maker.triple(0.5, rng)[0] for _ in range(3)]
    together, alone = errors_of(GRID, *times), [errors_of(GRID, one) for one in times]
    assert together.n_times == 3
    assert together.n_cells == sum(one.n_cells for one in alone)
    assert together.share == pytest.approx(np.mean([one.share for one in alone]), abs=0.02)
    assert together.intervals is not None
    assert alone[0].intervals is not None
    assert np.ptp(together.intervals[3]) < np.ptp(alone[0].intervals[3])


def test_scales_have_together_what_the_cells_have(rng: np.random.Generator) -> None:
    images = 0.2 + 0.1 * rng.standard_normal((3, *REGION.shape)).cumsum(axis=1)
    images[0, :3] = np.nan
    triples = Triples(REGION, transform_on(REGION), SELF)
    triples.add(images)
    values = images[:, np.isfinite(images).all(axis=0)]
    expected = np.cov(values, ddof=0) * values.shape[1]
    np.testing.assert_allclose(triples._covariances.sum(axis=0), expected, rtol=1e-9)
    np.testing.assert_allclose(triples._moments[0].covariances(np.ones(16))[0], expected, rtol=1e-9)


def test_without_a_common_truth_amplitudes_are_taken_for_alike() -> None:
    covariances = np.array([[1.0, -0.1, 0.2], [-0.1, 2.0, 0.3], [0.2, 0.3, 3.0]])
    assert amplitudes(covariances) is None
    np.testing.assert_allclose(error_powers(covariances, None), [1 + 0.1 - 0.2 + 0.3, 2 + 0.1 - 0.3 + 0.2, 3 - 0.6])


def test_what_products_share_moves_the_share_as_it_is_said() -> None:
    """Errors of power 1, 2 and 3 beside a truth of power 10, two of them with 0.5 in common."""

    def share_with(a: int, b: int) -> float:
        covariances = 10.0 + np.diag([1.0, 2.0, 3.0])
        covariances[a, b] = covariances[b, a] = 10.5
        return float(coherent_share(error_powers(covariances, amplitudes(covariances)), np.asarray(0.0)))

    true = 2 / 3
    assert share_with(0, 2) > true + 0.1
    assert share_with(1, 2) < true - 0.1
    # Minimum of the variance of (1 - k) e_b + k e_o, k = 1 - a.
    assert share_with(0, 1) == pytest.approx(1 - (1 - 0.5) / (1 + 2 - 2 * 0.5), abs=1e-12)


@pytest.mark.parametrize("grid", [GRID, global_grid((720, 1440)), REGION], ids=["coarse", "fine", "region"])
def test_blocks_are_of_20_degrees_or_a_quarter_of_the_grid(grid: Grid) -> None:
    blocks = blocks_of(grid)
    height, width = block_size(grid)
    expected = (4, 4) if grid is REGION else (9, 18)
    assert np.unique(blocks).tolist() == list(range(expected[0] * expected[1]))
    rows, columns = np.nonzero(blocks == blocks[-1, -1])
    assert np.ptp(grid.latitude[rows]) < height
    assert np.ptp(grid.longitude[columns]) < width


def test_few_blocks_give_no_interval(rng: np.random.Generator) -> None:
    images = np.full((3, *GRID.shape), np.nan)
    images[:, 40:56, 40:60] = 0.2 + 0.02 * rng.standard_normal((3, 16, 20)).cumsum(axis=2)
    found = errors_of(GRID, images)
    assert found.n_blocks < 8
    assert found.intervals is None


def test_two_scales_are_enough(rng: np.random.Generator) -> None:
    transform = make_transform(TransformKind(n_scales=2), REGION.transform_shape(2), SELF)
    triples = Triples(REGION, transform, SELF)
    triples.add(0.2 + 0.02 * rng.standard_normal((3, *REGION.shape)).cumsum(axis=2))
    found = triples.errors()
    assert found.modes.size == 2
    assert not found.white_is_seen
    assert 0.001 <= found.white <= found.sd[1]


@pytest.mark.parametrize("comm", COMMS)
def test_bits_do_not_depend_on_the_number_of_ranks(comm: MPI.Intracomm) -> None:
    images, _ = Maker(global_grid((64, 128))).triple(0.4, np.random.default_rng(1))
    found, alone = (errors_of(global_grid((64, 128)), images, comm=one) for one in (comm, SELF))
    assert agree(comm, found.share == alone.share and found.white == alone.white)
    assert agree(comm, np.array_equal(found.sd_of_scales, alone.sd_of_scales))
    assert agree(comm, found.intervals is not None and np.array_equal(found.intervals, alone.intervals))


@pytest.mark.parametrize("comm", COMMS)
def test_images_that_say_nothing_are_refused(comm: MPI.Intracomm) -> None:
    grid = global_grid((32, 64))
    images = 0.2 + 0.1 * np.random.default_rng(4).standard_normal((3, *grid.shape))
    triples = Triples(grid, transform_on(grid, comm), comm)
    images[2] = images[1]
    with pytest.raises(InputError, match="observation and third: found the same image twice, expected three products"):
        triples.add(images)
    images[2] = np.nan
    triples.add(images)
    images[2, 0, :] = images[2, 1, :35] = 0.2
    triples.add(images)
    with pytest.raises(InputError, match="three products: found 99 cells that all have, expected at least 100"):
        triples.errors()


FILES = ("background", "observation", "third")


def case(folder: Path, images: np.ndarray, *, before: str = "", of_third: str = "") -> Path:
    """A settings file, with a file for each product."""
    text = before or "time = 2022-06-02T06:00:00Z\n"
    text += f"grid = [{images.shape[1]}, {images.shape[2]}]\n"
    for name, image in zip(FILES, images, strict=True):
        with netCDF4.Dataset(folder / f"{name}.nc", "w") as file:
            write_grid(file, global_grid(image.shape))
            file.createVariable("sm", "f8", ("lat", "lon"))[:] = image
            file["sm"].units = "m3 m-3"
        text += f'[{name}]\nkind = "cf"\nfile = "{name}.nc"\nvariable = "sm"\nmax_time_offset = inf\n'
    path = folder / "errors.toml"
    path.write_text(text + of_third)
    return path


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return Maker(global_grid((64, 128))).triple(0.5, np.random.default_rng(3))[0]


def test_the_command_prints_a_table_and_settings_of_an_analysis(images: np.ndarray, tmp_path: Path) -> None:
    settings = case(tmp_path, images, of_third=f'[output]\ndirectory = "{tmp_path / "kept"}"\n')
    assert verb_of(read_table(settings)) == "errors"
    checked = imgda("check", settings)
    assert checked.returncode == 0, checked.stderr
    assert "nothing stands in the way" in checked.stderr
    alone = imgda("errors", settings)
    assert alone.returncode == 0, alone.stderr
    settings.write_text(settings.read_text().replace("kept", "of_two"))
    together = imgda("errors", settings, ranks=2)
    assert together.returncode == 0, together.stderr
    assert alone.stdout == together.stdout
    assert differing(tmp_path / "kept/errors.nc", tmp_path / "of_two/errors.nc") == {"/settings"}
    table, fragment = ((tmp_path / "kept" / name).read_text() for name in ("table.txt", "errors.toml"))
    assert alone.stdout == f"{table}\n{fragment}"
    assert (tmp_path / "kept/manifest.json").exists()
    kept = load(tmp_path / "kept/errors.nc")
    assert f"{kept['share']:.2f}" in next(line for line in table.splitlines() if line.startswith("all scales"))
    # As it stands there it is a part of an analysis's settings.
    given = tomllib.loads(fragment)
    assert given["method"]["coherent_share"] == pytest.approx(kept["share_interval"][1], abs=0.005)
    assert given["errors"]["observation"] == pytest.approx(kept["white_error"], abs=5e-5)
    model = {"kind": "colm202x", "directory": "m", "case": "c", "time": "2022-06-02T06:00:00Z"}
    of_analysis = {"observation": {"kind": "gldas", "file": "o"}, "output": {"directory": "a"}}
    model["time"] = tomllib.loads("t = 2022-06-02T06:00:00Z")["t"]
    read = check_table({**given, **of_analysis, "model": model}, Path("c.toml"), Settings)
    assert read.method.label == "innovation/full"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"file": "none.nc"}, "none.nc"),
        ({"file": "observation.nc"}, "observation and third: found the same image twice"),
        ({"factor": 0.01}, "0.2 to 5 times the background's there"),
    ],
)
def test_products_that_are_none_are_refused(images: np.ndarray, tmp_path: Path, change: dict, said: str) -> None:
    settings = case(tmp_path, images * np.array([1, 1, change.get("factor", 1)])[:, None, None])
    settings.write_text(settings.read_text().replace("third.nc", change.get("file", "third.nc")))
    done = imgda("errors", settings)
    assert done.returncode == 2
    assert said in done.stderr
    assert "[third]" in done.stderr


SECTION = {"kind": "cf", "file": "a.nc", "variable": "sm"}
GLDAS = {"kind": "gldas", "file": "a.nc"}
NOON, LATER = (tomllib.loads(f"t = 2022-06-0{day}T12:00:00Z")["t"] for day in (2, 3))
TABLE = {"time": NOON, "background": SECTION, "observation": SECTION, "third": SECTION}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"time": None}, r"needs time, or times \(not both\)"),
        ({"times": [NOON]}, r"needs time, or times \(not both\)"),
        ({"time": None, "times": [NOON, NOON]}, "times: must ascend"),
        ({"third": SECTION | {"allow_empty": True}}, r"\[third\] allow_empty has no effect"),
        ({"background": SECTION | {"allow_unlike_background": True}}, r"\[background\] allow_unlike_background has no"),
        (
            {"time": None, "times": [NOON, LATER], "third": SECTION | {"time": NOON}},
            r"\[third\] time: of several",
        ),
        ({"window": "3 days", "background": GLDAS, "third": GLDAS}, "window has no effect"),
        ({"grid": "background", "background": SECTION | {"kind": "points"}}, "on a grid, not points"),
    ],
)
def test_settings_that_make_no_estimate_are_refused(change: dict, said: str) -> None:
    given = {name: value for name, value in (TABLE | change).items() if value is not None}
    with pytest.raises(ConfigError, match=said):
        check_table(given, Path("e.toml"), ErrorEstimate)


def test_real_products_have_a_share_with_an_interval_around_it(shared: Path, tmp_path: Path) -> None:
    text = 'time = 2016-01-01T06:00:00Z\n[observation]\nkind = "gldas"\n'
    text += f'file = "{shared}/data/gldas/GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4"\n'
    for name, file, time in (
        ("background", "gfs_noah_20111011T00", "2011-10-11T00:00:00Z"),
        ("third", "cfs_noah_20060401T00", "2006-04-01T00:00:00Z"),
    ):
        text += f'[{name}]\nkind = "cf"\nfile = "{shared}/data/background/{file}.nc"\nvariable = "soil_moisture"\n'
        text += f"layer = [0.0, 0.1]\ntime = {time}\n"
    settings = tmp_path / "errors.toml"
    settings.write_text(f'{text}[output]\ndirectory = "kept"\n')
    done = imgda("errors", settings)
    assert done.returncode == 0, done.stderr
    kept = load(tmp_path / "kept/errors.nc")
    low, high = kept["share_interval"]
    assert 0.1 < low < kept["share"] < high < 0.9
