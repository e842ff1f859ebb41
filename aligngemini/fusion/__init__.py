"""Notebook 04: the scores of all branches become one verdict."""
