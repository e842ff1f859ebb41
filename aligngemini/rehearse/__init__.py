"""Try the whole experiment before running it: the stages themselves, with random weights and few steps."""
