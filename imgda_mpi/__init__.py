"""Image assimilation for the Common Land Model: Kalman updates of curvelet coefficients, on MPI."""

__version__ = "0.1.0"
PROGRAM = f"imgda_mpi {__version__}"
"""As results name what made them: another version may give another one."""
