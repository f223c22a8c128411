"""What there is of a CoLM202X case in its folders: names of its blocks and files, and what is missing of them."""

from __future__ import annotations

import os
import re
from bisect import bisect
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from imgda_mpi.colm.case_files import CaseFiles, stamp
from imgda_mpi.colm.hdf5 import opened
from imgda_mpi.faults import ImgdaError, fault, reading

MOST_NAMED = 6
"""Of what is in a folder."""


class Listing(NamedTuple):
    """Names of the blocks, names of all files of the instant, and the files of the case as they are."""

    blocks: list[str]
    states: list[str]
    files: CaseFiles


def list_files(files: CaseFiles) -> Listing:
    """What there is of a case at its instant. Opens no file but a landpatch file of all blocks. Not collective.

    Raises
    ------
    InputError
        Where a folder or the state or const file of a block is missing.
    """
    _check_folders(files)
    with reading(files.states), os.scandir(files.states) as entries:
        states = sorted(entry.name for entry in entries if entry.is_file())
    blocks, files = list_blocks(files)
    _check_blocks(files, blocks, states)
    return Listing(blocks, states, files)


def list_blocks(files: CaseFiles) -> tuple[list[str], CaseFiles]:
    """Names of the blocks, and the files as the landdata are: a file for each, or one for all. Not collective.

    Raises
    ------
    InputError
        Where there are no landdata.
    """
    names = _names(files.landpatch) or ()
    blocks = sorted(found[1] for name in names if (found := re.fullmatch(r"landpatch_(.*)\.nc", name)))
    of_all = replace(files, in_one_file=True)
    cells, _ = of_all.places("")
    if cells.name in names and (not blocks or of_all.state("").is_file()):
        with opened(cells) as file:
            return file.blocks("eindex"), of_all
    if not blocks:
        years = [name for name in _names(files.landpatch.parent) or () if name != files.landpatch.name]
        raise fault(
            files.landpatch,
            found=f"no landpatch_<block>.nc{f' (of other years there are: {_some(years)})' if years else ''}",
            expected="one for every block with land, or a landpatch.nc for all",
            do="the directory must hold the case's landdata of land_cover_year beside its restart folder",
        )
    return blocks, files


def _names(folder: Path) -> list[str] | None:
    """Sorted names of what is in a folder; None where there is no such folder."""
    with reading(folder):
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else None


def _some(names: Sequence[str], wanted: str = "") -> str:
    """Names in words, of many those beside the one that is wanted."""
    if not names:
        return "none"
    first = min(max(bisect(names, wanted) - MOST_NAMED // 2, 0), max(len(names) - MOST_NAMED, 0))
    some = ", ".join(names[first : first + MOST_NAMED])
    return f"{some} and {len(names) - MOST_NAMED} others" if len(names) > MOST_NAMED else some


def _check_folders(files: CaseFiles) -> None:
    inside, stamps = _names(files.directory), _names(files.states.parent)
    if inside is None or stamps is None:
        beside = _names(files.directory.parent) or ()
        raise fault(
            files.directory,
            found=f"no such folder (there are: {_some(beside, files.directory.name)})"
            if inside is None
            else f"no folder restart in it (there are: {_some(inside, 'restart')})",
            expected="the case's output folder, with restart/ and landdata/",
            do="correct the directory: it is DEF_dir_output/DEF_CASE_NAME of the model's namelist",
        )
    names = _names(files.states)
    if names is None:
        there = [name for name in stamps if name.count("-") >= 2]
        raise fault(
            files.states,
            found=f"no such folder (there are: {_some(there, files.states.name)})",
            expected="the restart of this time",
            do="correct time or directory, or run the model to that time",
        )
    if not any(name.startswith((f"{files.stem}_", f"{files.stem}.nc")) for name in names):
        raise _of_another_case(files, names)


def _of_another_case(files: CaseFiles, names: Sequence[str]) -> ImgdaError:
    """The error where a folder has other states alone: it says which."""
    state = re.compile(rf"(.+)_restart_{stamp(files.time)}_lc(\d+)(_[ew]\d+_[ns]\d+)?\.nc")
    there = sorted({(found[1], found[2]) for name in names if (found := state.fullmatch(name))})
    years = [year for case, year in there if case == files.case]
    cases = [case for case, year in there if year == str(files.land_cover_year)]
    if years or cases:
        do = f"correct {'land_cover_year' if years else 'case'}: {' or '.join(years or cases)}"
    else:
        do = "correct case or land_cover_year"
    like = f"files named like {names[0]}" if names else "an empty folder"
    of_there = [f"case {case} with land cover of {year}" for case, year in there]
    return fault(
        files.states,
        found=f"states of {_some(of_there)}" if there else like,
        expected=f"{files.stem}_<block>.nc, of case {files.case} with land cover of {files.land_cover_year}",
        do=do,
    )


def _check_blocks(files: CaseFiles, blocks: Sequence[str], states: Sequence[str]) -> None:
    wanted = {files.state(block).name for block in blocks}
    there = [name for name in states if name.startswith((f"{files.stem}_", f"{files.stem}.nc")) and name[-3:] == ".nc"]
    other_form = [name for name in there if (name == f"{files.stem}.nc") != files.in_one_file]
    if other_form:
        raise fault(
            files.states / other_form[0],
            found=f"states in {'files of blocks' if files.in_one_file else 'one file for all blocks'}",
            expected=f"{'one file for all' if files.in_one_file else 'a file for each block'}, as in {files.landpatch}",
            do="use the landdata this restart was made with, and keep files of a model built with VectorInOneFileS or"
            " VectorInOneFileP apart from others",
        )
    for of_block, names in ((files.state, states), (files.const, _names(files.consts) or ())):
        needed = list(dict.fromkeys(map(of_block, blocks)))
        missing = [path for path in needed if path.name not in set(names)]
        if missing:
            n_there = len(needed) - len(missing)
            raise fault(
                missing[0],
                found="no such file",
                expected=f"one for all blocks, as in {files.landpatch}"
                if files.in_one_file
                else f"one for each of the {len(blocks)} blocks in {files.landpatch}, of which {n_there} are there",
                do="copy the missing block from the model run"
                if n_there
                else f"correct case or land_cover_year: in this folder are {_some(names, missing[0].name)}",
            )
    _check_other_sets(files, states)
    extra = [name for name in there if name not in wanted]
    if extra:
        raise fault(
            files.states / extra[0],
            found="a block that has no landpatch file",
            expected=f"one of the {len(blocks)} blocks in {files.landpatch}",
            do="use the landdata this restart was made with",
        )


def _check_other_sets(files: CaseFiles, states: Sequence[str]) -> None:
    """Refuse a restart without the state of a set (pft, urban, ...) that has constants."""
    year, block = files.land_cover_year, r"\.nc" if files.in_one_file else "_.+"
    for name in _names(files.consts) or ():
        const = re.fullmatch(rf"{re.escape(files.case)}_restart_(\w+)_const_lc{year}({block})", name)
        kind = const and {"urb": "urban"}.get(const[1], const[1])
        state = const and f"{files.case}_restart_{kind}_{stamp(files.time)}_lc{year}{const[2]}"
        if state and state not in states:
            raise fault(
                files.states / state,
                found="no such file",
                expected=f"the state of the patches in {name}",
                do="copy the whole folder of the restart again from the model run",
            )
