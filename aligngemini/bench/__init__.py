"""Benchmarks under named protocols: both branches score every picture once, and everything else is counted from that."""
