#!/usr/bin/env bash
# Model and analyses in turn, in as many jobs as it takes, on PBS. Edit account, size, wall time and paths, then in
# the project's folder: qsub jobs/cycle_pbs.sh
#PBS -N imgda_mpi
#PBS -A ACCOUNT
#PBS -l select=2:ncpus=32:mpiprocs=32
#PBS -l walltime=12:00:00
#PBS -j oe
# To be left alone: back into the queue where a node is lost.
#PBS -r y

# module load openmpi                      # what the model needs, where [model] environment does not do it
case_file=cycle.toml                       # settings of the run; paths are relative to where you submit from
project=$PBS_O_WORKDIR                     # where imgda_mpi is
job_script=$project/jobs/cycle_pbs.sh      # this file, which goes into the queue again and again
cache=${XDG_CACHE_HOME:-$HOME/.cache}      # for measured FFT plans; a file system that outlives the job

cd "$PBS_O_WORKDIR" || exit 2
job_id=$PBS_JOBID
time_left() { qstat -f "$job_id" | sed -n 's/^ *Resource_List\.walltime = //p'; } # the job has only begun
submit() { qsub "$job_script"; }
# shellcheck source=jobs/run_cycle.sh disable=SC2317
. "$project/jobs/run_cycle.sh" || exit 2
