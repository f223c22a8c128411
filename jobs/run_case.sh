# shellcheck shell=bash disable=SC2154,SC2329
# What the job scripts beside this file have in common; they source it after setting
#
#   project, case_file, scratch, cache   paths, see the scripts
#   job_id, wall_time_signal             of this job; the signal that warns of the end of its wall time
#   launch command...                    replaces this process with the command on all ranks, one bound to each core
#   requeue                              puts the job back into the queue
#
# The job ends with the status of the analysis: 0 done, 2 something you can mend, 1 a fault of the program. A rank that
# was lost or a wall time that ran out sends the job back into the queue, twice at most: memory that is too small or a
# wall time that is too short does not get better.
most_attempts=3

# mpirun_bound N command...: a `launch` for schedulers whose ranks mpirun starts. Open MPI takes only what it is told of
# the environment along to other nodes; the others (MPICH, Intel MPI) take all of it, and Intel MPI binds by itself.
mpirun_bound() {
    local ranks=$1 name
    shift
    case $(mpirun --version 2>&1 </dev/null) in
        *"Open MPI"*)
            for name in PATH LD_LIBRARY_PATH TMPDIR XDG_CACHE_HOME OMP_NUM_THREADS OPENBLAS_NUM_THREADS; do
                [ -z "${!name:-}" ] || set -- -x "$name" "$@"
            done
            set -- --map-by core --bind-to core "$@"
            ;;
        *Intel*) export I_MPI_PIN_DOMAIN=core ;;
        *) set -- -bind-to core "$@" ;;
    esac
    exec mpirun -n "$ranks" "$@"
}

say() { echo "job $job_id: $*"; }

# ours command...: one in the environment of imgda_mpi, of which the job's other commands, as a model, see nothing.
ours() (
    # shellcheck source=tools/env.sh
    . "$project/tools/env.sh" && "$@"
)

# A result appears whole or not at all. With status 3 there is none yet, and what else may be wrong the analysis says.
ours python -P -m imgda_mpi check --done "$case_file" </dev/null
case $? in
    0)
        say "nothing to do"
        exit 0
        ;;
    2) exit 2 ;; # settings at fault, or a folder that holds something else
esac

# Attempts are counted, and measured FFT plans are kept, where they outlive the job.
export XDG_CACHE_HOME=$cache
attempts=$cache/imgda_mpi/attempts-$job_id
mkdir -p "$cache/imgda_mpi" && echo "$(date) on $(hostname)" >>"$attempts" || exit 2

TMPDIR=$(mktemp -d "$scratch/imgda_mpi-$job_id.XXXXXX") || exit 2
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# The shell has to wait for the ranks in the background: otherwise it would see the signal only after their end.
warned=no
trap 'warned=yes; kill -TERM "$launcher" 2>/dev/null' "$wall_time_signal"
# One process, which the signal is for, becomes the launcher.
(. "$project/tools/env.sh" && launch python -P -m mpi4py -m imgda_mpi analyse "$case_file") </dev/null &
launcher=$!
wait "$launcher"
status=$?
# A wait that the signal has cut short says nothing of the ranks.
[ $warned = no ] || { wait "$launcher"; status=$?; }

case $status:$warned in
    0:* | 2:*) lost= ;;
    *:yes) lost="the wall time has run out" ;;
    # A fault of the program, and a command that is not there. 143 is a lost rank too: srun ends with the highest status,
    # that of the ranks that it terminates then. Who ends the job itself (scancel, bkill) ends this shell.
    1:* | 126:* | 127:* | 130:*) lost= ;;
    *) lost="a rank or its node was lost (status $status)" ;;
esac
if [ -z "$lost" ]; then
    rm -f "$attempts"
elif [ "$(wc -l <"$attempts")" -ge $most_attempts ]; then
    say "$lost for the $most_attempts. time: give it more time, memory or nodes, and submit it again"
    rm -f "$attempts"
else
    say "$lost; back into the queue"
    # Before that, because the scheduler may end this script at once.
    rm -rf "$TMPDIR"
    requeue || say "the queue does not take it back: submit it again"
fi
exit "$status"
