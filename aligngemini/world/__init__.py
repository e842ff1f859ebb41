"""The small world: scenes that are painted, described in words and photographed. It knows nothing of training."""
