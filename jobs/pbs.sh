#!/usr/bin/env bash
# One analysis on PBS. Edit account, size, wall time and paths, then in the project's folder: qsub jobs/pbs.sh
#PBS -N imgda_mpi
#PBS -A ACCOUNT
#PBS -l select=2:ncpus=32:mpiprocs=32
#PBS -l walltime=01:00:00
#PBS -j oe
# To be left alone: back into the queue where a node is lost.
#PBS -r y

# module load python openmpi               # what tools/setup.sh was run with
case_file=case.toml                        # settings of the analysis; paths are relative to where you submit from
project=$PBS_O_WORKDIR                     # where imgda_mpi is
scratch=${SCRATCH:-/tmp}                   # for temporary files; on several nodes a file system that all of them see
cache=${XDG_CACHE_HOME:-$HOME/.cache}      # for measured FFT plans; a file system that outlives the job

cd "$PBS_O_WORKDIR" || exit 2
job_id=$PBS_JOBID
wall_time_signal=TERM # a few seconds before PBS ends the job
launch() { mpirun_bound "$(wc -l <"$PBS_NODEFILE")" "$@"; }
requeue() { qrerun "$job_id"; } # some sites keep that to operators
# shellcheck source=jobs/run_case.sh disable=SC2317
. "$project/jobs/run_case.sh" || exit 2
