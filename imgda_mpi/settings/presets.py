"""Settings of twin experiments to start from."""

from __future__ import annotations

PRESETS = {"quick": (64, "06-08", "06-12"), "paper": (128, "08-01", "08-31")}
"""By name: rows of the grid, last analysis and end."""

TEXT = """\
# A twin experiment: soil columns in the place of CoLM. A nature with other soils, rain and start than the model's gives
# the truth and images of it with errors; a control run and variants, which assimilate the images, are scored beside it.
# `imgda_mpi settings twin` prints all keys.

seed = 1

[case]
kind = "embedded"               # or "colm202x" with directory and case of your own
rows = {rows}                       # of the grid

[cycle]
first_analysis = 2022-06-02T00:00:00Z
last_analysis = 2022-{last}T00:00:00Z
end = 2022-{end}T00:00:00Z        # from the last analysis on all run freely
window = "6 h"

[instrument]                    # errors of the images, m3 m-3
white = 0.04                    # of each pixel and time alone
coherent = 0.04                 # alike over some hundred kilometres and some days

[variants.paper]                # the scheme and the numbers of Bai et al. (2026)
method = {{kind = "paper", background_error = 0.15, n_members = 50}}
errors = {{observation = 0.10}}

[variants.pointwise]            # the same numbers without a transform: each cell alone
method = {{kind = "pointwise", background_error = 0.15}}
errors = {{observation = 0.10}}

[variants.innovation]           # what is recommended; it is told the white part alone
method = "innovation/full"
errors = {{observation = 0.04}}

[output]
directory = "{name}"
"""


def preset(name: str) -> str:
    """The settings file of a twin experiment, by its name in `PRESETS`."""
    rows, last, end = PRESETS[name]
    return TEXT.format(name=f"twin_{name}", rows=rows, last=last, end=end)
