"""Follows topics without a consumer group: `follower` runs, `reader` asks Kafka, `progress` says what has been read."""
