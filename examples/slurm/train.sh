#!/bin/bash
# One training on two machines of four GPUs each: sbatch examples/slurm/train.sh /share/run
#SBATCH --job-name=anomaly-gan
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=16
#SBATCH --time=08:00:00
#SBATCH --requeue
set -euo pipefail

RUN=$1
PER_NODE=4
FIRST=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

# every process gets its rows of the same batch; the first one writes. Requeued, it goes on from the last checkpoint
srun torchrun --nnodes "$SLURM_NNODES" --nproc-per-node "$PER_NODE" --rdzv-id "$SLURM_JOB_ID" \
  --rdzv-backend c10d --rdzv-endpoint "$FIRST:29500" \
  -m -- anomaly_gan train --run "$RUN" --device cuda --set devices=$((SLURM_NNODES * PER_NODE)) --set batch=64
