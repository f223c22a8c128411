#!/usr/bin/env bash
# Model and analyses in turn, in as many jobs as it takes, on LSF. Edit account, size, wall time and paths, then in
# the project's folder: bsub < jobs/cycle_lsf.sh
#BSUB -J imgda_mpi
#BSUB -P ACCOUNT
#BSUB -n 64
#BSUB -R "span[ptile=32] affinity[core(1)]"
#BSUB -W 12:00
#BSUB -o imgda_mpi-%J.log
# To be left alone: back into the queue where a node is lost, and a signal 2 minutes before the wall time ends.
#BSUB -r
#BSUB -wa USR1
#BSUB -wt 2

# module load openmpi                      # what the model needs, where [model] environment does not do it
case_file=cycle.toml                       # settings of the run; paths are relative to where you submit from
project=$LS_SUBCWD                         # where imgda_mpi is
job_script=$project/jobs/cycle_lsf.sh      # this file, which goes into the queue again and again
cache=${XDG_CACHE_HOME:-$HOME/.cache}      # for measured FFT plans; a file system that outlives the job

job_id=$LSB_JOBID
time_left() { sed -n 's/^#BSUB -W \([0-9]*:[0-9]*\) *$/\1:00/p' "$job_script"; } # the job has only begun
submit() { bsub <"$job_script"; }
# shellcheck source=jobs/run_cycle.sh disable=SC2317
. "$project/jobs/run_cycle.sh" || exit 2
