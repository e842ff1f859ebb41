"""Notebook 05: tables, figures, pictures and the report."""
