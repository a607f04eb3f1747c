"""The whole analysis of a set of images as one report, from training to repairs."""

from tinyvgg.extras import need

need("book", "pandas", "matplotlib", "IPython", "nbformat")

from tinyvgg.analysis.analyse import Analysis, analyse
from tinyvgg.analysis.saving import check_place, save

__all__ = ["Analysis", "analyse", "check_place", "save"]
