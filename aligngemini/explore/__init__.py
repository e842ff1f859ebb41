"""Widgets over saved tables. Nothing here computes a result."""
