"""One API server for all tests in this folder, with the permissions that the documentation names and no others."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from tests.support.generate_docs import DOCS
from tests.support.kubernetes import ApiServer, api_server
from tests.support.kubernetes_rig import ACCOUNT, NEEDED, SHOP, Named, granted, of_runbook

from snowshed.consumers.actions.executors.kubernetes import Kubernetes


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("kubernetes")) as found:
        for namespace in ("snowshed", SHOP):
            found.create("Namespace", namespace)
        [manifest] = re.findall(r"^```yaml\n(.*?)^```$", (DOCS / "howto-runbooks.md").read_text(), re.M | re.S)
        found.apply(manifest)
        # Roles hold a moment after they were created, each when the server's own watch has brought it.
        for verb, resource, group, namespace in NEEDED:
            granted(found, ACCOUNT, verb, resource, group, namespace)
        yield found


@pytest.fixture
def executor(server: ApiServer, tmp_path: Path) -> Named:
    """An executor as a runbook names it, with the token of an account in a file."""

    def named(do: str, target: str, *, account: str = ACCOUNT, **more: Any) -> Kubernetes:
        namespace, _, name = account.partition(":")
        (tmp_path / name).write_text(server.token(name, namespace))
        return of_runbook(server, do, target, f"file:{tmp_path / name}", **more)

    return named
