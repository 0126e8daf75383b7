"""Ways to carry an action out, one a module."""
