"""CF NetCDF files: what is read of them, and variables of those that are written.

Every fault of a file that is read is an `InputError`.
"""

from imgda_mpi.netcdf.coordinates import horizontal_grid, point_coordinates, vectors_along
from imgda_mpi.netcdf.files import find_variable, in_library, opened, resolve, text_attribute
from imgda_mpi.netcdf.values import read_values
from imgda_mpi.netcdf.writing import write_coordinate, write_names, write_variable, write_words

__all__ = [
    "find_variable",
    "horizontal_grid",
    "in_library",
    "opened",
    "point_coordinates",
    "read_values",
    "resolve",
    "text_attribute",
    "vectors_along",
    "write_coordinate",
    "write_names",
    "write_variable",
    "write_words",
]
