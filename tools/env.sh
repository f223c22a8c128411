# shellcheck shell=bash disable=SC2034
# For the project's own scripts and for work on the project. Source this file (`. tools/env.sh`): the project's python,
# and the mpirun that belongs to its mpi4py, come first on PATH, and `run_ranks N command...` starts a command on N ranks.
# Programs of another MPI, as a model, may then not start any more: shells that run them too have bin/ on PATH instead.
#
# The environment is the one that is active (a virtual or conda environment of your own), otherwise .venv.

imgda_root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]:-$0}")/.." && pwd -P)
if [ -n "${VIRTUAL_ENV:-}" ]; then
    imgda_environment=$VIRTUAL_ENV
elif [ -n "${CONDA_PREFIX:-}" ] && [ "${CONDA_DEFAULT_ENV:-}" != base ]; then
    imgda_environment=$CONDA_PREFIX
else
    imgda_environment=$imgda_root/.venv
fi
# An mpirun inside the environment (from a wheel or from conda) is found before the system's, as its library is.
# With the PYTHONHOME of another Python this one does not start.
# What is changed here is kept, for commands of a model that the program runs: once, and where the path is another one.
case ${IMGDA_OUTSIDE:+kept}:$PATH in
    kept:"$imgda_environment/bin":*) ;;
    *)
        IMGDA_OUTSIDE=$(declare -p PATH PYTHONHOME OMP_NUM_THREADS OPENBLAS_NUM_THREADS 2>/dev/null) || true
        unset PYTHONHOME
        export IMGDA_OUTSIDE PATH="$imgda_environment/bin:$PATH"
        case :${PYTHONPATH:-}: in
            :: | *:"$imgda_root"* | *:"$imgda_environment"/*) ;;
            *) echo "warning: PYTHONPATH=$PYTHONPATH: modules there come before those of imgda_mpi" >&2 ;;
        esac
        ;;
esac

# The program's parallelism is its ranks: threads of the libraries would only compete with them for the cores.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

# Ends the process where tools/setup.sh has not come to its end here.
need_setup() {
    [ ! -e "$imgda_environment/imgda_mpi.stamp" ] || return 0
    echo "error: imgda_mpi is not set up in $imgda_environment: run bash $imgda_root/tools/setup.sh" \
        "(an active environment is used instead of .venv)" >&2
    exit 2
}

# run_ranks N command...: the command on N ranks of this machine, which may be more than it has cores. Where
# imgda_time_limit is set, it is ended after so many seconds with status 124; where imgda_input is "keep", rank 0 has the
# standard input.
run_ranks() {
    local ranks=$1
    shift
    local version
    version=$(mpirun --version 2>&1 </dev/null) || true
    case $version in
        *"Open MPI"*)
            # Ranks that share cores have to wait politely, and must not all be tied to the same core. They meet in shared
            # memory: a look for networks takes a quarter of a second at every start, of Open MPI 5 a whole one.
            set -- --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 \
                --mca pml ^cm,ucx --mca btl ^ofi,openib "$@"
            [ "$(id -u)" -ne 0 ] || set -- --allow-run-as-root "$@"
            ;;
    esac
    set -- mpirun -n "$ranks" "$@"
    [ -z "${imgda_time_limit:-}" ] || set -- timeout --foreground --kill-after=10 "$imgda_time_limit" "$@"
    # A script of which this is the end gives its process away, and with it all signals that are meant for the ranks.
    [ -z "${imgda_exec:-}" ] || set -- exec "$@"
    if [ "${imgda_input:-}" = keep ]; then "$@"; else "$@" </dev/null; fi
}
