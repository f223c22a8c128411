"""The namelists of the stand-in for CoLM202X.

Their keys are the model's, with their types; all lower case, as Fortran does not tell cases apart.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import f90nml

LOGICALS = """
USE_SITE_landtype USE_SITE_pctpfts USE_SITE_pctcrop USE_SITE_htop USE_SITE_LAI USE_SITE_lakedepth
USE_SITE_soilreflectance USE_SITE_soilparameters USE_SITE_dbedrock USE_SITE_topography USE_SITE_HistWriteBack
USE_SITE_ForcingReadAhead USE_SITE_urban_geometry USE_SITE_urban_ecology USE_SITE_urban_radiation
USE_SITE_urban_thermal USE_SITE_urban_human DEF_USE_LCT DEF_USE_PFT DEF_USE_PC DEF_FAST_PC DEF_SOLO_PFT
DEF_LAI_MONTHLY DEF_LAI_CHANGE_YEARLY DEF_USE_LAIFEEDBACK DEF_USE_IRRIGATION DEF_URBAN_ONLY DEF_URBAN_RUN
DEF_URBAN_BEM DEF_URBAN_TREE DEF_URBAN_WATER DEF_URBAN_LUCY DEF_USE_CANYON_HWR DEF_USE_SOILPAR_UPS_FIT
DEF_USE_SUPERCOOL_WATER DEF_SPLIT_SOILSNOW DEF_VEG_SNOW USE_srfdata_from_larger_region
USE_srfdata_from_3D_gridded_data USE_zip_for_aggregation DEF_USE_CBL_HEIGHT DEF_USE_PLANTHYDRAULICS DEF_USE_MEDLYNST
DEF_USE_WUEST DEF_USE_SASU DEF_USE_DiagMatrix DEF_USE_PN DEF_USE_FERT DEF_USE_NITRIF DEF_USE_CNSOYFIXN DEF_USE_FIRE
DEF_USE_Dynamic_Lake DEF_CheckEquilibrium DEF_LANDONLY DEF_USE_DOMINANT_PATCHTYPE DEF_USE_VariablySaturatedFlow
DEF_USE_BEDROCK DEF_USE_OZONESTRESS DEF_USE_OZONEDATA DEF_USE_SNICAR DEF_Aerosol_Readin DEF_Aerosol_Clim
DEF_USE_EstimatedRiverDepth DEF_USE_SoilInit DEF_USE_SnowInit DEF_USE_CN_INIT DEF_USE_WaterTableInit
DEF_USE_Forcing_Downscaling DEF_HISTORY_IN_VECTOR DEF_HIST_grid_as_forcing DEF_HIST_WriteBack
DEF_HIST_vars_out_default
"""
INTEGERS = """
SITE_landtype DEF_nx_blocks DEF_ny_blocks DEF_PIO_groupsize DEF_NDEP_FREQUENCY DEF_Interception_scheme
DEF_LAI_START_YEAR DEF_LAI_END_YEAR DEF_LC_YEAR DEF_LULCC_SCHEME DEF_URBAN_type_scheme DEF_URBAN_geom_data
DEF_THERMAL_CONDUCTIVITY_SCHEME DEF_SOIL_REFL_SCHEME DEF_RSS_SCHEME DEF_Runoff_SCHEME DEF_Srfdata_CompressLevel
DEF_REST_CompressLevel DEF_HIST_CompressLevel DEF_DA_ENS_NUM
"""
REALS = """
SITE_lon_location SITE_lat_location DEF_AverageElementSize DEF_GRIDBASED_lon_res DEF_GRIDBASED_lat_res
DEF_HIST_lon_res DEF_HIST_lat_res
"""
STRINGS = """
DEF_CASE_NAME SITE_fsitedata DEF_BlockInfoFile DEF_dir_rawdata DEF_dir_runtime DEF_dir_output DEF_file_mesh
DEF_CatchmentMesh_data DEF_file_mesh_filter DEF_SUBGRID_SCHEME DEF_SSP DEF_file_VIC_para DEF_dir_existing_srfdata
DEF_precip_phase_discrimination_scheme DEF_file_SoilInit DEF_file_SnowInit DEF_file_cn_init DEF_file_WaterTable
DEF_file_snowoptics DEF_file_snowaging DEF_CaMa_Namelist DEF_ElementNeighbour_file DEF_DA_obsdir DEF_forcing_namelist
DEF_Forcing_Interp_Method DEF_DS_HiresTopographyDataDir DEF_DS_precipitation_adjust_scheme
DEF_DS_longwave_adjust_scheme DEF_WRST_FREQ DEF_HIST_FREQ DEF_HIST_groupby DEF_HIST_mode DEF_HIST_vars_namelist
"""
SIMULATION_TIME = """
start_year start_month start_day start_sec end_year end_month end_day end_sec
spinup_year spinup_month spinup_day spinup_sec spinup_repeat
"""


def _of_type(names: str, kind: type) -> dict[str, type]:
    return dict.fromkeys(names.lower().split(), kind)


NL_COLM: dict[str, Any] = {
    **_of_type(LOGICALS, bool),
    **_of_type(INTEGERS, int),
    **_of_type(REALS, float),
    **_of_type(STRINGS, str),
    "def_domain": _of_type("edges edgen edgew edgee", float),
    "def_simulation_time": {"greenwich": bool, "timestep": float, **_of_type(SIMULATION_TIME, int)},
}
NL_COLM_FORCING: dict[str, Any] = {
    "def_dir_forcing": str,
    "def_forcing": {
        **_of_type("dataset height_mode latname lonname groupby missing_value_name", str),
        **_of_type("solarin_all_band regional has_missing_value leapyear data2d hightdim dim2d", bool),
        **_of_type("height_v height_t height_q", float),
        **_of_type("nvar startyr startmo endyr endmo nlands", int),
        **_of_type("regbnd dtime offset fprefix vname timelog tintalgo", list),
    },
}

TIME = {
    **{"greenwich": True, "timestep": 1800.0},
    **{"start_year": 2000, "start_month": 1, "start_day": 1, "start_sec": 0},
    **{"end_year": 2003, "end_month": 1, "end_day": 1, "end_sec": 0},
    **{"spinup_year": 0, "spinup_month": 1, "spinup_day": 1, "spinup_sec": 0, "spinup_repeat": 1},
}
DEFAULTS: dict[str, Any] = {
    "def_case_name": "CASENAME",
    "def_dir_output": "path/to/output/data",
    "def_forcing_namelist": "null",
    "def_lc_year": 2005,
    "def_wrst_freq": "none",
    "def_hist_freq": "none",
    "def_hist_groupby": "MONTH",
    "def_hist_lon_res": 0.5,
    "def_hist_lat_res": 0.5,
    "def_hist_grid_as_forcing": False,
    "def_rest_compresslevel": 1,
    "def_hist_compresslevel": 1,
}


def fits(value: object, kind: type) -> bool:
    """Whether Fortran reads a value into a variable of a type."""
    if kind is list:
        return True
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return type(value) is kind


def misfit(values: dict[str, Any], keys: dict[str, Any], inside: str = "") -> str:
    """What cannot be read of a group or a derived type, or nothing."""
    for name, value in values.items():
        kind = keys.get(name)
        if kind is None:
            return f"Cannot match namelist object name {inside}{name}"
        if isinstance(kind, dict):
            wrong = misfit(value, kind, f"{name}%") if isinstance(value, dict) else f"Bad data for {inside}{name}"
        else:
            wrong = "" if fits(value, kind) else f"Bad data for namelist object {inside}{name}"
        if wrong:
            return wrong
    return ""


class Stopped(Exception):
    """The model has said why and ends with an error."""


def read_group(path: Path, group: str) -> dict[str, Any]:
    """A group of a namelist file, as Fortran reads it into variables of its types."""
    wrong = f"Problem reading namelist: {path}"
    try:
        found = f90nml.read(path)
    except Exception as err:  # f90nml has no error of its own
        raise Stopped(f"{wrong} ({err})") from err
    if group not in found:
        raise Stopped(f"{wrong} (no &{group})")
    if what := misfit(found[group], {"nl_colm": NL_COLM, "nl_colm_forcing": NL_COLM_FORCING}[group]):
        raise Stopped(f"{wrong} ({what})")
    return dict(found[group])


def read_seed(path: Path) -> int:
    """The number at the end of the forcing's folder."""
    found = re.search(r"(\d+)/*$", read_group(path, "nl_colm_forcing").get("def_dir_forcing", ""))
    if found is None:
        raise Stopped("Netcdf error: No such file or directory: the forcing (its folder ends with a seed)")
    return int(found[1])


def text(settings: dict[str, Any], name: str) -> str:
    """A string as it is in a variable of Fortran."""
    return str(settings[name])[:256].rstrip()


def frequency(settings: dict[str, Any], name: str) -> str:
    """How often something is written."""
    often = text(settings, name).strip().upper()
    if often not in ("HOURLY", "DAILY", "MONTHLY", "YEARLY", "NONE"):
        raise Stopped(f"this stand-in does not write {often}.")
    return often


def is_end_of(often: str, at: datetime) -> bool:
    """Whether an hour, a day, a month or a year ends."""
    parts = {
        "HOURLY": (),
        "DAILY": (at.hour,),
        "MONTHLY": (at.hour, at.day - 1),
        "YEARLY": (at.hour, at.timetuple().tm_yday - 1),
    }
    return often in parts and not any(parts[often])


def instant(given: dict[str, Any], name: str) -> datetime | None:
    """A date of the namelist; None for those before all calendars, as the default end of the spin-up."""
    year, month, day, second = (given[f"{name}_{part}"] for part in ("year", "month", "day", "sec"))
    if year < 1 or not 1 <= month <= 12:
        return None
    # As the model counts: the day may go on beyond the end of its month.
    return datetime(year, month, 1, tzinfo=UTC) + timedelta(days=day - 1, seconds=second)


def stamp(at: datetime) -> str:
    """The name of an instant."""
    return f"{at:%Y-%j}-{at.hour * 3600 + at.minute * 60 + at.second:05d}"
