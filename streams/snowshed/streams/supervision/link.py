"""Speaks to the coordinator of a group for processes that cannot any more: removes the dead, looks for the living."""

# aiokafka ships no type information.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import structlog
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.group import LeaveGroupRequest

from snowshed.schemas.access import Access
from snowshed.schemas.errors import BrokerUnavailable
from snowshed.streams.hosting import Membership
from snowshed.streams.supervision.leaving import Departure, Outcome, outcome_of
from snowshed.streams.supervision.protocol import ConsumerGroupDescribe, ConsumerGroupLeave

__all__ = ["GroupLink"]

log = structlog.get_logger()

_OPTIONS: Mapping[str, Any] = MappingProxyType(
    {"client_id": "snowshed-supervisor", "request_timeout_ms": 3_000, "connections_max_idle_ms": None}
)
_PATIENCE = 10.0
_PAUSE = 0.1
_LOOK_AFTER = 60.0
"""Seconds between two questions to the coordinator, which keep the connection open and notice when it moves."""
_TRY_AGAIN_AFTER = 5.0
_STABLE = "Stable"

# aiokafka's own errors and a version it cannot speak are RuntimeErrors; what it cannot decode is a ValueError, a
# cluster without brokers an AssertionError, and a connection that was closed under a request may be a KeyError.
_FAILURES = (RuntimeError, OSError, ValueError, AssertionError, LookupError)


class GroupLink:
    """A connection to the coordinator of one group that is kept open, so that leaving costs milliseconds.

    Args:
        access: how to reach the cluster.
        group: the group id.
    """

    def __init__(self, access: Access, group: str) -> None:
        self._access, self._group = access, group
        self._client: Any = None  # aiokafka's client is not annotated
        self._coordinator: int | None = None
        self._opening = asyncio.Lock()
        self._reached: bool | None = None

    async def keep_open(self) -> None:
        """Keep the connection open until cancelled."""
        try:
            while True:
                pause = _LOOK_AFTER if await self._look() else _TRY_AGAIN_AFTER
                await asyncio.sleep(pause)
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the connection; the next question opens it again."""
        await self._drop(self._client)

    async def leave(self, member: Membership) -> Departure:
        """Take a member out of the group; tries again for some seconds while no coordinator answers."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE
        while True:
            departure = await self._leave_once(member)
            if departure.outcome is not Outcome.UNANSWERED or loop.time() > deadline:
                return departure
            self._coordinator = None
            await asyncio.sleep(_PAUSE)

    async def settled(self, member: Membership) -> bool:
        """Whether the member is in the group and holds what it was assigned; False too when nobody answers."""
        try:
            state, members = await self._describe(classic=member.protocol == "classic")
        except BrokerUnavailable:
            return False
        return state == _STABLE and member.member_id in members

    async def _describe(self, *, classic: bool) -> tuple[str, list[str]]:
        if classic:
            [group] = (await self._ask(DescribeGroupsRequest([self._group]))).groups
            _error, _group, state, _type, _strategy, members, *_ = group
        else:
            [group] = (await self._ask(ConsumerGroupDescribe(self._group))).groups
            _error, _message, _group, state, _epoch, _assigned, _strategy, members, *_ = group
        return state, [member_id for member_id, *_ in members]

    async def _leave_once(self, member: Membership) -> Departure:
        request_class = LeaveGroupRequest if member.protocol == "classic" else ConsumerGroupLeave
        try:
            return outcome_of((await self._ask(request_class(self._group, member.member_id))).error_code)
        except BrokerUnavailable as error:
            return Departure(Outcome.UNANSWERED, str(error))

    async def _look(self) -> bool:
        try:
            answer = await self._ask(FindCoordinatorRequest(self._group, CoordinationType.GROUP))
        except BrokerUnavailable as error:
            self._note(reached=False, reason=str(error))
            return False
        if answer.error_code or answer.coordinator_id != self._coordinator:
            self._coordinator = None
            return False
        self._note(reached=True)
        return True

    def _note(self, *, reached: bool, reason: str = "") -> None:
        if reached != self._reached:
            self._reached = reached
            if reached:
                log.info("coordinator_reached", group=self._group, node=self._coordinator)
            else:
                log.warning("coordinator_unreachable", group=self._group, reason=reason)

    async def _ask(self, request: Any) -> Any:
        client = self._client
        try:
            client = await self._open()
            if self._coordinator is None:
                self._coordinator = await client.coordinator_lookup(CoordinationType.GROUP, self._group)
            return await client.send(self._coordinator, request)
        except _FAILURES as error:
            await self._drop(client)
            raise BrokerUnavailable(
                f"the coordinator of group {self._group} does not answer: {type(error).__name__}: {error}; "
                "it is asked again"
            ) from error

    async def _open(self) -> Any:
        async with self._opening:
            if self._client is None:
                client: Any = AIOKafkaClient(**self._access.arguments(), **_OPTIONS)
                await client.bootstrap()
                self._client = client
        return self._client

    async def _drop(self, client: Any) -> None:
        if client is not None and client is self._client:
            self._client = self._coordinator = None
            await client.close()
