"""Runs the command line by `python -m snowshed.streams.cli`."""

from snowshed.streams.cli.app import main

main()
