"""Figs. 9 to 12 of a report, held against numbers recomputed from their tables and from what was verified."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from pictures import touching
from stations_made import PERIODS, TIMES, made_stations

from imgda_mpi.report.material import Material, Wanted
from imgda_mpi.report.picture import Picture, Section
from imgda_mpi.report.point_maps import regions_with_points
from imgda_mpi.report.station_anomalies import anomalies_section, chosen_day
from imgda_mpi.report.station_lines import shown_stations, station_lines_section
from imgda_mpi.report.station_maps import station_maps_section
from imgda_mpi.report.theme import MINUS
from imgda_mpi.results.station_scores_file import StationVerification
from imgda_mpi.verify.regions import BOXES, in_box


def material_of(*stations: StationVerification, **wanted: object) -> Material:
    return Material(title="", folders=(), wanted=Wanted(**wanted), stations=stations)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> StationVerification:
    return made_stations(tmp_path_factory.mktemp("stations"))


def table_of(picture: Picture, folder: Path) -> dict[str, list[str]]:
    """The numbers behind a picture, from their file."""
    picture.numbers.write(folder / "numbers.csv")
    with (folder / "numbers.csv").open(newline="") as text:
        rows = list(csv.DictReader(text))
    return {name: [row[name] for row in rows] for name in rows[0]}


def numbers(column: list[str]) -> np.ndarray:
    return np.array([float(text) if text else np.nan for text in column])


def points_of(axes: Axes) -> PathCollection:
    (points,) = [one for one in axes.collections if isinstance(one, PathCollection)]
    return points


def drawn(axes: Axes) -> dict[tuple[float, float], float]:
    """Values by longitude and latitude."""
    points = points_of(axes)
    places = np.asarray(points.get_offsets())
    values = np.ma.getdata(points.get_array())
    return {
        (round(float(x), 2), round(float(y), 2)): float(value) for (x, y), value in zip(places, values, strict=True)
    }


def corner(axes: Axes) -> str:
    return axes.texts[0].get_text().replace(MINUS, "-")


def titles(figure: Figure, n: int) -> list[str]:
    return [" ".join(axes.get_title(loc="left").split()) for axes in figure.axes[:n]]


def section(made: Section | str) -> Section:
    assert isinstance(made, Section)
    return made


def test_maps_show_what_their_table_has_and_corners_its_means(found: StationVerification, tmp_path: Path) -> None:
    made = section(station_maps_section(material_of(found)))
    assert [picture.name for picture in made.pictures] == [
        "stations_sites_assimilation_correlation",
        "stations_sites_assimilation_ubrmse",
    ]
    assert [picture.label for picture in made.steps] == ["sites, forecast, correlation", "sites, forecast, ubRMSE"]
    for picture, column, score in zip(made.pictures, ("correlation", "ubrmse_m3_m-3"), (0, 1), strict=True):
        table = table_of(picture, tmp_path)
        latitude, longitude = (
            numbers(table[f"{name}"]) for name in ("latitude_degrees_north", "longitude_degrees_east")
        )
        rows = {
            "control": numbers(table[f"control_{column}"]),
            "paper": numbers(table[f"paper_{column}"]),
            f"paper {MINUS} control": numbers(table[f"paper_{column}"]) - numbers(table[f"control_{column}"]),
        }
        np.testing.assert_allclose(numbers(table[f"change_{column}"]), rows[f"paper {MINUS} control"], atol=1e-6)
        axes = iter(picture.figure.axes)
        for row, values in rows.items():
            for region in ("China", "US"):
                panel = next(axes)
                assert panel.get_title(loc="left").replace("\n", " ").endswith(f"{row}, {region}")
                inside = in_box(latitude, longitude, BOXES[region]) & np.isfinite(values)
                shown = drawn(panel)
                assert len(shown) == inside.sum() > 5
                for x, y, value in zip(longitude[inside], latitude[inside], values[inside], strict=True):
                    assert shown[round(x, 2), round(y, 2)] == pytest.approx(value, abs=1e-6)
                form = ("+" if MINUS in row else "") + (".2f" if score == 0 else ".3f")
                assert corner(panel).startswith(f"mean {values[inside].mean():{form}}, n {inside.sum()}")
                if MINUS not in row:
                    assert f"{values[inside].mean():{form}} of {row}" in picture.caption
                west, east, south, north = BOXES[region][2:] + BOXES[region][:2]
                assert panel.get_xlim() == (west, east)
                assert panel.get_ylim()[0] < south
                assert panel.get_ylim()[1] == north
        # The same limits in all panels of runs, and around zero in those of changes.
        limits = [points_of(panel).get_clim() for panel in picture.figure.axes[:6]]
        assert len(set(limits[:4])) == len(set(limits[4:])) == 1
        assert limits[4][0] == -limits[4][1]
        assert "independent" in picture.caption
        assert "independent" in picture.figure.texts[0].get_text()


def test_means_in_corners_are_those_that_were_verified(found: StationVerification) -> None:
    picture = section(station_maps_section(material_of(found))).pictures[0]
    for number, region in enumerate(("China", "US")):
        of_region = list(found.regions).index(region)
        assert corner(picture.figure.axes[number]).startswith(f"mean {found.results.means[0, 0, 0, of_region]:.2f}")
        changed = found.results.mean_differences[0, 0, 1, of_region]
        assert corner(picture.figure.axes[4 + number]).startswith(f"mean {changed:+.2f}")


def test_significant_changes_have_a_thick_outline(found: StationVerification, tmp_path: Path) -> None:
    picture = section(station_maps_section(material_of(found))).pictures[0]
    table = table_of(picture, tmp_path)
    sure = numbers(table["change_of_R_is_significant"]) == 1
    low, high = found.results.difference_ends[:, 0, 0, 1]
    np.testing.assert_array_equal(sure, (low > 0) | (high < 0))
    change = numbers(table["change_correlation"])
    for panel, region in zip(picture.figure.axes[4:6], ("China", "US"), strict=True):
        inside = numbers(table[f"in_{region}"]) == 1
        widths = np.broadcast_to(points_of(panel).get_linewidths(), len(drawn(panel)))
        assert (widths > 1).sum() == (sure & inside).sum() > 0
        better, worse = (sure & inside & (change > 0)).sum(), (sure & inside & (change < 0)).sum()
        assert corner(panel).endswith(f"significantly better {better}, worse {worse}")
    assert np.all(np.asarray(points_of(picture.figure.axes[0]).get_linewidths()) < 1)


def test_better_is_blue_for_both_scores(found: StationVerification) -> None:
    for picture, best in zip(section(station_maps_section(material_of(found))).pictures, (1.0, -1.0), strict=True):
        points = points_of(picture.figure.axes[4])
        red, _, blue, _ = points.get_cmap()(0.5 + 0.4 * best)
        assert blue > red


def test_the_table_counts_stations_of_every_run(tmp_path: Path) -> None:
    found = made_stations(tmp_path, n_runs=3)
    made = section(station_maps_section(material_of(found)))
    head, *rows = made.tables[0].rows
    assert len(rows) == len(PERIODS) * len(found.regions) * 3
    row = dict(zip(head[:7], next(r for r in rows if r[:3] == ["paper", "China", "assimilation"])[:7], strict=True))
    inside = found.regions["China"]
    change = (found.results.values[0, 0, 1] - found.results.values[0, 0, 0])[inside]
    low, high = found.results.difference_ends[:, 0, 0, 1][:, inside]
    assert row["n"] == str(np.isfinite(change).sum())
    assert row["R"] == f"{np.nanmean(found.results.values[0, 0, 1, inside]):.2f}"
    counts = f"{(change > 0).sum()} of {np.isfinite(change).sum()} ({(low > 0).sum()}, {(high < 0).sum()})"
    assert row["R better at"] == counts
    # Maps are of the last run.
    assert titles(made.pictures[0].figure, 3)[2] == "(c) Correlation, nature, China"


def test_stations_of_one_region_have_both_scores_in_one_picture(tmp_path: Path) -> None:
    found = made_stations(tmp_path, boxes=False, n_runs=1)
    made = section(station_maps_section(material_of(found)))
    assert made.tables == []
    assert [picture.name for picture in made.pictures] == ["stations_sites_assimilation_correlation_ubrmse"]
    axes = made.pictures[0].figure.axes[:2]
    assert titles(made.pictures[0].figure, 2) == [
        "(a) Correlation, control, all stations",
        "(b) ubRMSE, control, all stations",
    ]
    for panel in axes:
        places = np.asarray(points_of(panel).get_offsets())
        (west, east), (south, north) = panel.get_xlim(), panel.get_ylim()
        assert west < places[:, 0].min() <= places[:, 0].max() < east
        assert south < places[:, 1].min() <= places[:, 1].max() < north


def test_what_holds_points_goes_over_the_date_line() -> None:
    latitude, longitude = np.array([-17.0, -18.0]), np.array([178.0, -179.0])
    (region,) = regions_with_points(latitude, longitude, {"all": np.ones(2, bool)}, {})
    west, east, south, north = region.extent
    assert 170 < west < 178
    assert 181 < east < 190
    assert south < -18 < -17 < north


def lines_of(axes: Axes) -> list[np.ndarray]:
    return [np.asarray(line.get_ydata(), float) for line in axes.lines if len(line.get_ydata()) > 2]


def test_series_show_their_table_and_say_its_correlations(found: StationVerification, tmp_path: Path) -> None:
    (picture,) = section(station_lines_section(material_of(found))).pictures
    table = table_of(picture, tmp_path)
    names, times = np.array(table["station"]), np.array(table["time"])
    shown = list(dict.fromkeys(names))
    assert len(shown) == 6
    panels = [axes for axes in picture.figure.axes if lines_of(axes)]
    rains = [axes for axes in picture.figure.axes if axes.patches and not lines_of(axes)]
    assert len(panels) == len(rains) == 6
    first, last = (f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in PERIODS["assimilation"])
    for name, axes, rain in zip(shown, panels, rains, strict=True):
        of = names == name
        measured, control, paper = (
            numbers(table[f"{one}_m3_m-3"])[of[: len(names)]] for one in ("measured", "control", "paper")
        )
        for line, values in zip(lines_of(axes), (measured, control, paper), strict=True):
            np.testing.assert_allclose(line, values, atol=1e-6)
        when = (times[of] >= first) & (times[of] <= last)
        there = when & np.isfinite(measured) & np.isfinite(control) & np.isfinite(paper)
        of_runs = [np.corrcoef(values[there], measured[there])[0, 1] for values in (control, paper)]
        said = f"R control {of_runs[0]:.2f}, R paper {of_runs[1]:.2f}"
        assert corner(axes) == said
        assert said in picture.caption.replace(MINUS, "-") or said in picture.alt.replace(MINUS, "-")
        daily = numbers(table["rain_mm_day-1"])[of].reshape(-1, 2).mean(axis=1)
        np.testing.assert_allclose([bar.get_height() for bar in rain.patches], daily, atol=1e-6)
        assert rain.get_ylim()[0] > rain.get_ylim()[1] == 0.0
    assert len({axes.get_ylim() for axes in panels}) == 1
    assert len({axes.get_ylim() for axes in rains}) == 1
    assert "chosen by a rule" in picture.caption
    assert "independent" in picture.caption


def test_the_series_are_of_gain_loss_and_median_of_each_region(found: StationVerification) -> None:
    shown, how = shown_stations(found, material_of(found))
    change = found.results.values[0, 0, 1] - found.results.values[0, 0, 0]
    sure = found.results.difference_ends[0, 0, 0, 1] > 0
    for region, three in (("China", shown[:3]), ("US", shown[3:])):
        inside = np.flatnonzero(found.regions[region] & np.isfinite(change))
        gain, loss, median = (one.number for one in three)
        assert change[gain] == change[inside[sure[inside]]].max()
        assert change[loss] == change[inside].min()
        assert (change[inside] < change[median]).sum() == inside.size // 2
        assert [one.why for one in three] == [
            f"largest significant gain, {region}",
            f"{'largest loss' if change[loss] < 0 else 'smallest gain'}, {region}",
            f"median change, {region}",
        ]
    assert "the largest, the smallest and the median" in how


def test_points_that_are_wanted_have_the_nearest_stations(found: StationVerification) -> None:
    number = list(found.places.names).index("N US-3")
    point = float(found.places.latitude[number]) + 0.01, float(found.places.longitude[number]) + 360.0
    shown, how = shown_stations(found, material_of(found, points=[point, point]))
    assert [one.number for one in shown] == [number]
    assert "nearest" in how


def test_anomalies_show_their_table_and_the_correlations_verified(found: StationVerification, tmp_path: Path) -> None:
    (picture,) = section(anomalies_section(material_of(found))).pictures
    table = table_of(picture, tmp_path)
    columns = {
        "control": "control_anomaly_m3_m-3",
        "paper": "paper_anomaly_m3_m-3",
        "Stations": "station_anomaly_m3_m-3",
        "Rain": "rain_mm_day-1",
    }
    longitude, latitude = numbers(table["longitude_degrees_east"]), numbers(table["latitude_degrees_north"])
    measured = numbers(table["station_anomaly_m3_m-3"])
    axes = iter(picture.figure.axes)
    for name, column in columns.items():
        values = numbers(table[column])
        for region in ("China", "US"):
            panel = next(axes)
            assert panel.get_title(loc="left").endswith(f"{name}, {region}")
            inside = in_box(latitude, longitude, BOXES[region]) & np.isfinite(measured)
            shown = drawn(panel)
            assert len(shown) == inside.sum() >= 10
            for x, y, value in zip(longitude[inside], latitude[inside], values[inside], strict=True):
                assert shown[round(x, 2), round(y, 2)] == pytest.approx(value, abs=1e-6)
            if name in ("control", "paper"):
                said = f"{np.corrcoef(values[inside], measured[inside])[0, 1]:.2f}"
                assert corner(panel) == f"R {said}, n {inside.sum()}"
                assert f"{name} {said}" in picture.caption.replace(MINUS, "-")
    limits = [points_of(panel).get_clim() for panel in picture.figure.axes[:6]]
    assert len(set(limits)) == 1
    assert limits[0][0] == -limits[0][1]


def test_anomalies_are_of_the_day_that_is_wanted_or_of_most_rain(found: StationVerification, tmp_path: Path) -> None:
    day = np.array([time.date().toordinal() for time in TIMES])
    rain = np.array([found.rain[day == one].mean() for one in np.unique(day)])
    wettest = date.fromordinal(int(np.unique(day)[rain.argmax()]))
    (picture,) = section(anomalies_section(material_of(found))).pictures
    assert f"{wettest.day} {wettest:%B %Y}" in picture.figure.texts[0].get_text()
    assert "most rain" in picture.caption
    # Of the forecast, whose mean is another one.
    (picture,) = section(anomalies_section(material_of(found, day=date(2022, 7, 5)))).pictures
    assert "5 July 2022, minus the mean of period forecast" in picture.caption
    station = list(found.places.names).index("N US-1")
    times = np.array(found.series.seconds)
    of_period = times >= PERIODS["forecast"][0].timestamp()
    of_day = np.array([datetime.fromtimestamp(one, UTC).date() == date(2022, 7, 5) for one in times])
    series = found.series.values[1, :, station]
    expected = series[of_day].mean() - series[of_period].mean()
    assert numbers(table_of(picture, tmp_path)["paper_anomaly_m3_m-3"])[station] == pytest.approx(expected, abs=1e-6)


def test_a_day_without_values_is_said_to_be_without(found: StationVerification) -> None:
    made = section(anomalies_section(material_of(found, day=date(2021, 1, 1))))
    assert made.pictures == []
    assert "no value on 1 January 2021" in made.text[0]


def test_without_rain_the_day_is_that_of_the_largest_anomalies(found: StationVerification) -> None:
    dry = replace(found, rain=np.full_like(found.rain, np.nan))
    (picture,) = section(anomalies_section(material_of(dry))).pictures
    assert "no rain is known" in picture.caption
    assert len([axes for axes in picture.figure.axes if axes.collections and axes.texts]) == 6
    measured = np.array([[0.1, -0.1], [0.5, np.nan], [-0.2, 0.3]])
    assert chosen_day(measured, np.full((3, 2), np.nan))[0] == 1
    assert chosen_day(np.array([[0.1] * 3, [0.9, np.nan, np.nan], [0.2] * 3]), np.full((3, 3), np.nan))[0] == 2


@pytest.mark.parametrize("boxes", [True, False])
def test_no_letters_touch_frames(tmp_path: Path, boxes: bool) -> None:
    found = made_stations(tmp_path, boxes=boxes)
    for make in (station_maps_section, station_lines_section, anomalies_section):
        for picture in section(make(material_of(found))).pictures:
            assert touching(picture.figure) == []


def test_without_stations_it_is_said_what_brings_them() -> None:
    for make in (station_maps_section, station_lines_section, anomalies_section):
        assert "imgda_mpi verify" in str(make(material_of()))
