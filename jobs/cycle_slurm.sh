#!/usr/bin/env bash
# Model and analyses in turn, in as many jobs as it takes, on SLURM. Edit account, size, wall time and paths, then in
# the project's folder: sbatch jobs/cycle_slurm.sh
#SBATCH --job-name=imgda_mpi
#SBATCH --account=ACCOUNT
#SBATCH --nodes=2
#SBATCH --ntasks=64
#SBATCH --time=12:00:00
#SBATCH --output=imgda_mpi-%j.log
# To be left alone: back into the queue where a node is lost, and a signal to this shell 120 s before the end.
#SBATCH --cpus-per-task=1
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
#SBATCH --open-mode=append

# module load openmpi                      # what the model needs, where [model] environment does not do it
# export SLURM_MPI_TYPE=pmix               # where ranks do not find each other: a type that `srun --mpi=list` names
case_file=cycle.toml                       # settings of the run; paths are relative to where you submit from
project=$SLURM_SUBMIT_DIR                  # where imgda_mpi is
job_script=$project/jobs/cycle_slurm.sh    # this file, which goes into the queue again and again
cache=${XDG_CACHE_HOME:-$HOME/.cache}      # for measured FFT plans; a file system that outlives the job

export SLURM_KILL_BAD_EXIT=1               # a lost rank ends its srun, in which the others would wait for it
job_id=$SLURM_JOB_ID
time_left() {
    local end
    # N/A where there is no limit.
    end=$(date -d "$(squeue -h -j "$job_id" -o %e)" +%s 2>/dev/null) || return 0
    end=$((end - $(date +%s)))
    printf '%02d:%02d:%02d\n' $((end / 3600)) $((end / 60 % 60)) $((end % 60))
}
submit() { sbatch "$job_script"; }
# shellcheck source=jobs/run_cycle.sh disable=SC2317
. "$project/jobs/run_cycle.sh" || exit 2
