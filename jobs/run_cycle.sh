# shellcheck shell=bash disable=SC2154,SC2329
# What the job scripts of a run of cycles have in common (cycle_*.sh beside this file); they source it after setting
#
#   project, case_file, job_script, cache   paths, see the scripts
#   job_id                                  of this job
#   time_left                               prints the wall time that is left as HH:MM:SS; nothing where it has no end
#   submit                                  puts job_script into the queue
#
# The driver is one plain process in this shell, which starts model and analyses by the commands of the settings. The
# job ends with its status: 0 done, 2 something you can mend, 5 no observation where one has to be, 1 a fault of the
# program, 3 out of time, 4 a model or an analysis was lost. After 3 and 4 the job submits itself again, as often as it
# takes: but three jobs one after the other in which no cycle came about are the last ones, as a wall time that is too
# short for one does not get better.
most_in_vain=3

imgda_mpi=$project/bin/imgda_mpi
if ! [ -x "$imgda_mpi" ] || ! [ -r "$job_script" ]; then
    echo "error: expected $imgda_mpi, and this script as $job_script: edit project and job_script" >&2
    exit 2
fi

say() { echo "job $job_id: $*"; }

# The number of cycles that are done; 0 where there is no run yet.
cycles_done() {
    local number
    number=$("$imgda_mpi" status "$case_file" --json 2>/dev/null </dev/null | sed -n 's/.*"done": *\([0-9]*\).*/\1/p')
    echo "${number:-0}"
}

# Jobs in vain are counted by the case, as each of them has a number of its own.
in_vain=$cache/imgda_mpi/in-vain-$(readlink -f -- "$case_file" | cksum | cut -d ' ' -f 1)
mkdir -p "$cache/imgda_mpi" || exit 2
before=$(cycles_done)
limit=$(time_left)

# USR1 warns of the end of the wall time; who ends the job sends TERM.
signals=0
ended=no
trap 'signals=$((signals + 1)); kill -USR1 "$driver"' USR1
trap 'signals=$((signals + 1)); ended=yes; kill -TERM "$driver"' TERM
# Only the driver's: the next job begins with the variables that this shell has.
PATH=$project/bin:$PATH XDG_CACHE_HOME=$cache \
    "$imgda_mpi" cycle "$case_file" ${limit:+--until-walltime "$limit"} </dev/null &
driver=$!
# A wait that a signal has cut short says nothing of the driver.
seen=
until [ "$seen" = "$signals" ]; do
    seen=$signals
    wait "$driver"
    status=$?
done

case $status in
    3) why="out of time" ;;
    # A fault of the program, something to mend or to wait for, a command that is not there.
    0 | 1 | 2 | 5 | 126 | 127 | 130) why= ;;
    *) why="a model, an analysis or the driver was lost (status $status)" ;;
esac
if [ -z "$why" ]; then
    rm -f "$in_vain"
    exit "$status"
fi
# This takes a second. Who ends the job may signal the driver first and this shell only then.
after=$(cycles_done)
if [ $ended = yes ]; then
    say "ended from outside: submit it again and it goes on where it was"
    exit "$status"
fi
[ "$after" -le "$before" ] || rm -f "$in_vain"
[ "$after" -gt "$before" ] || echo "$job_id" >>"$in_vain"
if [ -e "$in_vain" ] && [ "$(wc -l <"$in_vain")" -ge $most_in_vain ]; then
    say "$why, and no cycle came about in $most_in_vain jobs: see imgda_mpi status, mend it, and submit it again"
    rm -f "$in_vain"
else
    say "$why; cycles done by this job: $((after - before)); into the queue again"
    submit || say "the queue does not take it: submit it again"
fi
exit "$status"
