#!/usr/bin/env bash
# One analysis on LSF. Edit account, size, wall time and paths, then in the project's folder: bsub < jobs/lsf.sh
#BSUB -J imgda_mpi
#BSUB -P ACCOUNT
#BSUB -n 64
#BSUB -R "span[ptile=32] affinity[core(1)]"
#BSUB -W 01:00
#BSUB -o imgda_mpi-%J.log
# To be left alone: back into the queue where a node is lost, and a signal 2 minutes before the wall time ends.
#BSUB -r
#BSUB -wa USR1
#BSUB -wt 2

# module load python openmpi               # what tools/setup.sh was run with
case_file=case.toml                        # settings of the analysis; paths are relative to where you submit from
project=$LS_SUBCWD                         # where imgda_mpi is
scratch=${SCRATCH:-/tmp}                   # for temporary files; on several nodes a file system that all of them see
cache=${XDG_CACHE_HOME:-$HOME/.cache}      # for measured FFT plans; a file system that outlives the job

job_id=$LSB_JOBID
wall_time_signal=USR1
launch() { mpirun_bound "$LSB_DJOB_NUMPROC" "$@"; }
requeue() { brequeue -r "$job_id"; }
# shellcheck source=jobs/run_case.sh disable=SC2317
. "$project/jobs/run_case.sh" || exit 2
