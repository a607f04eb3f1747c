"""Training: settings, networks, the loop with its checkpoints and watchers, runs and sweeps."""
