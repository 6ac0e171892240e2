#!/bin/bash
# A Ray cluster for as long as one command takes: sbatch examples/slurm/cluster.sh compare study.yaml --out /share/study
#SBATCH --job-name=anomaly-gan
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=08:00:00
set -euo pipefail

HEAD=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

srun --nodes 1 --ntasks 1 --nodelist "$HEAD" ray start --head --port 6379 --num-cpus "$SLURM_CPUS_PER_TASK" --block &
sleep 20
srun --nodes $((SLURM_NNODES - 1)) --ntasks $((SLURM_NNODES - 1)) --exclude "$HEAD" \
  ray start --address "$HEAD:6379" --num-cpus "$SLURM_CPUS_PER_TASK" --block &
sleep 20
anomaly-gan "$@" --engine "ray:$HEAD:6379"
