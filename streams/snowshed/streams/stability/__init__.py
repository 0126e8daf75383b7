"""Change points, retry amplification, spreading trouble and metastable states: pure, one service or edge at a time."""
