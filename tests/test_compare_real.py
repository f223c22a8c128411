"""Comparisons on real observations, judged by another image or by stations."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from launch import differing, imgda
from mpi4py import MPI
from real_comparisons import FIRST, N_DAYS, REGION, STATIONS, WITHOUT, Region, write_image, write_region

from imgda_mpi.faults import ConfigError, InputError, OutputError
from imgda_mpi.report.comparison_table import comparison_table
from imgda_mpi.report.material import Wanted
from imgda_mpi.results.comparison_file import SavedComparison, read_comparison
from imgda_mpi.results.kept_draws import KeptDraws
from imgda_mpi.settings.comparison import Comparison
from imgda_mpi.settings.file import read_settings
from imgda_mpi.verify.block_bootstrap import FISHER, intervals
from imgda_mpi.workflow.compare import check_comparison, compare
from imgda_mpi.workflow.report import report

GAIN = 0.15**2 / (0.15**2 + 0.1**2)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Region:
    return write_region(tmp_path_factory.mktemp("region"))


@pytest.fixture(scope="module")
def by_image(files: Region) -> SavedComparison:
    """The comparison that one process makes in one go, judged by the image; its folder is ``image``."""
    return files.compared("image", output="image")


@pytest.fixture(scope="module")
def by_stations(files: Region) -> SavedComparison:
    """The same judged by the stations; its folder is ``stations``."""
    return files.compared("stations", output="stations")


@pytest.fixture
def region(files: Region, tmp_path: Path) -> Region:
    """The files in a folder of their own, without results."""
    shutil.copytree(
        files.folder, tmp_path / "case", ignore=shutil.ignore_patterns("image*", "stations", "stations.toml")
    )
    return Region(tmp_path / "case", files.background, files.observation, files.judge, files.stations)


def test_an_image_judges_where_background_observation_and_judge_have_a_value(
    files: Region, by_image: SavedComparison
) -> None:
    saved = by_image
    assert saved.judged_by == "judge"
    assert saved.n_passed_over == 30 - N_DAYS + len(WITHOUT)
    assert saved.grid.has_cells_of(REGION)
    of = dict(zip(saved.names, saved.ubrmse, strict=True))
    for draw, day in enumerate(files.days):
        background, observation, judge = files.background[day], files.observation[day], files.judge[day]
        for where, seen in ((1, np.isfinite(observation)), (2, ~np.isfinite(observation))):
            cells = np.isfinite(background) & np.isfinite(judge) & seen
            assert saved.n_cells[draw, where] == cells.sum() > 0
            analysis = background + np.where(np.isfinite(observation), GAIN * (observation - background), 0.0)
            for name, image in (("none", background), ("pointwise", analysis)):
                error = (image - judge)[cells]
                assert of[name][draw, where] == pytest.approx(error.std(), rel=1e-9)
    # What judges is not assimilated: the analysis sees the row that the judge has not.
    increment = saved.images["pointwise"] - saved.images["background"]
    assert (np.abs(increment[2, 2:12]) > 0).all()
    assert of["innovation/full"][:, 1].mean() < 0.9 * of["none"][:, 1].mean()
    table = comparison_table(saved)
    assert f"{len(files.days)} times (8 without a file passed over)" in table
    assert table.index("observed land") < table.index("all land")
    assert "ubRMSE - none" in table


def test_stations_judge_over_the_times(files: Region, by_stations: SavedComparison) -> None:
    saved = by_stations
    assert saved.stations is not None
    assert saved.stations.names == ["wet", "dry", "late"]  # one is off the land, one outside the region
    scored = saved.station_scores
    assert scored is not None
    assert scored.n_pairs.tolist() == [21, 21, 5]  # one day has too few values
    assert scored.used.tolist() == [0, 1]
    for station, name in enumerate(("wet", "dry")):
        latitude, longitude = STATIONS[name]
        place = np.abs(REGION.latitude - latitude).argmin(), np.abs(REGION.longitude - longitude).argmin()
        measured = files.stations[name][files.days]
        background = np.array([files.background[day][place] for day in files.days])
        observed = np.array([files.observation[day][place] for day in files.days])
        there = np.isfinite(measured)
        for method, series in ((0, background), (1, background + GAIN * (observed - background))):
            a, b = series[there], measured[there]
            expected = np.corrcoef(a, b)[0, 1], (a - b).std(), (a - b).mean()
            np.testing.assert_allclose(scored.values[:, method, station], expected, rtol=1e-9)
    table = comparison_table(saved)
    assert "2 stations, 42 pairs; 1 with fewer than 10 pairs left out" in table
    assert "minus none" in table
    assert "minus pointwise" in table
    assert f"blocks of times are drawn anew 1000 times, {scored.block} in a block" in table
    for number in range(3):
        mean = scored.values[0, number].mean(keepdims=True)
        low, high = intervals(mean, scored.resampled[0, number][:, None], scored.n_blocks, FISHER)
        assert low < mean < high


@pytest.mark.usefixtures("by_image", "by_stations")
def test_figures_of_a_region(files: Region) -> None:
    for judge, spectra in (("image", True), ("stations", False)):
        folder = files.folder / judge
        assert report([folder], Wanted()) + "\n" == (folder / "table.txt").read_text()
        assert (folder / "figure.png").stat().st_size > 20_000
        assert (folder / "report/spectra.png").exists() == spectra
        assert (folder / "report/stations.png").exists() != spectra


def killed(region: Region, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """A comparison that ends after so many draws, with the files that it leaves."""
    put = KeptDraws.put

    def dying(self: KeptDraws, number: int, outcome: object) -> None:
        if number == after:
            raise KeyboardInterrupt
        put(self, number, outcome)

    monkeypatch.setattr(KeptDraws, "put", dying)
    with pytest.raises(KeyboardInterrupt):
        region.compared("image", output="killed")
    monkeypatch.undo()


@pytest.mark.usefixtures("by_image")
def test_a_killed_run_goes_on_on_more_ranks_and_gives_the_same_bits(
    files: Region, region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(region, monkeypatch, after=7)
    kept = region.folder / "killed.draws"
    assert len(list(kept.glob("*.npz"))) == 7
    (kept / "000003.npz").write_bytes(b"PK damaged")
    done = imgda("compare", region.folder / "killed.toml", ranks=2)
    assert done.returncode == 0, done.stderr
    assert "6 of 22 draws were there" in done.stderr
    assert differing(files.folder / "image/comparison.nc", region.folder / "killed/comparison.nc") <= {
        "time_taken",
        "/settings",
    }
    assert not kept.exists()
    assert not (files.folder / "image.draws").exists()


def test_draws_of_other_settings_are_refused(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    killed(region, monkeypatch, after=2)
    settings = read_settings(region.settings("image", "errors.observation = 0.05", "killed"), Comparison)
    for verb in (check_comparison, compare):
        with pytest.raises(OutputError, match=r"killed.draws: found draws of a run with other settings.*\[output\]"):
            verb(settings, MPI.COMM_SELF)
    assert len(list((region.folder / "killed.draws").glob("*.npz"))) == 2
    # Other images under the same names are another comparison too.
    write_image(region.folder / f"judge_{FIRST:%Y%m%d}.nc", region.judge[1][None], FIRST)
    with pytest.raises(OutputError, match="inputs or another version"):
        check_comparison(read_settings(region.settings("image", output="killed"), Comparison), MPI.COMM_SELF)


@pytest.mark.usefixtures("by_stations")
def test_three_ranks_have_the_bits_of_one(files: Region, region: Region) -> None:
    """Judged by stations; those of an image have them where a killed run goes on."""
    done = imgda("compare", region.settings("stations", output="together"), ranks=3)
    assert done.returncode == 0, done.stderr
    found = differing(files.folder / "stations/comparison.nc", region.folder / "together/comparison.nc")
    assert found <= {"time_taken", "/settings"}


def checked(region: Region, judge: str = "image", more: str = "", change: tuple[str, str] = ("", "")) -> None:
    settings = region.settings(judge, more)
    settings.write_text(settings.read_text().replace(*change))
    check_comparison(read_settings(settings, Comparison), MPI.COMM_SELF)


def test_what_stops_is_found_by_check(region: Region) -> None:
    (region.folder / "seen_20200501_again.nc").touch()
    with pytest.raises(InputError, match=r"seen_20200501_\*.nc: found 2 files of this pattern.*see \[observation\]"):
        checked(region)
    (region.folder / "seen_20200501_again.nc").unlink()
    with pytest.raises(
        ConfigError, match=r"none of 30 with a file of every section \(the first has no \[judge\] .*x_2"
    ):
        checked(region, change=("judge_%", "x_%"))
    with pytest.raises(InputError, match=r"3 stations on land with at most 2 means in 2 times.*see \[judge\]"):
        checked(region, "stations", change=("last = 2020-05-30", "last = 2020-05-02"))
    with pytest.raises(InputError, match=r"in 1 record\(s\), expected records of 2020-05-01 00:30 UTC to before"):
        checked(region, change=("first = 2020-05-01T00:00:00Z", "first = 2020-05-01T00:30:00Z"))


def test_a_judge_that_is_assimilated_is_a_warning(region: Region, caplog: pytest.LogCaptureFixture) -> None:
    checked(region)
    assert "is what was assimilated" not in caplog.text
    checked(region, change=("judge_%Y%m%d.nc", "seen_%Y%m%d_*.nc"))
    assert "[judge] and [observation] are one file" in caplog.text
    assert "the judge is what was assimilated" in caplog.text


def test_images_of_other_dates_are_a_warning(region: Region, caplog: pytest.LogCaptureFixture) -> None:
    text = region.settings("image").read_text()
    text = text.replace("[judge]\n", "[judge]\ntime = 2020-05-20T00:00:00Z\n")
    times = re.search(r"times = .*\n", text)[0]
    (region.folder / "far.toml").write_text(text.replace(times, "time = 2020-05-02T00:00:00Z\n"))
    check_comparison(read_settings(region.folder / "far.toml", Comparison), MPI.COMM_SELF)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any(
        line.startswith("background of 2020-05-02, observation of 2020-05-02, judge of 2020-05-20") for line in warned
    )


def test_one_time_without_a_window(region: Region) -> None:
    settings = region.settings("image")
    text = settings.read_text()
    start, end = text.index("times ="), text.index("[background]")
    text = f"{text[:start]}time = 2020-05-03T12:00:00Z\n{text[end:]}"
    settings.write_text(text.replace('"sm"', '"sm"\nmax_time_offset = 12'))
    compare(read_settings(settings, Comparison), MPI.COMM_SELF)
    saved = read_comparison(region.folder / "out/comparison.nc")
    # The third record of the day.
    np.testing.assert_allclose(saved.images["background"][1], region.background[2][1] + 0.02, rtol=1e-6)


def test_errors_of_windows_of_a_region(region: Region) -> None:
    """The same images by `imgda_mpi errors`: three products, days without one of them, the grid of the background."""
    text = (
        'times = {first = 2020-05-01T00:00:00Z, last = 2020-05-30T00:00:00Z, step = "1 day"}\n'
        'window = "1 day"\ngrid = "background"\n'
    )
    for section, file in (
        ("background", "background_%Y%m%d"),
        ("observation", "seen_%Y%m%d_*"),
        ("third", "judge_%Y%m%d"),
    ):
        text += f'[{section}]\nkind = "cf"\nfile = "{file}.nc"\nvariable = "sm"\n'
    (region.folder / "errors.toml").write_text(text)
    alone, together = (imgda("errors", region.folder / "errors.toml", ranks=ranks) for ranks in (0, 2))
    assert alone.returncode == together.returncode == 0, alone.stderr + together.stderr
    assert alone.stdout == together.stdout
    assert f"{30 - len(region.days)} of 30 times without a file of every section are passed over" in alone.stderr
    common = sum(
        np.count_nonzero(np.isfinite(region.background[day] + region.observation[day] + region.judge[day]))
        for day in region.days
    )
    assert f"{len(region.days)} time(s), {common} cells that all three have" in alone.stderr
    share = float(re.search(r"coherent_share = ([\d.]+)", alone.stdout)[1])
    assert 0 < share < 1


def test_windows_of_ghana_at_the_stations(shared: Path, tmp_path: Path) -> None:
    """Computed by another program with other readers: ERA5, SMAP on its cells, and the stations of TAHMO."""
    data = shared / "data/ghana_2019_2021"
    names = sorted(file.name for file in (data / "era5").glob("*.nc"))
    starts = [name.split("_")[1] for name in names if (data / "smap" / name.replace("ERA5", "SMAP")).exists()]
    times = ", ".join(f"{start[:4]}-{start[4:6]}-{start[6:]}T00:00:00Z" for start in starts)
    settings = tmp_path / "ghana.toml"
    settings.write_text(
        'methods = ["none", "pointwise", {kind = "pointwise", background_error = 0.072761}, "innovation/full"]\n'
        f'times = [{times}]\nwindow = "3 days"\ngrid = "background"\n'
        f'[background]\nkind = "cf"\nfile = "{data}/era5/ERA5_%Y%m%d_*.nc"\nvariable = "swvl1"\n'
        'mask = {variable = "lsm", min = 0.5}\n'
        f'[observation]\nkind = "points"\nfile = "{data}/smap/SMAP_%Y%m%d_*.nc"\nvariable = "soil_moisture"\n'
        f'max_time_offset = inf\n[judge]\nkind = "ismn"\nfile = "{data}/ismn_tahmo_header_20190101_20220101.zip"\n'
        '[output]\ndirectory = "out"\n'
    )
    compare(read_settings(settings, Comparison), MPI.COMM_SELF)
    scored = read_comparison(tmp_path / "out/comparison.nc").station_scores
    assert scored is not None
    assert (scored.used.size, scored.n_pairs.sum()) == (21, 1544)
    expected = [[0.7999, 0.8268, 0.8303], [0.0528, 0.0444, 0.0460]]
    r, ubrmse = scored.values[:2].mean(axis=2)
    np.testing.assert_allclose([r[:3], ubrmse[:3]], expected, atol=1e-4)
    # A share of what is coherent is SMAP's: with the share of none R is below that of ERA5.
    assert r[3] > 0.835
    assert ubrmse[3] < 0.0405
