"""Notebook 02: the vision-language branch - load, verdicts and their scores, preference pairs, DPO."""
