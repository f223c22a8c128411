"""Image assimilation for the Common Land Model: Kalman updates of curvelet coefficients, on MPI."""

__version__ = "0.1.0"
