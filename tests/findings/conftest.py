"""Makes the small models of the core's tests importable by name."""
