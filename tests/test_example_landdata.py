"""Pixels, elements and patches of the embedded case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from example_blocks import BLOCKS, Blocks
from launch import load


@pytest.mark.parametrize("block", BLOCKS)
def test_patches_are_made_of_pixels(example: Path, block: str) -> None:
    landdata = example / "model/demo/landdata"
    pixel, mesh = load(landdata / "pixel.nc"), load(landdata / f"mesh/2005/mesh_{block}.nc")
    patch = load(landdata / f"landpatch/2005/landpatch_{block}.nc")
    fraction = load(landdata / f"landpatch/2005/patchfrac_elm_{block}.nc")["patchfrac_elm"]
    const = load(example / f"model/demo/restart/const/demo_restart_const_lc2005_{block}.nc")
    element = load(landdata / f"landelm/2005/landelm_{block}.nc")
    np.testing.assert_array_equal(element["eindex"], mesh["elmindex"])
    np.testing.assert_array_equal(element["ipxend"], mesh["elmnpxl"])

    area = np.sin(np.radians(pixel["lat_n"])) - np.sin(np.radians(pixel["lat_s"]))
    first_of_element = np.concatenate([[0], np.cumsum(mesh["elmnpxl"])])
    place = np.searchsorted(mesh["elmindex"], patch["eindex"])
    for i in range(0, fraction.size, 7):
        start = first_of_element[place[i]]
        mine = mesh["elmpixels"][start + patch["ipxstt"][i] - 1 : start + patch["ipxend"][i]] - 1
        whole = mesh["elmpixels"][start : first_of_element[place[i] + 1]] - 1
        assert fraction[i] == pytest.approx(area[mine[:, 1]].sum() / area[whole[:, 1]].sum(), abs=1e-12)
        south, west = pixel["lat_s"][mine[:, 1]], pixel["lon_w"][mine[:, 0]]
        row, column = divmod(int(patch["eindex"][i]) - 1, 256)
        assert (np.floor((90.0 - south - 1e-9) / 1.40625) == row).all()
        assert (np.floor((west + 180.0) / 1.40625) == column).all()
        centre = 0.5 * (south + pixel["lat_n"][mine[:, 1]])
        assert np.degrees(const["patchlatr"][i]) == pytest.approx(np.average(centre, weights=area[mine[:, 1]]))


def test_fractions_of_an_element_sum_to_one(blocks: Blocks) -> None:
    total = np.bincount(blocks.cell, weights=blocks.fraction)
    np.testing.assert_allclose(total[total > 0], 1.0, rtol=0, atol=1e-14)
    assert (blocks.fraction > 0).all()


def test_element_numbers_count_eastward_from_the_north_west(blocks: Blocks) -> None:
    # Half a cell away at most, as a centroid may be; up to rounding.
    row, column = blocks.cell // 256, blocks.cell % 256
    latitude, longitude = np.degrees(blocks.const["patchlatr"]), np.degrees(blocks.const["patchlonr"])
    assert np.abs(latitude - (90 - (row + 0.5) * 1.40625)).max() < 0.70313
    assert np.abs(longitude - (-180 + (column + 0.5) * 1.40625)).max() < 0.70313


def test_patches_are_in_the_order_of_the_model(example: Path) -> None:
    for block in BLOCKS:
        patch = load(example / f"model/demo/landdata/landpatch/2005/landpatch_{block}.nc")
        const = load(example / f"model/demo/restart/const/demo_restart_const_lc2005_{block}.nc")
        np.testing.assert_array_equal(patch["settyp"], const["patchclass"])
        rising = np.diff(patch["eindex"]) * 100 + np.diff(patch["settyp"])
        assert (rising > 0).all(), "by element, then by class"


def test_patch_types_follow_from_igbp_classes(blocks: Blocks) -> None:
    types = {11: 2, 13: 1, 15: 3, 17: 4}
    expected = [types.get(int(cover), 0) for cover in blocks.const["patchclass"]]
    np.testing.assert_array_equal(blocks.const["patchtype"], expected)
    assert set(np.unique(blocks.const["patchtype"])) == {0, 1, 2, 3, 4}
    assert 1.5 < blocks.is_soil.sum() / np.unique(blocks.cell[blocks.is_soil]).size < 4
