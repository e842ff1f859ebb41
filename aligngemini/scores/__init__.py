"""What a score is and how it is judged: the score table, metrics, intervals, thresholds. Serves notebooks
02 to 05."""
