"""Images: where they come from, how they are read, degraded and reconstructed, and the table that carries
them.
"""
