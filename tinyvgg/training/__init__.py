"""Training: the loop, its checkpoints, its watchers, and what can be told of a run meanwhile."""
