"""The short form of the suite on Kafka as it is found: in a container, and behind SASL over TLS with ACLs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.chaos.arenas import Arena
from tests.chaos.cases import CASES
from tests.chaos.run import Plan, Run, carry_out
from tests.chaos.systems import SNOWSHED
from tests.support.container import ApacheKafkaContainer
from tests.support.engine import container_engine
from tests.support.secured import ADMIN, SecuredKafka

from snowshed.schemas.connection import KafkaConnection

pytestmark = pytest.mark.timeout(600)

SHORT = 12.0
TRIED = [("kill-during-commit", 200), ("kill-after-produce", 201)]
"""Cases with seeds of both parities, hence both group protocols."""


def assert_exactly_once(arena: Arena, prefix: str, folder: Path) -> None:
    for name, seed in TRIED:
        case = replace(CASES[name], seconds=SHORT)
        logs = folder / name
        logs.mkdir()
        plan = Plan(SNOWSHED, case, seed, case.protocols[seed % len(case.protocols)], f"{prefix}-{seed}")
        verdict = carry_out(Run(plan, arena, logs))
        print(verdict)
        assert verdict.ok, verdict.differences.told
        assert sum(verdict.faults.values()) > 0, "nothing was injected"


@pytest.mark.container
def test_exactly_once_in_a_container(prefix: str, tmp_path: Path) -> None:
    with container_engine() as image, ApacheKafkaContainer(image) as kafka:
        assert_exactly_once(Arena(connection=KafkaConnection(kafka.bootstrap)), prefix, tmp_path)


@pytest.mark.broker
def test_exactly_once_with_only_the_documented_permissions(prefix: str, tmp_path: Path) -> None:
    with SecuredKafka() as kafka:
        for _, seed in TRIED:
            kafka.grant_documented(f"{prefix}-{seed}", app=f"{prefix}-{seed}")
        properties = kafka.connection("worker").properties
        environment = {
            "SNOWSHED_BOOTSTRAP": kafka.connection("worker").bootstrap,
            **{f"SNOWSHED_KAFKA__{name.upper().replace('.', '_')}": str(value) for name, value in properties.items()},
        }
        arena = Arena(connection=kafka.connection(ADMIN), worker_environment=environment)
        assert_exactly_once(arena, prefix, tmp_path)
