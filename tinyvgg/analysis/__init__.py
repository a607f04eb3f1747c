"""The whole analysis of a set of images as one report, from training to repairs."""
