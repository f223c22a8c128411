from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
from image_files import write_grid
from matplotlib.figure import Figure
from pictures import mesh_of, on_grid, read_numbers, touching

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import ConfigError, InputError, OutputError
from imgda_mpi.grid import Grid
from imgda_mpi.report.analysis_maps import analysis_picture
from imgda_mpi.report.material import Wanted
from imgda_mpi.report.picture import write_picture
from imgda_mpi.report.tables import score_table
from imgda_mpi.results.analysis_file import read_analysis
from imgda_mpi.results.truth_file import TruthFile
from imgda_mpi.workflow import report as verb

GLOBE = Grid(np.linspace(87.5, -87.5, 36), np.arange(0.0, 360.0, 5.0))
REGION = Grid(np.arange(25.5, 50.0), np.arange(235.5, 295.0))  # rows south-north, columns beyond 180 E
ATTRIBUTES = {
    "title": "A made-up analysis",
    "method": "diagonal",
    "analysis_time": "2022-06-02T06:00:00Z",
    "observation_source": "made-up.nc",
}


def report(directory: Path, truth: Path | None = None, **how: Any) -> str:
    return verb.report([directory], Wanted(), None if truth is None else TruthFile(truth, **how))


def write_images(
    path: Path, grid: Grid, images: dict[str, FloatArray], attributes: dict[str, str] | None = None
) -> None:
    with netCDF4.Dataset(path, "w") as file:
        write_grid(file, grid)
        for name, image in images.items():
            file.createVariable(name, "f8", ("lat", "lon"), fill_value=np.nan)[:] = image
            file[name].units = "m3 m-3"
        file.setncatts(ATTRIBUTES if attributes is None else attributes)


def made_up_images(grid: Grid) -> dict[str, FloatArray]:
    """The background is the truth plus 0.06; the observation is the truth; the analysis goes half of the way."""
    latitude, longitude = np.meshgrid(grid.latitude, grid.longitude, indexing="ij")
    truth = 0.25 + 0.1 * np.sin(np.radians(4 * latitude)) * np.cos(np.radians(3 * longitude))
    truth[(latitude < -60) | (np.cos(np.radians(2 * longitude)) > 0.8)] = np.nan
    observation = truth.copy()
    observation[10:14] = np.nan
    background = truth + 0.06
    increment = np.where(np.isnan(observation), 0.0, -0.03)
    increment[np.isnan(truth)] = np.nan
    analysis = background + increment
    return {"background": background, "observation": observation, "analysis": analysis, "increment": increment}


def write_case(directory: Path, grid: Grid) -> dict[str, FloatArray]:
    images = made_up_images(grid)
    write_images(directory / "diagnostics.nc", grid, images)
    write_images(directory / "truth.nc", grid, {"soil_moisture": images["background"] - 0.06}, {})
    return images


@pytest.fixture(scope="module", params=[GLOBE, REGION], ids=["globe", "region"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Grid, Figure]:
    """A folder with diagnostics, truth and figure; its grid; the figure."""
    directory = tmp_path_factory.mktemp("case")
    write_case(directory, request.param)
    picture = analysis_picture(read_analysis(directory / "diagnostics.nc"))
    write_picture(picture, directory, directory / "figure.png")
    return directory, request.param, picture.figure


def words(line: str) -> str:
    return " ".join(line.split())


def test_the_table_gives_scores_over_the_cells_that_all_three_images_have() -> None:
    reference = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, np.nan]])
    background = np.array([[0.2, 0.3, 0.4], [0.5, np.nan, 0.1]])
    lines = score_table({"observation": (background, reference + 0.01, reference)}).splitlines()
    assert words(lines[2]) == "observation 4 1.000 -> 1.000 0.0000 -> 0.0000 +0.1000 -> +0.0100"
    assert len({len(line) for line in lines[1:]}) == 1


def test_the_table_shows_where_there_is_no_score() -> None:
    image = np.full((2, 2), 0.3)
    lines = score_table({"observation": (image, image, np.full((2, 2), np.nan)), "truth": (image, image, image)})
    assert words(lines.splitlines()[2]) == "observation 0 - -> - - -> - - -> -"
    assert words(lines.splitlines()[3]) == "truth 4 - -> - 0.0000 -> 0.0000 +0.0000 -> +0.0000"


def test_the_report_compares_with_observation_and_truth_and_draws(tmp_path: Path) -> None:
    images = write_case(tmp_path, REGION)
    n_land, n_seen = (int(np.isfinite(images[name]).sum()) for name in ("background", "observation"))
    observation, truth = report(tmp_path, tmp_path / "truth.nc").splitlines()[2:]
    assert words(observation) == f"assimilated {n_seen} 1.000 -> 1.000 0.0000 -> 0.0000 +0.0600 -> +0.0300"
    # Where it is not observed the bias of 0.06 stays: mean and standard deviation of a variable with two values.
    share = n_seen / n_land
    bias, ubrmse = 0.06 - 0.03 * share, 0.03 * np.sqrt(share * (1 - share))
    assert truth.split()[:3] == ["withheld", "truth", str(n_land)]
    assert f"0.0000 -> {ubrmse:.4f}" in truth
    assert f"+0.0600 -> {bias:+.4f}" in truth
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_the_picture_has_the_size_of_the_figure(case: tuple[Path, Grid, Figure]) -> None:
    directory, _, figure = case
    header = (directory / "figure.png").read_bytes()[:24]
    width, height = (int.from_bytes(header[start : start + 4], "big") for start in (16, 20))
    assert (width, height) == tuple(int(inches * figure.dpi) for inches in figure.get_size_inches())
    assert width == 1500


def test_the_panels_show_the_images_where_they_lie(case: tuple[Path, Grid, Figure]) -> None:
    _, grid, figure = case
    titles = [panel.get_title(loc="left") for panel in figure.axes[:4]]
    assert titles == ["(a) Background", "(b) Observation", "(c) Analysis", "(d) Increment"]
    images = made_up_images(grid)
    for panel, name in enumerate(("background", "observation", "analysis", "increment")):
        mesh = mesh_of(figure.axes[panel])
        centres = mesh.get_coordinates()
        centres = 0.25 * (centres[1:, 1:] + centres[:-1, 1:] + centres[1:, :-1] + centres[:-1, :-1])
        drawn = np.ma.filled(np.ma.asarray(mesh.get_array()), np.nan)
        rows = [int(np.abs(grid.latitude - latitude).argmin()) for latitude in centres[:, 0, 1]]
        columns = [int(np.abs((grid.longitude - x + 180) % 360 - 180).argmin()) for x in centres[0, :, 0]]
        np.testing.assert_array_equal(drawn, images[name][np.ix_(rows, columns)])


def test_moisture_has_the_same_colours_and_the_increment_is_centred_on_zero(case: tuple[Path, Grid, Figure]) -> None:
    _, _, figure = case
    meshes = [mesh_of(figure.axes[panel]) for panel in range(4)]
    assert [mesh.get_clim() for mesh in meshes] == [(0.0, 0.5)] * 3 + [(-0.03, 0.03)]
    assert len({mesh.get_cmap().name for mesh in meshes[:3]}) == 1
    bars = [bar.get_xlabel() for bar in figure.axes[4:]]
    assert len(bars) == 2
    assert all("m³ m⁻³" in label for label in bars)


def test_axes_are_labelled_and_the_caption_tells_method_time_and_scores(case: tuple[Path, Grid, Figure]) -> None:
    _, grid, figure = case
    longitudes = [tick.get_text() for tick in figure.axes[2].get_xticklabels()]
    latitudes = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert {"120°W"} <= set(longitudes)
    assert {"30°N"} <= set(latitudes)
    assert ("60°E" in longitudes) == grid.is_periodic
    caption = " ".join(figure.get_supxlabel().split())
    for part in ("diagonal", "2022-06-02T06:00:00Z", "made-up.nc", "SCC 1.00 → 1.00", "bias +0.060 → +0.030", "White"):
        assert part in caption


def test_rows_without_land_at_the_ends_are_left_out(case: tuple[Path, Grid, Figure]) -> None:
    _, grid, figure = case
    south, north = figure.axes[0].get_ylim()
    # The made-up globe has land from 60 S to 90 N, and two rows of margin.
    assert (south, north) == ((-70.0, 90.0) if grid.is_periodic else (25.0, 50.0))


def test_an_analysis_without_observation_or_increment_can_be_drawn(tmp_path: Path) -> None:
    images = made_up_images(REGION)
    images["observation"][:] = np.nan
    images["analysis"], images["increment"] = images["background"], 0.0 * images["background"]
    write_images(tmp_path / "diagnostics.nc", REGION, images, ATTRIBUTES | {"observation_source": "none"})
    assert report(tmp_path).splitlines()[2].split()[:2] == ["assimilated", "0"]
    assert (tmp_path / "figure.png").is_file()


@pytest.mark.parametrize(
    "other",
    [
        Grid(REGION.latitude + 0.5, REGION.longitude),
        Grid(REGION.latitude[::-1].copy(), REGION.longitude),
        Grid(REGION.latitude, REGION.longitude[:-1]),
        GLOBE,
    ],
    ids=["shifted", "upside down", "one column less", "another one"],
)
def test_a_truth_on_another_grid_is_refused(tmp_path: Path, other: Grid) -> None:
    write_case(tmp_path, REGION)
    write_images(tmp_path / "truth.nc", other, {"soil_moisture": np.full(other.shape, 0.3)})
    with pytest.raises(InputError, match=r"truth\.nc: soil_moisture: found a grid of .* expected a grid of 25 x 60"):
        report(tmp_path, tmp_path / "truth.nc")
    assert not (tmp_path / "figure.png").exists()


def test_a_truth_in_single_precision_coordinates_is_on_the_same_grid(tmp_path: Path) -> None:
    write_case(tmp_path, REGION)
    rounded = Grid(REGION.latitude + 1e-6, REGION.longitude - 1e-6)
    write_images(tmp_path / "truth.nc", rounded, {"soil_moisture": np.full(REGION.shape, 0.3)})
    assert "withheld truth" in report(tmp_path, tmp_path / "truth.nc")


def test_a_truth_is_taken_by_its_variable_layer_and_time(tmp_path: Path) -> None:
    images = write_case(tmp_path, REGION)
    path = tmp_path / "truth.nc"
    with netCDF4.Dataset(path, "w") as file:
        write_grid(file, REGION)
        for name, values, units in (
            ("depth", [0.05, 0.25], "m"),
            ("time", [0.0, 240.0], "hours since 2022-06-02 06:00"),
        ):
            file.createDimension(name, 2)
            file.createVariable(name, "f8", (name,))[:] = values
            file[name].units = units
        file["depth"].bounds, file["depth"].positive = "depth_bounds", "down"
        file.createDimension("ends", 2)
        file.createVariable("depth_bounds", "f8", ("depth", "ends"))[:] = [[0.0, 0.1], [0.1, 0.4]]
        file.createVariable("wetness", "f8", ("time", "depth", "lat", "lon"), fill_value=np.nan)[:] = 0.5
        file["wetness"].units = "m3 m-3"
        file["wetness"][1, 0] = images["background"] - 0.06
    later = datetime(2022, 6, 12, 6, tzinfo=UTC)
    said = report(tmp_path, path, variable="wetness", layer=(0.0, 0.1), time=later)
    assert words(said.splitlines()[3]).startswith("withheld truth ")
    assert "+0.0600 -> " in said.splitlines()[3]
    for wrong, expected in (
        ({"layer": (0.0, 0.1), "time": later}, r"truth\.nc: soil_moisture: found no such variable"),
        ({"variable": "wetness", "time": later}, r"truth\.nc: wetness: found .*layer"),
        ({"variable": "wetness", "layer": (0.0, 0.2), "time": later}, r"truth\.nc: .*expected"),
        (
            {"variable": "wetness", "layer": (0.0, 0.1), "time": datetime(2022, 6, 7, tzinfo=UTC)},
            r"found 2022-06-02 06:00 UTC as",
        ),
    ):
        with pytest.raises(InputError, match=expected):
            report(tmp_path, path, **wrong)


def write_timed_truth(folder: Path, *hours: float, units: str = "hours since 2022-06-02 00:00:00") -> Path:
    """The truth of the made-up case as the last of several times, the others being far too wet."""
    write_case(folder, REGION)
    with netCDF4.Dataset(folder / "truth.nc", "a") as file:
        file.renameVariable("soil_moisture", "single_image")
        file.createDimension("time", len(hours))
        file.createVariable("time", "f8", ("time",))[:] = hours
        file["time"].units = units
        truth = file.createVariable("soil_moisture", "f8", ("time", "lat", "lon"), fill_value=np.nan)
        truth[:] = np.full((len(hours), *REGION.shape), 0.9)
        truth[-1] = file["single_image"][:]
        truth.units = "m3 m-3"
    return folder / "truth.nc"


def test_the_truth_of_the_time_of_the_analysis_is_taken(tmp_path: Path) -> None:
    write_case(tmp_path, REGION)
    without_time = report(tmp_path, tmp_path / "truth.nc")
    (tmp_path / "timed").mkdir()
    assert report(tmp_path, write_timed_truth(tmp_path / "timed", -18.0, 6.0)) == without_time


def test_a_truth_of_another_time_or_of_none_that_is_understood_is_refused(tmp_path: Path) -> None:
    truth = write_timed_truth(tmp_path, 30.0)
    with pytest.raises(
        InputError, match=r"truth\.nc: .*found 2022-06-03 06:00 UTC .*expected 2022-06-02 06:00 UTC ± 3 h"
    ):
        report(tmp_path, truth)
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"time: found units .day as %Y"):
        report(tmp_path, write_timed_truth(tmp_path / "other", 20220602.25, units="day as %Y%m%d.%f"))


def test_a_file_that_is_not_of_an_analysis_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found no comparison\.nc, .* or diagnostics\.nc"):
        report(tmp_path)
    write_images(tmp_path / "diagnostics.nc", REGION, made_up_images(REGION), {"title": "no method"})
    with pytest.raises(InputError, match="no attribute method"):
        report(tmp_path)


def test_a_page_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    write_case(tmp_path, REGION)
    (tmp_path / "report").write_text("a file of the user's")
    with pytest.raises(OutputError, match=r"report: .*give another one with --output"):
        report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_truth_beside_something_else_than_one_analysis_is_refused(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
        write_case(folder, REGION)
    with pytest.raises(ConfigError, match="is for one analysis alone, and not for 2 folders; leave it out"):
        verb.report(folders, Wanted(), TruthFile(folders[0] / "truth.nc"))


def test_the_numbers_behind_the_maps_are_those_that_are_drawn(case: tuple[Path, Grid, Figure]) -> None:
    directory, grid, figure = case
    columns = read_numbers(directory / "figure.csv")
    assert list(columns) == [
        *("latitude_degrees_north", "longitude_degrees_east"),
        *("background_m3_m-3", "observation_m3_m-3", "analysis_m3_m-3", "increment_m3_m-3"),
    ]
    images = made_up_images(grid)
    for panel, name in enumerate(("background", "observation", "analysis", "increment")):
        again = on_grid(columns, f"{name}_m3_m-3", grid)
        np.testing.assert_allclose(again, images[name], rtol=1e-6)
        drawn = np.ma.filled(np.ma.asarray(mesh_of(figure.axes[panel]).get_array()), np.nan)
        np.testing.assert_allclose(np.sort(drawn.ravel()), np.sort(again.ravel()), rtol=1e-6)


def test_titles_are_above_the_frames_and_inside_the_figure(case: tuple[Path, Grid, Figure]) -> None:
    assert touching(case[2]) == []
