"""Faces: images with an index, from any source."""
