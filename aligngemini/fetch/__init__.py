"""Fetch the published data sets and models, and check what lies on the disk."""
