"""A Guard behind Envoy: its rate limit service."""
