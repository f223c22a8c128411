"""A machine as far as the time of an analysis depends on it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """Cores and a network that connects them.

    Parameters
    ----------
    fft_rate : operations a second of FFTs on a core, counted as usual: of images of 720 x 1440 and back, in double
        precision, as `ImageRows.filter` makes them
    bandwidth : of what a rank sends, bytes s-1
    latency : of a message, s
    """

    fft_rate: float
    bandwidth: float
    latency: float

    def exchange_seconds(self, sent: tuple[int, int], rounds: int, n_ranks: int) -> float:
        """Of messages and bytes that a rank sends one after the other, and of sums over all ranks.

        A sum takes a message for each doubling of the ranks.
        """
        messages, n_bytes = sent
        n_messages = messages + rounds * math.ceil(math.log2(n_ranks))
        return n_messages * self.latency + n_bytes / self.bandwidth
