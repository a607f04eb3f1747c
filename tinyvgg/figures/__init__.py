"""The figures of the book. Every function returns a matplotlib figure and touches no other."""
