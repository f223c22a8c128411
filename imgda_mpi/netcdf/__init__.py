"""CF NetCDF files: what is read of them, and variables of those that are written.

Every fault of a file that is read is an `InputError`.
"""

from imgda_mpi.netcdf.coordinates import Horizontal, horizontal_grid, is_list, point_coordinates
from imgda_mpi.netcdf.files import in_library, opened, resolve, text_attribute
from imgda_mpi.netcdf.values import VERSIONS, read_slice, read_values
from imgda_mpi.netcdf.variables import around, every, find_variable, full_name, named, vectors_along
from imgda_mpi.netcdf.writing import write_coordinate, write_names, write_variable, write_words

__all__ = [
    "VERSIONS",
    "Horizontal",
    "around",
    "every",
    "find_variable",
    "full_name",
    "horizontal_grid",
    "in_library",
    "is_list",
    "named",
    "opened",
    "point_coordinates",
    "read_slice",
    "read_values",
    "resolve",
    "text_attribute",
    "vectors_along",
    "write_coordinate",
    "write_names",
    "write_variable",
    "write_words",
]
