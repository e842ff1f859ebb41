"""The dress rehearsal: every stage of an experiment with the true architectures and sizes, without its weights."""
