"""The comparison of methods, on the embedded case and on real images."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest
from cases import demo, run
from image_files import copy_grid, write_grid
from launch import differing, imgda, read

from imgda_mpi.grid import global_grid
from imgda_mpi.report.comparison_table import comparison_table
from imgda_mpi.results.comparison_file import read_comparison

METHODS = (
    "none",
    "insert",
    "pointwise",
    "pointwise_fitted",
    "large_scale",
    "paper",
    "analytic",
    "innovation/diagonal",
    "innovation/full",
)


@pytest.fixture(scope="module")
def pair(example: Path, example_case: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Settings of background and truth of the embedded case, on a coarser grid."""
    output = run(tmp_path_factory.mktemp("pair"), demo(example_case, before='method = "none"'))
    return (
        "time = 2022-06-02T06:00:00Z\ngrid = [64, 128]\n"
        f'[background]\nkind = "cf"\nfile = "{output / "diagnostics.nc"}"\nvariable = "background"\n'
        f'max_time_offset = inf\n[truth]\nkind = "cf"\nfile = "{example / "truth.nc"}"\nvariable = "soil_moisture"\n'
        "max_time_offset = inf\n"
    )


def compared(folder: Path, text: str, name: str = "comparison", ranks: int = 0) -> Path:
    settings = folder / f"{name}.toml"
    settings.write_text(f'{text}[output]\ndirectory = "{folder / name}"\n')
    done = imgda("compare", settings, ranks=ranks)
    assert done.returncode == 0, done.stderr
    return folder / name


def names(methods: tuple[str, ...]) -> str:
    return f"methods = [{', '.join(repr(name) for name in methods)}]\n".replace("'", '"')


def test_all_methods_see_the_same_draws_on_any_number_of_ranks(pair: str, tmp_path: Path) -> None:
    text = names(METHODS) + "noise = 0.08\nseeds = 3\n" + pair + '[coverage]\nkind = "swaths"\n'
    alone = compared(tmp_path, text, "alone")
    together = compared(tmp_path, text, "together", ranks=2)
    assert differing(alone / "comparison.nc", together / "comparison.nc") <= {"time_taken", "/settings"}
    saved = read_comparison(alone / "comparison.nc")
    assert saved.names == list(METHODS)
    assert saved.ubrmse.shape == (len(METHODS), 3, 3)
    of = {name: saved.ubrmse[number].mean(axis=0) for number, name in enumerate(saved.names)}
    every, seen, unseen = 0, 1, 2
    # A prescribed constant gain, and what it is worth, in closed form.
    gain = 0.15**2 / (0.15**2 + 0.08**2)
    expected = np.sqrt((1 - gain) ** 2 * of["none"][seen] ** 2 + gain**2 * 0.08**2)
    assert of["pointwise"][seen] == pytest.approx(expected, rel=0.05)
    assert of["insert"][seen] == pytest.approx(0.08, rel=0.05)
    assert of["analytic"][every] == pytest.approx(of["pointwise"][every], rel=1e-3)
    for name in METHODS:
        if name != "innovation/full":
            assert of[name][unseen] == pytest.approx(of["none"][unseen], rel=1e-12)
    assert of["innovation/full"][unseen] < of["none"][unseen]
    assert of["innovation/full"][every] < of["innovation/diagonal"][every] < of["paper"][every]
    # The scales of an error add up to it.
    total = np.sqrt(np.square(saved.spectrum).sum(axis=2))
    np.testing.assert_allclose(
        np.square(total), np.square(saved.ubrmse[..., 0]) + np.square(saved.bias[..., 0]), rtol=1e-6
    )


def test_a_comparison_is_reported_as_table_and_figures(pair: str, tmp_path: Path) -> None:
    folder = compared(tmp_path, names(("none", "pointwise", "innovation/full")) + "noise = 0.1\nseeds = 2\n" + pair)
    table = (folder / "table.txt").read_text()
    # As in a shell that a notebook has started: figures are drawn without a window all the same.
    done = imgda("report", folder, MPLBACKEND="module://a_notebook.backend")
    assert done.returncode == 0, done.stderr
    assert done.stdout == table
    assert "innovation/full" in table
    assert "all land, all of it observed" in table
    assert (folder / "figure.png").stat().st_size > 20_000
    assert (folder / "report.html").stat().st_size > 20_000
    assert (folder / "report/spectra.png").stat().st_size > 5_000
    assert (folder / "manifest.json").exists()


def test_features_of_files_are_those_of_all_draws(pair: str, example: Path, tmp_path: Path) -> None:
    grid = global_grid((64, 128))
    belts = tmp_path / "belts.nc"
    with netCDF4.Dataset(belts, "w") as file:
        write_grid(file, grid)
        file.createVariable("belt", "f4", ("lat", "lon"))[:] = np.abs(grid.latitude)[:, None]
    without, methods = "{kind = 'innovation/full', features = false}", ("none",)
    text = (
        names(methods).replace("]", f", {without}, {without.replace('false', 'true')}]") + "noise = 0.04\nseeds = 2\n"
    )
    section = f'[features.belt]\nfile = "{belts}"\nvariable = "belt"\nkind = "values"\n'
    swaths = '[coverage]\nkind = "swaths"\n'
    moisture, with_belt = (
        compared(tmp_path, text + pair + swaths + more, name) for name, more in (("alone", ""), ("belt", section))
    )
    alone, more = (read_comparison(folder / "comparison.nc") for folder in (moisture, with_belt))
    np.testing.assert_array_equal(more.ubrmse[:2], alone.ubrmse[:2])
    assert (more.ubrmse[2] != alone.ubrmse[2]).all()
    assert str(belts) in (with_belt / "manifest.json").read_text()
    assert (more.ubrmse[2, :, 2] < more.ubrmse[0, :, 2]).all()


def test_methods_have_keys_of_their_own(pair: str, example: Path, tmp_path: Path) -> None:
    """One method with several settings, and a field of background errors that says what a number says."""
    field = tmp_path / "sb.nc"
    with netCDF4.Dataset(example / "truth.nc") as source, netCDF4.Dataset(field, "w") as target:
        copy_grid(source, target)
        sd = target.createVariable("sb", "f8", ("lat", "lon"))
        sd.units, sd[:] = "m3 m-3", 0.08
    of_file = f'{{kind = "pointwise", background_error = {{file = "{field}", variable = "sb"}}}}'
    methods = (
        f'methods = ["pointwise", {of_file}, {{kind = "large_scale", background_error = 0.08}}, "innovation/full",'
        ' {kind = "innovation", solver = "full", scales = [1]}, {kind = "paper", n_members = 5}]\n'
    )
    # The file has no time.
    folder = compared(tmp_path, methods + "noise = 0.1\nseeds = 1\n" + pair)
    saved = read_comparison(folder / "comparison.nc")
    assert saved.names[0] == "pointwise"
    assert saved.names[1] == "pointwise(background_error=sb.nc:sb)"
    assert saved.names[2:] == ["large_scale", "innovation/full", "innovation/full(scales=[1])", "paper"]
    innovation = saved.images["observation"] - saved.images["background"]
    increment = saved.images[saved.names[1]] - saved.images["background"]
    seen = np.isfinite(innovation) & np.isfinite(increment)
    assert seen.sum() > 1000
    np.testing.assert_allclose(increment[seen], 0.08**2 / (0.08**2 + 0.1**2) * innovation[seen], atol=1e-12)
    assert str(field) in (folder / "manifest.json").read_text()


def test_only_the_best_of_the_lengths_tried_is_shown_and_marked(pair: str, tmp_path: Path) -> None:
    text = names(("none", "optimal_interpolation")) + "noise = 0.1\nseeds = 1\ninterpolation_lengths = [300, 900]\n"
    # A coarse grid keeps the dense matrix small.
    folder = compared(tmp_path, text + pair.replace("[64, 128]", "[32, 64]"))
    saved = read_comparison(folder / "comparison.nc")
    assert saved.names == ["none", "optimal_interpolation 300 km", "optimal_interpolation 900 km"]
    best = saved.names[1 + int(saved.ubrmse[2, 0, 0] < saved.ubrmse[1, 0, 0])]
    table = comparison_table(saved)
    assert f"{best} *" in table
    assert table.count("optimal_interpolation") == 1
    assert "found with what judges" in table


@pytest.fixture
def members(tmp_path: Path) -> str:
    """Settings of a file with five coherent members."""
    file, rng = tmp_path / "members.nc", np.random.default_rng(6)
    grid = global_grid((32, 64))
    row, column = np.indices(grid.shape)
    waves = np.exp(-((np.minimum(row, 32 - row) ** 2 + column**2) / 9.0))[:, :33]
    with netCDF4.Dataset(file, "w") as target:
        target.createDimension("member", 5)
        write_grid(target, grid)
        moisture = target.createVariable("soil_moisture", "f8", ("member", "lat", "lon"))
        moisture.units = "m3 m-3"
        for member in range(5):
            error = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(grid.shape)) * waves, s=grid.shape)
            moisture[member] = 0.25 + 0.1 * np.sin(column / 9) + (0.2 * error if member else 0)
    return (
        "time = 2022-06-02T06:00:00Z\ngrid = [32, 64]\n"
        f'[members]\nfile = "{file}"\nvariable = "soil_moisture"\nletkf_lengths = [2000]\n'
    )


def test_every_member_is_the_truth_in_turn_and_left_out(members: str, tmp_path: Path) -> None:
    methods = (
        "none",
        "innovation/full",
        "ensemble/diagonal",
        "ensemble/full",
        "hybrid/diagonal",
        "hybrid/full",
        "letkf",
    )
    folder = compared(tmp_path, names(methods) + "noise = 0.05\nseeds = 2\n" + members, ranks=3)
    saved = read_comparison(folder / "comparison.nc")
    images = read(tmp_path / "members.nc", "soil_moisture")
    assert saved.ubrmse.shape[1] == 4 * 2
    for draw in range(8):
        error = images[0] - images[1 + draw // 2]
        assert saved.ubrmse[0, draw, 0] == pytest.approx(error.std(), rel=1e-9)
    assert (saved.ubrmse[1:, :, 0].mean(axis=1) < saved.ubrmse[0, :, 0].mean()).all()


def test_images_without_common_cells_are_refused(pair: str, tmp_path: Path) -> None:
    settings = tmp_path / "c.toml"
    swath = '[coverage]\nkind = "swaths"\nperiod = 1000\nwidth = 1\nslope = 400.0\n'  # a few cells of 180 W at sea
    settings.write_text(names(("none",)) + f'noise = 0.1\n{pair}{swath}[output]\ndirectory = "out"\n')
    done = imgda("compare", settings)
    assert done.returncode == 2
    assert "common cells of background and truth, 0 of them observed" in done.stderr
    assert not (tmp_path / "out").exists()


REAL = """
time = 2016-01-01T06:00:00Z
seeds = 2
noise = {noise}
[background]
kind = "cf"
file = "{shared}/data/background/gfs_noah_20111011T00.nc"
variable = "soil_moisture"
layer = [0.0, 0.1]
time = 2011-10-11T00:00:00Z
[truth]
kind = "gldas"
file = "{shared}/data/gldas/GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4"
[curvelet]
finest = "curvelets"
"""


@pytest.mark.parametrize(
    ("noise", "coverage", "full", "diagonal"),
    [(0.1, "full", 0.62, 0.64), (0.04, "full", 0.80, 0.83), (0.04, "swaths", 0.84, 1.0)],
)
def test_real_backgrounds_and_gldas(
    noise: float, coverage: str, full: float, diagonal: float, shared: Path, tmp_path: Path
) -> None:
    methods = names(METHODS)
    for solver in ("diagonal", "full"):  # the noise is white: all that is coherent is the background's
        told = f'{{kind = "innovation", solver = "{solver}", coherent_share = 0.0}}'
        methods = methods.replace(f'"innovation/{solver}"', told)
    text = methods + REAL.format(noise=noise, shared=shared) + f'[coverage]\nkind = "{coverage}"\n'
    saved = read_comparison(compared(tmp_path, text) / "comparison.nc")
    of = {name: saved.ubrmse[number].mean(axis=0) for number, name in enumerate(saved.names)}
    region = 2 if coverage == "swaths" else 0
    reference = of["none"] if coverage == "swaths" else of["paper"]
    assert of["innovation/full"][region] < full * reference[region]
    assert of["innovation/diagonal"][0] < diagonal * of["paper"][0]
    pointwise = saved.ubrmse[saved.names.index("pointwise"), :, 0]
    assert (saved.ubrmse[saved.names.index("innovation/full"), :, 0] <= pointwise).all()


def test_real_members_of_colm(shared: Path, tmp_path: Path) -> None:
    file = shared / "colm/colm2014/global/ensemble_images_2022-156.nc"
    methods = names(("none", "innovation/full", "ensemble/full", "hybrid/full"))
    methods = methods.replace('"hybrid/full"', '{kind = "hybrid/full", coherent_share = 0.0}')  # the noise is white
    text = methods + (
        "time = 2022-06-05T00:00:00Z\nseeds = 1\nnoise = 0.04\n"
        f'[members]\nfile = "{file}"\nvariable = "soil_moisture"\nlayer = [0.0, 0.1]\n'
        '[curvelet]\nfinest = "curvelets"\n'
    )
    saved = read_comparison(compared(tmp_path, text, ranks=2) / "comparison.nc")
    of = dict(zip(saved.names, saved.ubrmse[:, :, 0].mean(axis=1), strict=True))
    # 0.00784 is what the LETKF reaches there at its best length.
    assert of["ensemble/full"] < 0.00784
    assert of["hybrid/full"] < 0.00784
    assert of["innovation/full"] < 1.25 * 0.00784
