"""Errors of three products as text: a table, and settings of an analysis."""

from __future__ import annotations

import math

from imgda_mpi.console import columns
from imgda_mpi.numerics.triple_collocation import FEWEST_BLOCKS
from imgda_mpi.verify.triples import PRODUCTS, TripleErrors

ASSUMED = """\
It holds where the errors of the three have nothing in common. Products that share a model or its forcing have:
  background and third:    the background's error is too small, the observation's too large, the share too high
  observation and third:   the observation's error is too small, the background's too large, the share too low
  background, observation: both errors are too small; the share is that of what they have not in common, and right for
                           an analysis, which can correct no more
Another amplitude of the truth counts as no product's error; the innovation has that difference too."""


def errors_table(found: TripleErrors) -> str:
    """Errors that each scale carries and their sum, with intervals; no newline at its end."""
    lines = [["errors in m3 m-3", "modes", *PRODUCTS, "share of observation"]]
    of_scales = zip(found.modes, found.sd_of_scales, found.shares_of_scales, strict=True)
    for number, (modes, sd, share) in enumerate(of_scales, 1):
        name = f"scale {number}" + (" (coarsest)" if number == 1 else "")
        lines.append([name, f"{modes:.0f}", *(f"{one:.4f}" for one in sd), _share(share)])
    sds = [f"{one:.4f}" for one in found.sd]
    lines.append(["all scales", f"{found.modes.sum():.0f}", *sds, _share(found.share)])
    if found.intervals is not None:
        of_sd, of_share = found.intervals[:3], found.intervals[3]
        between = [*(f"{low:.4f} to {high:.4f}" for low, high in of_sd), f"{of_share[0]:.2f} to {of_share[1]:.2f}"]
        lines.append(["interval of 95 %", "", *between])
    if found.amplitudes is not None:
        lines.append(["amplitude of the truth", "", *(f"{one:.2f}" for one in found.amplitudes), ""])
    height, width = found.block
    blocks = f"{found.n_blocks} blocks of {height:.3g} x {width:.3g} degrees and a time"
    drawn = "drawn with replacement" if found.intervals is not None else f"fewer than {FEWEST_BLOCKS}"
    said = [
        f"Triple collocation of {found.n_cells} cells at {found.n_times} time(s)",
        columns(lines),
        f"white part of the observation's errors: {found.white:.4f} m3 m-3, "
        + ("from the finest scales" if found.white_is_seen else "all of the finest scale, which does not tell it"),
        f"{'no ' if found.intervals is None else ''}interval: {blocks}, {drawn}",
    ]
    if found.amplitudes is None:
        said.append("no truth in common: differences are taken, as if all had one amplitude")
    return "\n".join(line.rstrip() for part in (*said, ASSUMED) for line in part.splitlines())


def settings_of(found: TripleErrors) -> str:
    """Sections of an analysis's settings with what was found; no newline at its end."""
    said = f"estimate {found.share:.2f}, no interval"
    if found.intervals is not None:
        low, high = found.intervals[3]
        said = f"estimate {found.share:.2f}, 95 % interval {low:.2f} to {high:.2f}: its upper end"
    background, observation = (f"{sd:.4f}" for sd in found.sd[:2])
    method = f'{{kind = "innovation", solver = "full", coherent_share = {found.advised_share:.2f}}}'
    return "\n".join(
        (
            "# In the place of method, [method] and [errors] of an analysis:",
            "",
            "[errors]",
            f"observation = {found.white:.4f}            # m3 m-3, the white part of its errors",
            "",
            "[method]",
            'kind = "innovation"',
            'solver = "full"',
            f"coherent_share = {found.advised_share:.2f}           # {said}",
            "",
            f"# In a comparison: methods = [{method}]",
            f"# Methods that are told the background's errors: background_error = {background}, with",
            f"# [errors] observation = {observation}, all of the observation's",
        )
    )


def _share(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.2f}"
