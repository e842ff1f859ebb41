"""Running notebooks: plans and sweeps of them, kernels, what is shown on the way, and how they end."""
