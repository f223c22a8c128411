"""Small cases for runs of the stand-ins of CoLM, with namelists and commands as a user has them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import netCDF4
import numpy as np
from colm2014_files import DATE, TIME, SmallCase
from column_cases import NORTH_AMERICA, START, cut, landpatch, part_of_demo

from imgda_mpi.colm.soil_layers import N_SNOW, thickness

TESTS = Path(__file__).parent
SOUTH, NORTH = 36.0, 46.0
"""Rows of the embedded case that the small one has, degrees north."""

SEED = 7
"""Of the weather."""


@dataclass(frozen=True)
class Case:
    """A case that a stand-in can run.

    Parameters
    ----------
    directory : of its files: for CoLM202X the case's own (``DEF_dir_output``/``DEF_CASE_NAME``), for CoLM2014 that of
        its restarts
    name : of the case (``DEF_CASE_NAME``) or site
    namelist : of a run from `start` to `end`
    command : as settings have it, the path of the namelist being ``{namelist}``; for CoLM2014 the namelist is its
        standard input
    """

    directory: Path
    name: str
    namelist: Path
    command: str
    start: datetime
    end: datetime

    def shell(self, namelist: Path | None = None) -> str:
        """What a user types to run it."""
        path = namelist or self.namelist
        if "{namelist}" in self.command:
            return self.command.format(namelist=path)
        return f"ulimit -s unlimited; {self.command} < {path}"

    def run(self, namelist: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """The finished run, in the folder of the namelist."""
        return subprocess.run(
            ["bash", "-c", self.shell(namelist)],
            cwd=self.namelist.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            env=ENVIRONMENT | environment,
            check=False,
        )


def put(namelist: Path, **values: str) -> Path:
    """Put other values into keys of a namelist, which has them; a derived type's are named by their last part."""
    text = namelist.read_text()
    for key, value in values.items():
        text, n = re.subn(rf"(?m)^(\s*(?:\w+%)?{key}\s*=\s*)[^!\n]*", lambda found, to=value: found[1] + to, text)
        assert n == 1, f"{n} keys {key} in {namelist}"
    namelist.write_text(text)
    return namelist


def window(case: Case, start: datetime, end: datetime) -> Path:
    """A namelist beside the case's for a run between two times."""
    path = case.namelist.with_name(f"{start:%Y%m%dT%H}.nml")
    path.write_text(case.namelist.read_text())
    for words, at in ((("start", "s", "p"), start), (("end", "e"), end)):
        date = {"year": at.year, "month": at.month, "day": at.day, "sec": 3600 * at.hour}
        if "{namelist}" not in case.command:
            date = {"year": at.year, "julian": at.timetuple().tm_yday, "seconds": 3600 * at.hour}
        of_model = words[:1] if "{namelist}" in case.command else words[1:]
        put(path, **{f"{word}_{part}": str(number) for word in of_model for part, number in date.items()})
    return path


# Python's copy of the environment: the process's own may carry what starting MPI in this process has put there.
ENVIRONMENT = dict(os.environ)


def mpirun(n_ranks: int) -> str:
    """How ranks are started on this machine, whatever the folder and the shell."""
    launcher = shutil.which("mpirun")
    assert launcher is not None
    said = subprocess.run([launcher, "--version"], capture_output=True, text=True, env=ENVIRONMENT, check=False).stdout
    of_open_mpi = " --oversubscribe --bind-to none" + " --allow-run-as-root" * (os.getuid() == 0)
    return launcher + of_open_mpi * ("Open MPI" in said) + f" -n {n_ranks}"


def colm202x_case(folder: Path, example_case: Path, *, end: datetime | None = None, n_ranks: int = 3) -> Case:
    """A part of the embedded case as a case of CoLM202X, of one block with 7 x 28 cells, in a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    directory = part_of_demo(example_case, folder / "demo")
    cut(directory, _rows(directory))
    (folder / "forcing.nml").write_text(FORCING.format(seed=SEED))
    end = end or START.replace(hour=12)
    namelist = folder / "demo.nml"
    seconds = {"start_sec": 3600 * START.hour, "end_sec": 3600 * end.hour}
    paths = {"output": folder, "forcing": folder / "forcing.nml"}
    namelist.write_text(NL_COLM.format(start=START, end=end, **paths, **seconds))
    command = f"{mpirun(n_ranks)} {sys.executable} {TESTS / 'colm202x.py'} {{namelist}}"
    return Case(directory, "demo", namelist, command, START, end)


def _rows(directory: Path) -> slice:
    """The patches in the rows that are kept."""
    with netCDF4.Dataset(directory / "landdata/mesh/2005/mesh.nc") as mesh:
        latitude, n_columns = mesh["latitude"][:].data, mesh["longitude"].size
    with netCDF4.Dataset(directory / landpatch(NORTH_AMERICA)) as file:
        of_patch = latitude[(file["eindex"][:].data - 1) // n_columns]
    kept = np.flatnonzero((of_patch > SOUTH) & (of_patch < NORTH))
    return slice(int(kept[0]), int(kept[-1]) + 1)


def colm2014_case(folder: Path, *, end: datetime | None = None, seed: int = 1) -> Case:
    """A small site of CoLM2014, 4 x 6 cells, in a new folder: its const file and a restart."""
    restarts, output = folder / "restart", folder / "output"
    restarts.mkdir(parents=True)
    output.mkdir()
    site = SmallCase(4, 6, seed)
    site.hydraulics = -200.0, 6.0, 0.003
    wetness = np.linspace(0.5, 0.8, site.n)[:, None] + np.linspace(0.0, 0.1, thickness.size)
    site.state["wliq_soisno"][:, N_SNOW:] = wetness * site.porosity * 1000.0 * thickness
    site.state["zwt"] += 3.5
    site.write(restarts)
    end = end or TIME.replace(hour=6)
    dates = {
        f"{when}_{part}": number
        for when, date in (("s", DATE), ("e", (end.year, end.timetuple().tm_yday, 3600 * end.hour)), ("p", DATE))
        for part, number in zip(("year", "julian", "seconds"), date, strict=True)
    }
    sizes = {"numpatch": site.n, "lon_points": site.lons.size, "lat_points": site.lats.size}
    namelist = folder / "timeloop.stdin"
    namelist.write_text(CLMEXP.format(restarts=restarts, output=output, seed=SEED, **sizes, **dates))
    return Case(restarts, "S", namelist, f"{sys.executable} {TESTS / 'colm2014.py'}", TIME, end)


NL_COLM = """\
&nl_colm
   ! A part of the embedded case.
   DEF_CASE_NAME = 'demo'

   DEF_domain%edges = 36.5625
   DEF_domain%edgen = 46.40625
   DEF_domain%edgew = -90.0
   DEF_domain%edgee = 0.0

   DEF_simulation_time%greenwich    = .TRUE.
   DEF_simulation_time%start_year   = {start:%Y}
   DEF_simulation_time%start_month  = {start.month}
   DEF_simulation_time%start_day    = {start.day}
   DEF_simulation_time%start_sec    = {start_sec}
   DEF_simulation_time%end_year     = {end:%Y}
   DEF_simulation_time%end_month    = {end.month}
   DEF_simulation_time%end_day      = {end.day}
   DEF_simulation_time%end_sec      = {end_sec}
   DEF_simulation_time%spinup_year  = 0
   DEF_simulation_time%spinup_month = 1
   DEF_simulation_time%spinup_day   = 365
   DEF_simulation_time%spinup_sec   = 86400
   DEF_simulation_time%spinup_repeat = 0

   DEF_simulation_time%timestep     = 1800.

   DEF_dir_rawdata = '/nowhere/CoLMrawdata/'
   DEF_dir_runtime = '/nowhere/CoLMruntime/'
   DEF_dir_output  = '{output}'

   ! ----- land units and land sets -----
   DEF_GRIDBASED_lon_res = 1.40625
   DEF_GRIDBASED_lat_res = 1.40625
   DEF_LC_YEAR = 2005
   DEF_nx_blocks = 4
   DEF_ny_blocks = 2
   DEF_PIO_groupsize = 12

   DEF_USE_PLANTHYDRAULICS = .false.

   ! ----- forcing -----
   DEF_forcing_namelist = '{forcing}'

   ! ----- history -----
   DEF_HIST_lon_res = 1.40625
   DEF_HIST_lat_res = 1.40625
   DEF_WRST_FREQ = 'DAILY' ! write restart file frequency: HOURLY/DAILY/MONTHLY/YEARLY
   DEF_HIST_FREQ = 'HOURLY' ! write history file frequency: HOURLY/DAILY/MONTHLY/YEARLY
   DEF_HIST_groupby = 'DAY' ! history in one file: DAY/MONTH/YEAR
   DEF_HIST_mode = 'one'
   DEF_REST_CompressLevel = 1
   DEF_HIST_CompressLevel = 1
/
"""
FORCING = """\
&nl_colm_forcing
   DEF_dir_forcing = '/nowhere/weather/{seed}/'
   DEF_forcing%dataset = 'ERA5LAND'
   DEF_forcing%dtime = 3600 3600 3600 3600 3600 3600 3600 3600
/
"""
CLMEXP = """\
&clmexp
site = 'S'
dir_model_landdata = '/nowhere/srf/'
dir_forcing        = '/nowhere/weather/{seed}/'
dir_output         = '{output}/'
dir_restart_hist   = '{restarts}/'
lon_points         = {lon_points}
lat_points         = {lat_points}
deltim             = 1800.
solarin_all_band   = .true.
e_year             = {e_year}
e_julian           = {e_julian}
e_seconds          = {e_seconds}
p_year             = {p_year}
p_julian           = {p_julian}
p_seconds          = {p_seconds}
numpatch           = {numpatch}
greenwich          = .true.
s_year             = {s_year}
s_julian           = {s_julian}
s_seconds          = {s_seconds}
/
"""
