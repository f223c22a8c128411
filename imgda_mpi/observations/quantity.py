"""What a variable says that it holds, where that is something else than soil moisture in the same units."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import netCDF4

from imgda_mpi.faults import fault
from imgda_mpi.netcdf import text_attribute

# CF's modifiers of a standard name, and its names of what soil could hold, of its ice, and of changes.
OTHER_NAMES = re.compile(
    r"\s(?:standard_error|status_flag|number_of_observations|detection_minimum)$|porosity|_frozen_|^(?:tendency|change)_"
    r"|_at_(?:wilting_point|field_capacity|critical_point|saturation)"
)
OTHER_WORDS = re.compile(
    r"anomal|uncertaint|increment|tendency|percentile|wilting|field[\s_]capacity|porosity|standard[\s_](?:error|deviation)"
    r"|(?<![a-z])(?:std|rmse|errors?|noise)(?![a-z])",
    re.IGNORECASE,
)
NAMING = ("long_name", "statistic")
TITLES = ("title", "longname", "summary", "comment")


def doubt_of_quantity(path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any]) -> str | None:
    """What speaks against soil moisture: words in the names of a variable, and anomalies in the titles of its file.

    Raises
    ------
    InputError
        Where its standard name is one of something else, as of the standard error.
    """
    standard_name = text_attribute(variable, "standard_name")
    if OTHER_NAMES.search(standard_name.lower()):
        raise fault(
            path,
            variable.name,
            found=f"standard_name '{standard_name}'",
            expected="soil moisture",
            do="name the variable that holds it, or correct the attribute",
        )
    texts = {name: text_attribute(variable, name) for name in NAMING} | {"its name": variable.name}
    doubtful = {name: text for name, text in texts.items() if OTHER_WORDS.search(text)}
    titles = {name: text_attribute(dataset, name) for name in TITLES}
    doubtful |= {name: text for name, text in titles.items() if "anomal" in text.lower()}
    return next((f"'{text}' in {name}: this may be no soil moisture" for name, text in doubtful.items()), None)
