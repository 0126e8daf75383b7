"""From the counters that a server keeps of its statements to timings, for every kind of server alike."""
