"""Values as a file stores them, and the attributes that say what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import BoolArray
from imgda_mpi.faults import ImgdaError, fault

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Stored:
    """Values of a variable before they are unpacked.

    Parameters
    ----------
    path, name : of the file and the variable, what an error names
    values : of any shape and numeric type, in the machine's order of bytes
    of_file : the type in the file: that of the values, or the signed one where its bits are taken for unsigned numbers
    attributes : of the variable, each a vector

    Raises
    ------
    InputError
        By every method, where an attribute cannot be applied.
    """

    path: Path
    name: str
    values: Numbers
    of_file: np.dtype[Any]
    attributes: Mapping[str, Numbers]

    @property
    def is_packed(self) -> bool:
        """Whether there is a scale factor or an offset."""
        return not self.attributes.keys().isdisjoint(("scale_factor", "add_offset"))

    @property
    def half_step(self) -> float:
        """Half the distance of neighbouring unpacked values, 0 for floating point."""
        scale = abs(float(next(iter(self.numbers("scale_factor", 1)), 1.0)))
        return 0.5 * scale if self.values.dtype.kind in "iu" else 0.0

    def unpacked(self) -> Numbers:
        """``values * scale_factor + add_offset``, in the precision of these attributes."""
        values = self.values
        with np.errstate(over="ignore", invalid="ignore"):
            for factor in self.numbers("scale_factor", 1):
                if factor == 0 or not np.isfinite(factor):
                    raise self.cannot_apply("scale_factor", "a finite number other than 0")
                values = values * _real(factor)
            for term in self.numbers("add_offset", 1):
                if not np.isfinite(term):
                    raise self.cannot_apply("add_offset", "a finite number")
                values = values + _real(term)
        return np.asarray(values)

    def filled(self) -> BoolArray:
        """Where ``_FillValue`` or one of ``missing_value`` stands."""
        filled = np.zeros(self.values.shape, dtype=bool)
        for name in ("_FillValue", "missing_value"):
            for number in self.numbers(name):
                fill = self.as_stored(number)
                if fill is None:
                    raise self.cannot_apply(name, f"fill values of type {self.of_file}")
                filled |= np.isnan(self.values) if np.isnan(fill) else self.values == fill
        return filled

    def numbers(self, name: str, size: int | None = None) -> Numbers:
        """An attribute, of the given size if there is one; empty where it is absent."""
        if name not in self.attributes:
            return np.empty(0)
        numbers = self.attributes[name]
        if numbers.dtype.kind not in "iuf" or numbers.size != (size or numbers.size):
            raise self.cannot_apply(name, {None: "numbers", 1: "a number"}.get(size, f"{size} numbers"))
        return numbers

    def as_stored(self, number: Any) -> Any:
        """A number in the type of the values, None where that has no such number."""
        if self.values.dtype.kind == "f":
            return number.astype(self.values.dtype)
        for kind in (self.of_file, self.values.dtype):
            with np.errstate(invalid="ignore"):
                cast = number.astype(kind)
            if cast == number:
                return cast.view(self.values.dtype)
        return None

    def text(self, name: str) -> str:
        """An attribute for messages."""
        parts = self.attributes[name].tolist()
        return f"{name} {', '.join(repr(part) if isinstance(part, str) else f'{part:.7g}' for part in parts)}"

    def cannot_apply(self, name: str, expected: str) -> ImgdaError:
        """The error of an attribute that does not fit the variable."""
        return fault(
            self.path,
            self.name,
            found=f"attributes that cannot be applied ({self.text(name)})",
            expected=expected,
            do="correct or remove the attribute",
        )


def _real(number: Any) -> Any:
    """Integers as floating point: their products may be too large for the type of the values."""
    return number if number.dtype.kind == "f" else np.float64(number)
