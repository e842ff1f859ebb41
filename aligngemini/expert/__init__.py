"""Notebook 03: the pixel branch - backbone and LoRA, paired views, training, scoring."""
