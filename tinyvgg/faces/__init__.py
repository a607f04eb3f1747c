"""Faces: images with an index, from whichever source."""
