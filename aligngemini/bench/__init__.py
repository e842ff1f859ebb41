"""Benchmarks under named protocols: every branch scores every picture once, and the rest is counting."""
