#!/usr/bin/env bash
# One analysis on SLURM. Edit account, size, wall time and paths, then in the project's folder: sbatch jobs/slurm.sh
#SBATCH --job-name=imgda_mpi
#SBATCH --account=ACCOUNT
#SBATCH --nodes=2
#SBATCH --ntasks=64
#SBATCH --time=01:00:00
#SBATCH --output=imgda_mpi-%j.log
# To be left alone: back into the queue where a node is lost, and a signal to this shell 120 s before the end.
#SBATCH --cpus-per-task=1
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
#SBATCH --open-mode=append

# module load python openmpi               # what tools/setup.sh was run with
# export SLURM_MPI_TYPE=pmix               # where ranks do not find each other: a type that `srun --mpi=list` names
case_file=case.toml                        # settings of the analysis; paths are relative to where you submit from
project=$SLURM_SUBMIT_DIR                  # where imgda_mpi is
scratch=${SCRATCH:-/tmp}                   # for temporary files; on several nodes a file system that all of them see
cache=${XDG_CACHE_HOME:-$HOME/.cache}      # for measured FFT plans; a file system that outlives the job

job_id=$SLURM_JOB_ID
wall_time_signal=USR1
launch() { exec srun --cpu-bind=cores --distribution=block:block --kill-on-bad-exit=1 "$@"; }
requeue() { scontrol requeue "$job_id"; }
# shellcheck source=jobs/run_case.sh disable=SC2317
. "$project/jobs/run_case.sh" || exit 2
