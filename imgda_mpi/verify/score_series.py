"""Scores of several estimates of one moment in layers, over the same cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.verify.scores import Scores, scores

Reference = Literal["truth", "observation"]
"""What estimates are held against."""

Side = Literal["before", "after", ""]
"""Of the analysis at that time; empty where there is none."""


@dataclass(frozen=True)
class ScoreRow:
    """Scores of one run in one layer at one moment.

    Parameters
    ----------
    run : its name
    reference
    layer : top and bottom, m
    time : aware
    side
    scores
    """

    run: str
    reference: Reference
    layer: tuple[float, float]
    time: datetime
    side: Side
    scores: Scores


def scores_at(
    time: datetime,
    reference: Reference,
    layer: tuple[float, float],
    image: FloatArray,
    estimates: Mapping[tuple[str, Side], FloatArray],
) -> list[ScoreRow]:
    """Scores of the estimates of a layer against an image, over the cells where this and all estimates are finite.

    Parameters
    ----------
    time, reference, layer : as of `ScoreRow`
    image : of reference, (ny, nx) m3 m-3, NaN where missing
    estimates : by run and side, each as ``image``

    Notes
    -----
    Every cell has the same weight, as in the paper.
    """
    where = np.isfinite(image)
    for estimate in estimates.values():
        where &= np.isfinite(estimate)
    of_image = image[where]
    return [
        ScoreRow(run, reference, layer, time, side, scores(estimate[where], of_image))
        for (run, side), estimate in estimates.items()
    ]
