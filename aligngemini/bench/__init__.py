"""Benchmarks under named protocols: both branches score every picture once, and the rest is counting."""
