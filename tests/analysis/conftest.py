"""Makes the studies beside this file importable by name."""
