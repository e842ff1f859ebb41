"""The small world: scenes, captions, cameras and generators, and how the mini bases are made."""
