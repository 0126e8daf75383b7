"""Ways to reach people, one a module."""
