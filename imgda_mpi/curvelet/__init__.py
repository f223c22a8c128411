"""The fast discrete curvelet transform by wrapping, for real images on a periodic grid."""

from imgda_mpi.curvelet.layout import Chunk, Layout, Piece, Wedge
from imgda_mpi.curvelet.transform import CurveletTransform

__all__ = ["Chunk", "CurveletTransform", "Layout", "Piece", "Wedge"]
