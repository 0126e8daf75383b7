"""The command line `snowshed`: one module a command, imported only when that command runs."""

from snowshed.streams.cli.app import main

__all__ = ["main"]
