#!/usr/bin/env bash
# Everything that has to hold before a change is accepted: style, types, import contracts, and the tests on one rank and
# under mpirun, with an h5py that has MPI and with one that has none. Needs no options; some half an hour on two cores.
#
# What needs no parallel HDF5 comes first: where the user's cache has no h5py with it, that is built meanwhile.
#
# The last line is `N passed, N failed, N skipped`, added up over the runs of pytest. Ends with status 1 where anything
# failed.
set -uo pipefail

tools=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
cd "$tools/.." || exit 1
reports=$(mktemp -d "${TMPDIR:-/tmp}/imgda_test.XXXXXX")
beside= # process group of what goes on beside the stages
trap '[ -z "$beside" ] || kill -- -"$beside" 2>/dev/null; rm -rf "$reports"' EXIT
summary=()
failed=no

# stage NAME command...: runs it, whatever happened before, and remembers how it ended.
stage() {
    local name=$1 start=$SECONDS outcome=passed status
    shift
    printf '\n=== %s\n' "$name"
    "$@" </dev/null
    status=$?
    case $status in
        0) ;;
        124 | 137) outcome="FAILED (out of time)" ;;
        *) outcome=FAILED ;;
    esac
    [ $status -eq 0 ] || failed=yes
    summary+=("$(printf '%-44s %-20s %4d s' "$name" "$outcome" $((SECONDS - start)))")
    return "$status"
}

# Adds up the JUnit reports, one directory per run with one report per rank. A test that fails on any rank has failed;
# a run that did not come to its end is one failure more.
add_up() {
    python3 - "$reports" <<'PYTHON'
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

totals = {"passed": 0, "failed": 0, "skipped": 0}
for run in filter(Path.is_dir, Path(sys.argv[1]).iterdir()):
    outcomes = {}
    for report in run.glob("*.xml"):
        # The test during which a run was stopped has no name there.
        for case in ElementTree.parse(report).iterfind(".//testcase[@name]"):
            kinds = {part.tag for part in case}
            outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
            test = case.get("classname"), case.get("name")
            outcomes[test] = min(outcomes.get(test, outcome), outcome, key=["failed", "passed", "skipped"].index)
    for outcome in outcomes.values():
        totals[outcome] += 1
    if not outcomes or (run / "incomplete").exists():
        totals["failed"] += 1
print(", ".join(f"{count} {outcome}" for outcome, count in totals.items()))
PYTHON
}

finish() {
    printf '\n=== summary\n'
    printf '%s\n' "${summary[@]}"
    add_up
    [ $failed = no ]
    exit
}

# ended RUN STATUS: keeps in mind a run that was stopped or did not start; pytest's own 1 means failed tests.
ended() {
    [ "$2" -le 1 ] || touch "$1/incomplete"
    return "$2"
}

# pytest_serial RUN SECONDS arguments...: each test on one rank, those marked mpi included.
pytest_serial() {
    local run=$reports/$1 seconds=$2
    shift 2
    mkdir "$run"
    # Interrupted, pytest still reports what it was doing.
    timeout --foreground --signal=INT --kill-after=20 "$seconds" \
        python -m pytest -q --color=no --with-mpi -p no:cacheprovider --junitxml="$run/0.xml" "$@"
    ended "$run" $?
}

# pytest_ranks RUN SECONDS N arguments...: on N ranks. Rank 0 is heard, the others where the run fails.
pytest_ranks() {
    local run=$reports/$1 imgda_time_limit=$2 ranks=$3 status log
    shift 3
    mkdir "$run"
    # Unbuffered: a rank that fails is aborted before it would flush what it has to say. Folders of its own: ranks must
    # not tidy up one another's. What the garbage collector finds, and when, differs between ranks: the run on one rank
    # is strict about it.
    # shellcheck disable=SC2016  # expanded on each rank
    run_ranks "$ranks" bash -c '
        rank=${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-${SLURM_PROCID:?unknown rank}}}
        run=$1
        shift
        [ "$rank" -eq 0 ] || exec >"$run/$rank.log" 2>&1
        exec python -u -m mpi4py -m pytest -q --color=no --with-mpi -p no:cacheprovider --basetemp="$run/tmp$rank" \
            -W default::pytest.PytestUnraisableExceptionWarning --junitxml="$run/$rank.xml" "$@"
    ' rank "$run" "$@"
    status=$?
    [ "$status" -eq 0 ] || for log in "$run"/*.log; do
        printf -- '--- rank %s\n' "$(basename "$log" .log)"
        tail -n 60 "$log"
    done
    ended "$run" "$status"
}

# What goes on beside the stages: the set-up, and then restart files once more without shared access, as with the h5py of a
# plain installation. The words of the set-up come to an end after its status is known.
go_on_beside() {
    {
        "$tools/setup.sh" --tests --parallel-hdf5
        echo $? >"$reports/set-up.status"
    } >"$reports/set-up" 2>&1
    ! set_up_failed || return
    # shellcheck disable=SC2046  # names of files
    PYTHONPATH=$serial_h5py pytest_serial serial-h5py 1500 -m restart_io $(grep -l "restart_io" tests/test_*.py) \
        >"$reports/serial-h5py.log" 2>&1
}

set_up_failed() { [ "$(cat "$reports/set-up.status")" != 0 ]; }

# hear_set_up [WORDS]: what it says, until it has said these or has ended.
hear_set_up() {
    local line
    while IFS= read -r line <&3; do
        printf '%s\n' "$line"
        [[ $# -eq 0 || $line != *"$1"* ]] || return 0
    done
    ! set_up_failed
}

# Waits for the run beside the stages and shows what it said.
finish_beside() {
    wait "$beside"
    local status=$?
    beside=
    cat "$reports/serial-h5py.log"
    return "$status"
}

. "$tools/env.sh"
# pytest keeps the tests it has rewritten as bytecode, which saves every later process a quarter of a minute.
unset PYTHONDONTWRITEBYTECODE
serial_h5py=$imgda_environment/serial-h5py${PYTHONPATH:+:$PYTHONPATH}

# Job control: a group of its own, in which the run can be interrupted like the others.
mkfifo "$reports/set-up"
set -m
go_on_beside </dev/null &
beside=$!
set +m
exec 3<"$reports/set-up"

if ! stage "set-up" hear_set_up "ready but for parallel HDF5"; then
    mkdir "$reports/not-run"
    finish
fi
stage "ruff check" python -m ruff check .
stage "ruff format" python -m ruff format --check .
stage "mypy" python -m mypy
stage "import contracts" lint-imports
# With the h5py beside that of the environment, which may change at any time.
# Two files at a time: a program that starts, or waits for another, leaves a core free.
two_at_a_time="-n 2 --dist loadfile"
PYTHONPATH=$serial_h5py stage "pytest, 1 rank" pytest_serial one 1500 $two_at_a_time -m "not program and not restart_io"

if ! stage "set-up, parallel HDF5" hear_set_up; then
    mkdir "$reports/not-run"
    finish
fi
stage "pytest, 1 rank, program and restart files" pytest_serial program 2400 $two_at_a_time \
    -m "program or restart_io" tests
stage "pytest, 1 rank, h5py without MPI" finish_beside

# To load all other files on each rank too takes as long as these tests.
mapfile -t for_ranks < <(grep -lE "mark\.mpi|COMMS" tests/test_*.py)
for n in 3 4; do
    stage "pytest, $n ranks" pytest_ranks "ranks-$n" 400 "$n" -m mpi "${for_ranks[@]}"
done
PYTHONPATH=$serial_h5py stage "pytest, 2 ranks, h5py without MPI" \
    pytest_ranks serial-h5py-2 400 2 -m "mpi and restart_io" "${for_ranks[@]}"

finish
