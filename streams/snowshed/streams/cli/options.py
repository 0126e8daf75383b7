"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from snowshed.schemas.connection import KafkaConnection

__all__ = ["DEFAULT_BOOTSTRAP", "DEFAULT_PREFIX", "Bootstrap", "Json", "Prefix", "connection_to"]

DEFAULT_BOOTSTRAP = "127.0.0.1:9092"
DEFAULT_PREFIX = "snowshed"

Bootstrap = Annotated[
    str,
    typer.Option(
        "--bootstrap", envvar="SNOWSHED_BOOTSTRAP", metavar="HOST:PORT", help="Kafka brokers, separated by commas."
    ),
]
Prefix = Annotated[str, typer.Option("--prefix", envvar="SNOWSHED_PREFIX", help="First part of every topic's name.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def connection_to(bootstrap: str) -> KafkaConnection:
    """Kafka at this address, with the properties that the environment sets (SNOWSHED_KAFKA__…).

    Raises:
        ConfigurationError: the address is not `host:port`.
    """
    return KafkaConnection.from_env({**os.environ, "SNOWSHED_BOOTSTRAP": bootstrap})
