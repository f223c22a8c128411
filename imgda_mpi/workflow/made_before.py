"""What is read of a result that other settings make, and have not made yet."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from imgda_mpi.faults import ConfigError, fault
from imgda_mpi.settings.file import peek, read_table, verb_of


def check_made(path: Path, keys: str) -> None:
    """Refuse a file or folder in the output folder, which is not there, of a settings file beside that. Not collective.

    Parameters
    ----------
    path : of a file or a folder, or a pattern of files
    keys : of the settings that name it

    Raises
    ------
    ConfigError
    """
    with suppress(OSError, ValueError):  # a name that no file can have is refused where it is read
        if not path.exists() and (maker := _maker(path)):
            settings, output = maker
            raise fault(
                path,
                found=f"no folder {output}, which is the output of {settings}",
                expected="its result",
                do=f"make it first: `imgda_mpi {verb_of(read_table(settings))} {settings}` (see {keys})",
                kind=ConfigError,
            )


def _maker(path: Path) -> tuple[Path, str] | None:
    """The settings file whose output a path that is not there is in, and the output as it is written there."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for settings in sorted(missing[-1].parent.glob("*.toml")):
        output = peek(settings, "output", "directory")
        if isinstance(output, str) and (settings.parent / output).resolve() in {one.resolve() for one in missing}:
            return settings, output
    return None
