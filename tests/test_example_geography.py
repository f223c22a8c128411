"""The Earth of the embedded case has the land of this one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from example_blocks import Blocks
from launch import load

from imgda_mpi.example import geography


def test_land_is_where_land_is(blocks: Blocks) -> None:
    land = np.bincount(blocks.cell, minlength=128 * 256).reshape(128, 256) > 0
    area = np.cos(np.radians(90 - (np.arange(128) + 0.5) * 1.40625))
    assert 0.25 < (land.mean(axis=1) * area).sum() / area.sum() < 0.32

    def at(latitude: float, longitude: float) -> bool:
        return bool(land[int((90 - latitude) / 1.40625), int((longitude + 180) / 1.40625)])

    assert all(at(*place) for place in [(23, 10), (-5, -62), (-25, 133), (-80, 90), (75, -40), (40, -100), (56, 60)])
    assert not any(at(*place) for place in [(0, -140), (30, -40), (-40, 80), (88, 0), (15, 65), (-60, -140)])


def test_no_soil_in_antarctica_and_inner_greenland(blocks: Blocks, background: np.ndarray) -> None:
    assert np.isnan(background[107:]).all()
    assert np.isnan(background[int((90 - 73) / 1.40625), int((-42 + 180) / 1.40625)])
    antarctic = np.degrees(blocks.const["patchlatr"]) < -62
    assert (blocks.const["patchtype"][antarctic] == 3).all()
    assert antarctic.sum() > 1000


def test_land_mask_agrees_with_that_of_gldas(shared: Path) -> None:
    theirs = load(shared / "data/gldas/GLDASp4_landmask_025d.nc4")["GLDAS_mask"][0] == 1
    latitude, longitude = -59.875 + np.arange(600) / 4, -179.875 + np.arange(1440) / 4
    ours = geography.is_land(latitude[:, None], longitude[None, :])
    # Two masks of different origin: they differ at coasts, and only GLDAS has lakes.
    assert (ours == theirs).mean() > 0.98
    assert (ours & theirs).sum() > 0.97 * theirs.sum()
