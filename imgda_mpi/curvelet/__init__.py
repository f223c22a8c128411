"""The fast discrete curvelet transform by wrapping, for real images on a periodic grid."""

from imgda_mpi.curvelet.layout import Layout, Wedge
from imgda_mpi.curvelet.transform import CurveletTransform

__all__ = ["CurveletTransform", "Layout", "Wedge"]
