"""`python -m snowshed.streams.lab ROLE SPEC PLACE`: one process of the lab; its parent starts it."""

from __future__ import annotations

import sys

from snowshed.streams.lab.child import Main, run
from snowshed.streams.lab.load import apply_load
from snowshed.streams.lab.proxy import carry
from snowshed.streams.lab.service import serve
from snowshed.streams.lab.specs import LoadSpec, Place, ProxySpec, ServiceSpec, parse


def main() -> None:
    """Be the process that the command line names."""
    role, spec, place = sys.argv[1], sys.argv[2], parse(Place, sys.argv[3])
    run(_ROLES[role](spec, place))


def _service(text: str, place: Place) -> Main:
    spec = parse(ServiceSpec, text)
    return lambda child: serve(spec, place, child)


def _load(text: str, place: Place) -> Main:
    spec = parse(LoadSpec, text)
    return lambda child: apply_load(spec, place, child)


def _proxy(text: str, place: Place) -> Main:
    spec = parse(ProxySpec, text)
    return lambda child: carry(spec, place.seed, child)


_ROLES = {"service": _service, "load": _load, "proxy": _proxy}

if __name__ == "__main__":
    main()
