"""What serves every notebook: parameters, runs and their manifests, progress, running in order."""
