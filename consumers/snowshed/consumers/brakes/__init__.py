"""The brakes, one mechanism a module; each is pure and takes `now`."""

from snowshed.consumers.brakes.stack import Brake, Brakes, Refusal

__all__ = ["Brake", "Brakes", "Refusal"]
