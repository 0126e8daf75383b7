"""Guards for frameworks, one module each; each imports its framework only when it is imported itself."""
