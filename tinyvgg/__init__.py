"""Why did the network get this image wrong? Backtracking, deconvolution and feature tracking."""

__version__ = "0.1.0"
