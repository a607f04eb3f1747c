"""What the chapters find: tables and verdicts, computed from studies and runs."""

from tinyvgg.extras import need

need("book", "pandas", "IPython", "nbformat")


from tinyvgg.findings.conclusions import Part, conclude, record_numbers, untestable, weigh, whole

__all__ = ["Part", "conclude", "record_numbers", "untestable", "weigh", "whole"]
