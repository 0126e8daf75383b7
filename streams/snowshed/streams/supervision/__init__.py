"""Several worker processes under one parent: watched, removed from their group when they die, started again."""
