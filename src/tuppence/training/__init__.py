"""The one training loop, with what it needs: optimizers, schedule, precision, ranks, checkpoints, signals."""
