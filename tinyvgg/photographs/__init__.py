"""Which photographs a source has: listed from names and tables alone, none is opened.

The standard library is all that this needs, so that the command line can refuse bad input at once.
"""

from tinyvgg.photographs.listing import LeftOut, Listing, Photograph
from tinyvgg.photographs.reading import list_photographs

__all__ = ["LeftOut", "Listing", "Photograph", "list_photographs"]
