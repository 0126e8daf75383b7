"""The control plane: a Faust worker that judges telemetry from Kafka and decides, exactly once."""
