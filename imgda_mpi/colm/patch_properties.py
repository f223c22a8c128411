"""What does not change of the patches of a restart, and tells which of them are alike."""

from __future__ import annotations

from dataclasses import dataclass

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.plausible import Place


@dataclass(frozen=True, eq=False)
class PatchProperties:
    """Properties of n patches; numbers of patches that are no soil may be anything.

    Parameters
    ----------
    patch_class : of land cover, as the model counts them, (n,)
    porosity : (n, 10) m3 m-3
    conductivity : of saturated soil, ``hksati``, (n, 10) mm s-1; None where the files have none
    height : above the sea, (n,) m; None where the files have none
    const : where the constants of a patch come from
    """

    patch_class: IntArray
    porosity: FloatArray
    conductivity: FloatArray | None
    height: FloatArray | None
    const: Place
