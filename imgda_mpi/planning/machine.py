"""A machine as far as the time of an analysis depends on it."""

from __future__ import annotations

from dataclasses import dataclass

from imgda_mpi.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Machine:
    """Cores and a network that connects them.

    Parameters
    ----------
    fft_rate : of a core, in FFTs of real images in double precision as `ImageRows.filter` makes them, operations counted
        as usual, s-1
    bandwidth : of what a rank sends, bytes s-1
    latency : of a message, s
    """

    fft_rate: float
    bandwidth: float
    latency: float

    def work_seconds(self, work: FloatArray) -> FloatArray:
        """Of work in operations of such FFTs."""
        return work / self.fft_rate

    def exchange_seconds(self, messages: IntArray, n_bytes: IntArray) -> FloatArray:
        """Of messages that a rank sends one after the other."""
        return messages * self.latency + n_bytes / self.bandwidth
