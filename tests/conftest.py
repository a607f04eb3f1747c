"""Shapes and types in signatures are checked at run time, in the tests only."""

from jaxtyping import install_import_hook

install_import_hook("tinyvgg", "beartype.beartype")
