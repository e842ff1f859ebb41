"""Notebook 06: other detectors, each a branch, on the same images."""
