"""Plants of soil columns: where their roots are, and which classes have some."""

from __future__ import annotations

import numpy as np
import pytest

from imgda_mpi.colm.land_cover import TYPES
from imgda_mpi.colm.soil_layers import interface_depth
from imgda_mpi.columns.vegetation import IGBP_OF_COMMUNITIES, IGBP_OF_USGS, PLANTS, classes, cover_and_roots

# Zeng (2001), table 2: depth, m, above which 99 % of the roots lie.
ROOTED = {1: 1.8, 2: 3.0, 3: 2.0, 4: 2.0, 5: 2.4, 6: 2.5, 7: 3.1, 8: 1.7, 9: 2.4, 10: 1.5, 12: 1.5, 14: 1.5, 16: 4.0}


@pytest.mark.parametrize("name", PLANTS)
def test_all_but_a_hundredth_of_the_roots_lie_above_the_depth_of_the_source(name: int) -> None:
    _, roots = cover_and_roots(np.array([name]), np.array([0.0, ROOTED[name], 100.0]))
    assert roots[0, 1] == pytest.approx(0.01, abs=3e-4)


def test_roots_are_shared_out_over_the_layers_and_thin_out_downward() -> None:
    cover, roots = cover_and_roots(np.array(list(PLANTS)), interface_depth)
    np.testing.assert_allclose(roots.sum(axis=1), 1.0, rtol=1e-12)
    assert (np.diff(roots / np.diff(interface_depth), axis=1) < 0).all()
    assert ((cover > 0) & (cover <= 1)).all()
    trees, grass = (list(PLANTS).index(name) for name in (2, 10))
    assert roots[trees, 7:].sum() > 2 * roots[grass, 7:].sum()


@pytest.mark.parametrize(("name", "table"), [("IGBP", None), ("USGS", IGBP_OF_USGS)])
def test_every_class_of_soil_has_plants_and_no_other(name: str, table: dict[int, int] | None) -> None:
    every = np.arange(TYPES[name].size)
    found = classes(every, table)
    np.testing.assert_array_equal(found > 0, TYPES[name] == 0)
    assert set(found[found > 0]) <= set(PLANTS)


def test_natural_vegetation_of_plant_communities_stands_as_mixed_forest_and_crops_as_crops() -> None:
    np.testing.assert_array_equal(classes(np.array([1, 12, 17, -1, 99]), IGBP_OF_COMMUNITIES), [5, 12, 0, 0, 0])
