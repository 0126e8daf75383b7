"""What level 2 does about trouble, as tables: degrade levels, the rate law, the exit programme, its own actuators."""
