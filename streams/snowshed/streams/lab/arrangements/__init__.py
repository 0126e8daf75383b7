"""How a process of the lab is protected: by name, or by the import path of a factory of your own."""

from snowshed.streams.lab.arrangements.choose import NAMES, arrangement, factory_of, needs_kafka
from snowshed.streams.lab.arrangements.kinds import Arrangement, Caller, Here, Send, Server, Work

__all__ = [
    "NAMES",
    "Arrangement",
    "Caller",
    "Here",
    "Send",
    "Server",
    "Work",
    "arrangement",
    "factory_of",
    "needs_kafka",
]
