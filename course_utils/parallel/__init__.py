"""Several processes, each with a share of the batch: the shares, the experiments, the workers."""
