"""Where pictures lie: folders, lists, archives and named benchmarks become rows with labels and reasons."""
