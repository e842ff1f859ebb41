"""Notebook 04: two scores become one verdict."""
