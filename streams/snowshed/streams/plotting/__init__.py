"""Pictures of runs; needs the extra `plot`."""
