"""Settings of the cases that tools/fuzz.py starts from."""

from __future__ import annotations

from imgda_mpi.example.case import COMPARISON
from imgda_mpi.settings.presets import preset

SETTINGS = {
    "columns202x": """\
method = {kind = "innovation", coherent_share = 0.1, features = true}

[model]
kind = "colm202x"
directory = "model/demo"
case = "demo"
time = 2022-06-02T06:00:00Z

[observation]
kind = "cf"
file = "image_%Y%m%d.nc"
variable = "soil_moisture"
layer = [0.0, 0.1]
max_time_offset = 3.0
mask = {variable = "lsm", min = 0.5}

[errors]
observation = {file = "errors.nc", variable = "sd"}

[features.zones]
file = "zones.nc"
variable = "zone"
kind = "classes"

[soil]
compensate = "aquifer"

[output]
directory = "analysis"
""",
    "members202x": """\
[method]
kind = "hybrid"
solver = "diagonal"
innovation_weight = 0.2
inflation = 1.1

[model]
kind = "colm202x"
directory = "model/demo"
case = "demo"
time = 2022-06-02T06:00:00Z
land_cover_year = 2005

[observation]
kind = "gldas"
file = "GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4"
regridding = "conservative"
valid_range = [0.0, 0.6]

[errors]
observation = 0.04
seed = 7

[ensemble]
kind = "images"
file = "ensemble.nc"
variable = "soil_moisture"

[curvelet]
n_scales = 3
n_angles = 16

[output]
directory = "analysis"
""",
    "members2014": """\
[method]
kind = "ensemble"
solver = "full"
localisation = 900.0

[model]
kind = "colm2014"
restart_file = "S-rstTimeVar-2022-155-00000"
const_file = "S-rstTimeConst"
time = 2022-06-04T00:00:00Z

[observation]
kind = "points"
file = "points.csv"
variable = "sm"
layer = [0.0, 0.1]

[errors]
observation = 0.05

[ensemble]
kind = "restarts"
directories = ["m1", "m2", "m3", "m4"]

[soil]
implausible = "leave_out"

[output]
directory = "analysis"
""",
    "again2014": """\
method = "pointwise"

[model]
kind = "colm2014"
restart_file = "S-rstTimeVar-2022-155-00000"
const_file = "S-rstTimeConst"
time = 2022-06-04T00:00:00Z

[observation]
kind = "points"
file = "points.nc"
variable = "sm"
allow_unlike_background = true

[output]
directory = "analysis"
""",
    "verified": """\
scales_every = "6 h"
boxes = {here = [10.5, 14.5, 100.5, 106.5]}

[runs.control]
kind = "run"
directory = "control"

[runs.new]
kind = "colm202x"
files = "new_hist_*.nc"

[runs.old]
kind = "colm2014"
files = "site_2D_Fluxes_*"

[images.product]
kind = "cf"
file = "product.nc"
variable = "soil_moisture"
max_time_offset = 1.5

[stations.table]
kind = "table"
file = "stations.csv"
depth = [0.0, 0.1]
match = "2 h"
least_pairs = 3

[stations.ismn]
kind = "ismn"
file = "stations.zip"
depth = [0.0, 0.1]
match = "2 h"
least_pairs = 3

[rain]
file = "rain.nc"
variable = "pr"
max_time_offset = 1.5

[output]
directory = "result"
""",
    "estimated": """\
time = 2022-06-02T06:00:00Z

[background]
kind = "cf"
file = "one.nc"
variable = "soil_moisture"

[observation]
kind = "cf"
file = "two.nc"
variable = "soil_moisture"

[third]
kind = "cf"
file = "three.nc"
variable = "soil_moisture"
""",
    "columns": """\
[model]
kind = "colm202x"
directory = "model/demo"
case = "demo"
time = 2022-06-02T06:00:00Z

[run]
end = 2022-06-02T08:00:00Z

[weather]
kind = "files"
files = ["weather.nc"]

[output]
directory = "result"
""",
}
"""By the name of the case."""

OTHER_VERBS = {
    "compare": COMPARISON,
    "twin": preset("quick"),
    "cycle": """\
method = "paper"

[model]
kind = "colm202x"
namelist = "demo.nml"
command = "mpirun -n 3 ./colm.x {namelist}"

[cycle]
start = 2022-06-02T00:00:00Z
first_analysis = 2022-06-02T06:00:00Z
last_analysis = 2022-06-03T00:00:00Z
end = 2022-06-03T06:00:00Z
window = "6 h"
launch = "mpirun -n 2"

[observation]
kind = "gldas"
file = "GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4"

[output]
directory = "run"
""",
}
"""Of verbs that are checked alone."""
