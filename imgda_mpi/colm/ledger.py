"""The water ledger of an analysis: what every patch, cell and the globe gained, and what was refused and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.soil_update import SoilColumns, SoilUpdate

TERMS = {
    "before": "soil water before the analysis, liquid and ice",
    "requested": "water of the increment without any bound",
    "frozen": "part of it withheld from layers that are frozen or hold ice",
    "clamped": "part of it refused by bounds, net of what other layers took instead",
    "after": "soil water after the analysis: before + requested - frozen - clamped",
    "aquifer": "change of the aquifer store",
    "unbalanced": "part of the change of the soil water that the aquifer store did not balance: it was full",
}
"""Terms of the ledger in kg m-2, which is mm of water."""

FLAGS = {
    "frozen_layer": "a layer was left alone because it is frozen or holds ice",
    "at_lower_bound": "the analysis brought a layer to residual water",
    "at_upper_bound": "the analysis brought a layer to porosity less ice",
    "refused": "nothing is frozen, and all layers are at a bound: the surface moisture could not follow the increment",
    "aquifer_full": "the deficit of the aquifer store came to 0, and more was to go into it",
    "left_out": "a soil patch that holds what no soil can took no part",
}

COUNTED = {
    "frozen_layer": "frozen layers",
    "at_lower_bound": "a layer at its lower bound",
    "at_upper_bound": "a layer at its upper bound",
    "refused": "an increment that bounds refused",
    "aquifer_full": "a full aquifer",
    "left_out": "a patch left out",
}
"""The flags in the words of the log: bounds are those that the analysis has come to, not the background."""

# A surface moisture that misses its target by more than this was refused water; less is rounding.
_UNMET = 1e-9  # m3 m-3


@np.errstate(over="ignore", invalid="ignore")  # columns that take no part may hold any number
def ledger_rows(
    soil: SoilColumns, update: SoilUpdate, aquifer: FloatArray, unbalanced: FloatArray, is_left_out: BoolArray
) -> FloatArray:
    """Terms and flags of n patches, (n, 13): what `WaterLedger` is made of.

    From their background, its update, the change of the aquifer store and what that left unbalanced, (n,) kg m-2, and
    the patches (n,) that are left out.
    """
    ice = soil.ice.sum(axis=1)
    before = soil.liquid.sum(axis=1) + ice
    after = update.liquid.sum(axis=1) + ice
    refused = (np.abs(update.unmet) > _UNMET) & ~update.is_frozen
    terms = (before, update.requested, update.frozen, update.clamped, after, aquifer, unbalanced)
    flags = (update.is_frozen, update.at_lower, update.at_upper, refused, unbalanced != 0, is_left_out)
    return np.column_stack([*terms, *flags])


@dataclass(frozen=True)
class WaterLedger:
    """The ledger of all patches: ``rows`` (n_patch, 13) as `ledger_rows` gives them, in patch order."""

    patches: PatchMap
    rows: FloatArray

    def term(self, name: str) -> FloatArray:
        """One of `TERMS` for every patch, (n_patch,) kg m-2."""
        return self.rows[:, list(TERMS).index(name)]

    def flag(self, name: str) -> BoolArray:
        """One of `FLAGS` for every patch, (n_patch,)."""
        return self.rows[:, len(TERMS) + list(FLAGS).index(name)] > 0

    def cells(self, name: str) -> FloatArray:
        """A term as an image, (ny, nx) kg m-2: mean over the cell's soil patches, NaN without soil."""
        return self.patches.to_image(self.term(name))

    def globe(self, name: str) -> float:
        """A term as the mean over all soil, kg m-2, weighted by the area of cells and patches."""
        soil = self.patches.is_soil
        area = self.patches.weight[soil] * self.patches.grid.cell_area.ravel()[self.patches.cell[soil]]
        return float((area * self.term(name)[soil]).sum() / area.sum()) if area.sum() > 0 else 0.0

    def n_patches(self, flag: str) -> int:
        """How many patches have a flag."""
        return int(self.flag(flag).sum())

    def n_cells(self, flag: str) -> int:
        """How many cells hold a patch with a flag."""
        return int(np.unique(self.patches.cell[self.flag(flag)]).size)

    @property
    def residual(self) -> float:
        """Largest amount by which the ledger of a soil patch does not close, kg m-2."""
        soil = self.patches.is_soil  # others may hold any number
        before, requested, frozen, clamped, after, *_ = (self.term(name)[soil] for name in TERMS)
        return float(np.abs(before + requested - frozen - clamped - after).max(initial=0.0))

    @property
    def summary(self) -> str:
        """Globe and the counts that are not 0, in one line."""
        applied = self.globe("after") - self.globe("before")
        n_cells = {what: self.n_cells(name) for name, what in COUNTED.items()}
        counts = ", ".join(f"{n} with {what}" for what, n in n_cells.items() if n)
        return (
            f"mean water {self.globe('requested'):+.3f} mm requested, {self.globe('frozen'):+.3f} withheld from frozen"
            f" layers, {self.globe('clamped'):+.3f} refused by bounds, {applied:+.3f} applied,"
            f" {self.globe('aquifer'):+.3f} in the aquifer{'; cells: ' if counts else ''}{counts}"
        )
