"""Benchmarks under named protocols: every branch scores every image once, and the rest is counting."""
