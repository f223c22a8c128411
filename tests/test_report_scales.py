"""Which scales were corrected, and the flow of a run."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from analyses_made import GLOBE, REGION, material_of, write_made_analysis, write_made_run
from matplotlib.figure import Figure
from pictures import read_numbers, touching

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.transform import TransformKind
from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid, embed
from imgda_mpi.report.corrected_scales import scales_section
from imgda_mpi.report.flow import flow_section
from imgda_mpi.report.picture import Picture, Section, write_picture
from imgda_mpi.results.account_file import read_account
from imgda_mpi.results.analysis_file import read_innovation

RUN = 3


def only_picture(section: Section | str) -> Picture:
    assert isinstance(section, Section)
    (picture,) = section.pictures
    return picture


def table_of(picture: Picture, folder: Path) -> dict[str, np.ndarray]:
    write_picture(picture, folder, folder / "picture.png")
    return read_numbers(folder / f"{picture.name}.csv")


@pytest.mark.parametrize("grid", [GLOBE, REGION], ids=["globe", "region"])
@pytest.mark.parametrize("method", ["paper", "analytic", "innovation"])
def test_powers_by_scale_add_up_to_those_of_cells(method: str, grid: Grid, tmp_path: Path) -> None:
    folder = write_made_analysis(tmp_path / "one", grid, method)
    saved, account = read_innovation(folder / "diagnostics.nc"), read_account(folder / "diagnostics.nc")
    picture = only_picture(scales_section(material_of(folder)))
    table = table_of(picture, tmp_path)
    innovation = saved.images.innovation[np.isfinite(saved.images.innovation)]
    sums = {name: float(np.sum(np.square(values))) for name, values in table.items()}
    assert sums["innovation_m3_m-3"] == pytest.approx(np.mean(innovation**2), rel=1e-5)
    kind, shape = TransformKind().on(grid, scales_by_size=method != "paper")
    transform = CurveletTransform(shape, kind.n_scales)
    image = embed(np.nan_to_num(saved.images.innovation), shape)
    modes = [transform.reconstruct(image, number) for number in range(1, len(table["scale"]) + 1)]
    coefficients = transform.forward(image)
    own = []
    for scale in range(1, len(modes) + 1):
        real = [wedge for wedge in transform.layout.wedges if wedge.scale == scale]
        power = sum((1 if wedge.is_real else 2) * np.sum(coefficients[wedge.start : wedge.stop] ** 2) for wedge in real)
        own.append(np.sqrt(power / innovation.size))
    np.testing.assert_allclose(table["innovation_m3_m-3"], own, rtol=1e-5)
    if method != "innovation":
        # White errors of 0.15 and 0.04: over all scales their variance, and everywhere the same gain.
        tolerance = 0.1 if method == "paper" else 0.01
        assert sums["background_error_m3_m-3"] == pytest.approx(0.15**2, rel=tolerance)
        assert sums["observation_error_m3_m-3"] == pytest.approx(0.04**2, rel=tolerance)
        np.testing.assert_allclose(table["gain_1"], 0.15**2 / (0.15**2 + 0.04**2), atol=0.02)
    said = [float(number) for number in re.findall(r"0\.\d{4}", picture.alt)]
    ends = [table[f"{name}_m3_m-3"][end] for name in ("innovation", "increment") for end in (0, -1)]
    np.testing.assert_allclose(said, ends, atol=6e-5)
    assert account.wedges is not None


def test_lines_are_those_of_the_table_and_of_a_run_the_mean_and_range(tmp_path: Path) -> None:
    run = write_made_run(tmp_path / "run", RUN, method="innovation")
    material = material_of(run)
    section = scales_section(material)
    picture = only_picture(section)
    table = table_of(picture, tmp_path)
    powers, gains = picture.figure.axes
    names = ("innovation_{}m3_m-3", "background_error_{}m3_m-3", "observation_error_{}m3_m-3", "increment_{}m3_m-3")
    lines = list(powers.get_lines())
    for number, name in enumerate(names):
        shown, mean = (np.asarray(line.get_xydata()) for line in lines[2 * number : 2 * number + 2])
        np.testing.assert_allclose(shown[:, 0], table["shortest_wave_km"], rtol=1e-6)
        np.testing.assert_allclose(shown[:, 1], np.maximum(table[name.format("")], 1e-5), rtol=1e-6)
        np.testing.assert_allclose(mean[:, 1], np.maximum(table[name.format("mean_")], 1e-5), rtol=1e-6)
        assert (table[name.format("least_")] <= table[name.format("most_")]).all()
    each = [only_picture(scales_section(material_of(folder))) for folder in (ran for ran in material.runs[0].analyses)]
    roots = np.array([table_of(one, tmp_path)["innovation_m3_m-3"] for one in each])
    np.testing.assert_allclose(table["innovation_mean_m3_m-3"], np.sqrt(np.mean(roots**2, axis=0)), rtol=1e-5)
    np.testing.assert_allclose(table["innovation_least_m3_m-3"], roots.min(axis=0), rtol=1e-5)
    power = table["increment_mean_m3_m-3"] ** 2
    assert isinstance(section, Section)
    assert f"most was corrected at scale {power.argmax() + 1} " in section.text[0]
    assert f"{power.max() / power.sum():.0%} of the power" in section.text[0]
    assert f"mean over {RUN} analyses" in section.text[0]
    assert gains.get_ylim() == (0.0, 1.02)
    assert "km" in powers.get_xlabel()
    assert "m³ m⁻³" in powers.get_ylabel()
    assert touching(picture.figure) == []


def test_of_several_runs_the_last_one_with_scales_is_shown(tmp_path: Path) -> None:
    runs = [write_made_run(tmp_path / method, 2, method=method) for method in ("paper", "pointwise")]
    section = scales_section(material_of(*runs))
    assert isinstance(section, Section)
    assert "(paper/diagonal)" in section.text[0]


@pytest.mark.parametrize("method", ["pointwise", "insert", "none"])
def test_methods_without_curvelets_correct_no_scales(method: str, tmp_path: Path) -> None:
    said = scales_section(material_of(write_made_analysis(tmp_path / "one", REGION, method)))
    assert isinstance(said, str)
    assert "corrected no curvelet scales" in said


def test_wedges_of_another_transform_are_refused(tmp_path: Path) -> None:
    folder = write_made_analysis(tmp_path / "one", REGION, "paper")
    with netCDF4.Dataset(folder / "diagnostics.nc", "a") as file:
        file.settings = file.settings.replace('"n_angles": 16', '"n_angles": 32')
    with pytest.raises(InputError, match="found 10 wedges, expected 18"):
        scales_section(material_of(folder))


def letters_of(figure: Figure) -> str:
    return "\n".join(text.get_text() for axes in figure.axes for text in axes.texts)


def values_of(picture: Picture, folder: Path) -> dict[tuple[str, str], float]:
    write_picture(picture, folder, folder / "picture.png")
    with (folder / f"{picture.name}.csv").open(encoding="utf-8") as text:
        return {(row["box"], row["quantity"]): float(row["value"]) for row in csv.DictReader(text)}


def check_letters(picture: Picture, values: dict[tuple[str, str], float]) -> None:
    """Every number of the table is said in the picture, to its digits; letters stay within their boxes."""
    said = letters_of(picture.figure).replace("\N{MINUS SIGN}", "-")
    numbers = [(float(word), len(word.partition(".")[2])) for word in re.findall(r"-?\d+\.?\d*", said)]
    for key, value in values.items():
        assert any(abs(number - value) <= 0.6 * 10.0**-digits for number, digits in numbers), (key, value)
    picture.figure.draw_without_rendering()
    (axes,) = picture.figure.axes
    boxes = [patch.get_window_extent() for patch in axes.patches]
    for text in axes.texts:
        if text.get_text():
            around = text.get_window_extent()
            assert any(
                box.x0 <= around.x0 and around.x1 <= box.x1 and box.y0 <= around.y0 and around.y1 <= box.y1
                for box in boxes
            ), text.get_text()


@pytest.mark.parametrize("method", ["paper", "innovation", "analytic", "pointwise", "insert", "none", "large_scale"])
def test_the_flow_of_an_analysis_has_its_numbers(method: str, tmp_path: Path) -> None:
    folder = write_made_analysis(tmp_path / "one", REGION, method)
    account = read_account(folder / "diagnostics.nc")
    picture = only_picture(flow_section(material_of(folder)))
    values = values_of(picture, tmp_path)
    check_letters(picture, values)
    assert values["Observation", "used"] == account.pixels["used"] == 3000
    assert values["Observation", "rejected"] == 100
    assert values["Soil", "requested"] == pytest.approx(account.water["requested"], rel=1e-6)
    assert values["Soil", "applied"] == pytest.approx(account.water["after"] - account.water["before"], abs=1e-5)
    assert (("Errors", "members") in values) == (method == "paper")
    assert (("Transform", "scales") in values) == (method in ("paper", "innovation", "analytic"))
    assert "goes on" in letters_of(picture.figure)


def test_the_flow_of_a_run_has_means_cycles_and_window(tmp_path: Path) -> None:
    run = write_made_run(tmp_path / "run", 9, passed=(3,))
    picture = only_picture(flow_section(material_of(run)))
    values = values_of(picture, tmp_path)
    check_letters(picture, values)
    accounts = material_of(run).runs[0].accounts
    assert (values["Model", "cycles"], values["Model", "analyses"], values["Model", "window"]) == (9, 8, 6)
    assert values["Soil", "requested"] == pytest.approx(np.mean([one.water["requested"] for one in accounts]), rel=1e-5)
    assert values["Errors", "members"] == 50
    assert values["Transform", "scales"] == 3
    assert "means over 8 analyses" in picture.caption


def test_runs_have_a_flow_each_and_the_control_none(tmp_path: Path) -> None:
    runs = [write_made_run(tmp_path / method, 2, method=method) for method in ("paper", "pointwise")]
    control = write_made_run(tmp_path / "control", 2, passed=(0, 1))
    section = flow_section(material_of(control, *runs))
    assert isinstance(section, Section)
    assert [step.label for step in section.steps] == ["paper", "pointwise"]
    assert isinstance(flow_section(material_of(control)), str)


def test_a_flow_without_observation_says_so(tmp_path: Path) -> None:
    folder = write_made_analysis(tmp_path / "one", REGION, is_observed=False)
    picture = only_picture(flow_section(material_of(folder)))
    assert "none" in letters_of(picture.figure).splitlines()
    check_letters(picture, values_of(picture, tmp_path))
