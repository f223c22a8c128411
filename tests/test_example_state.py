"""Soil, snow and water bodies of the embedded case are physically sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from example_blocks import RHO_ICE, THICKNESS, Blocks
from launch import load

from imgda_mpi.example.soil import Soil


def test_soil_water_is_within_the_models_bounds(blocks: Blocks) -> None:
    soil = np.isin(blocks.const["patchtype"], (0, 1))
    liquid, ice = (blocks.state[name][soil, 5:14] for name in ("wliq_soisno", "wice_soisno"))
    total = liquid / (1000 * THICKNESS) + ice / (RHO_ICE * THICKNESS)
    # The thicknesses here have six digits.
    assert (total > blocks.const["theta_r"][soil, :9] - 1e-5).all()
    assert (total < blocks.const["porsl"][soil, :9] + 1e-5).all()
    assert (liquid > 0).all()
    assert (ice >= 0).all()


def test_few_soils_are_frozen_and_only_below_freezing(blocks: Blocks) -> None:
    ice = blocks.state["wice_soisno"][:, 5:]
    temperature = blocks.state["t_soisno"][:, 5:]
    assert (temperature[ice > 0] < 273.16).all()
    assert 0.01 < (ice[blocks.is_soil, :4] > 0).any(axis=1).mean() < 0.05
    assert (temperature > 220).all()
    assert (temperature < 325).all()


def test_snow_fills_its_slots_from_the_soil_upward(blocks: Blocks) -> None:
    state = blocks.state
    thickness = state["dz_sno"]
    filled = thickness > 0
    assert (np.diff(filled.astype(int), axis=1) >= 0).all()
    n_layers = filled.sum(axis=1)
    assert set(n_layers) >= {0, 1, 2, 3, 4}
    for name in ("z_sno", "t_soisno", "wliq_soisno", "wice_soisno"):
        assert (state[name][:, :5][~filled] == 0).all(), name
    assert (state["wice_soisno"][:, :5][filled] > 0).all()
    np.testing.assert_allclose(state["wice_soisno"][:, :5].sum(axis=1), state["scv"], rtol=1e-12)
    np.testing.assert_allclose(thickness.sum(axis=1), state["snowdp"], rtol=1e-12)
    # The lowest node is half a layer above the soil, the others follow.
    snowy = n_layers >= 2
    np.testing.assert_allclose(state["z_sno"][snowy, 4], -0.5 * thickness[snowy, 4])
    np.testing.assert_allclose(state["z_sno"][snowy, 3], -thickness[snowy, 4] - 0.5 * thickness[snowy, 3])
    assert (state["t_soisno"][:, :5][filled] <= 273.16).all()


def test_ice_sheets_wetlands_and_lakes_are_filled_as_the_model_fills_them(blocks: Blocks) -> None:
    state, const = blocks.state, blocks.const
    ice, wetland, lake = (const["patchtype"] == kind for kind in (3, 2, 4))
    assert (state["wliq_soisno"][ice] == 0).all()
    np.testing.assert_allclose(state["wice_soisno"][ice][:, 5:14] / (RHO_ICE * THICKNESS), 1.0, rtol=1e-5)
    full = const["porsl"][:, :9] * THICKNESS * 1000
    np.testing.assert_allclose(state["wliq_soisno"][lake][:, 5:14], full[lake], rtol=1e-5)
    assert (state["wetwat"][wetland] > 0).all()
    assert (state["wetwat"][~wetland] == 0).all()
    np.testing.assert_allclose(state["wdsrf"][lake], 1000 * const["lakedepth"][lake])
    np.testing.assert_allclose(const["dz_lake"][lake].sum(axis=1), const["lakedepth"][lake])


def test_every_value_is_finite_or_the_models_missing_value(blocks: Blocks) -> None:
    for name, values in {**blocks.state, **blocks.const}.items():
        known = values[values != -1.0e36]
        assert np.isfinite(known).all(), name
        assert np.abs(known.astype(float)).max() < 1.0e9, name
        if name not in ("soil_s_v_alb", "soil_d_v_alb", "soil_s_n_alb", "soil_d_n_alb", "rss", "rst"):
            assert known.size == values.size, name


def test_soil_properties_follow_the_models(shared: Path) -> None:
    real = load(shared / "colm/colm202x/GL14/restart/const/GL14_restart_const_lc2005_e000_n00.nc")
    soil = Soil(real["wf_sand"][:, 0], real["wf_clay"][:, 0], real["wf_om"])
    ours = {
        "theta_r": soil.residual,
        "alpha_vgm": soil.alpha,
        "n_vgm": soil.n,
        "hksati": soil.saturated_conductivity,
        "sc_vgm": soil.air_entry()[0],
        "fc_vgm": soil.air_entry()[1],
    }
    for name, values in ours.items():
        # Straight lines through values that the model averages from finer soil data: 5 % off at the extremes.
        np.testing.assert_allclose(values[:, 0], real[name][:, 0], rtol=0.05, err_msg=name)
    # Porosity also depends on how densely the soil is packed, which texture tells only roughly.
    np.testing.assert_allclose(soil.porosity[:, 0], real["porsl"][:, 0], atol=0.06)


def test_suction_and_conductivity_follow_from_soil_water(blocks: Blocks) -> None:
    state, const = blocks.state, blocks.const
    soil = blocks.is_soil & (state["wice_soisno"][:, 5:].sum(axis=1) == 0)
    theta = state["wliq_soisno"][soil, 5:14] / (1000 * THICKNESS)
    residual, porosity, alpha, n = (const[k][soil, :9] for k in ("theta_r", "porsl", "alpha_vgm", "n_vgm"))
    m = 1 - 1 / n
    # Inverse of the model's closure: water content from suction.
    content = (1 + (alpha * -state["smp"][soil, :9]) ** n) ** -m / const["sc_vgm"][soil, :9]
    moist = theta > residual + 0.02 * (porosity - residual)
    np.testing.assert_allclose((residual + (porosity - residual) * content)[moist], theta[moist], atol=1e-5)
    assert (state["hk"][soil] <= const["hksati"][soil]).all()
    assert (state["hk"][soil] > 0).all()
