"""The figures of the book. Every function returns a matplotlib figure and touches no other."""

from tinyvgg.extras import need

need("widgets", "pandas", "matplotlib", "seaborn")
