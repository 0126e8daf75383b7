"""Any HTTP server: a signed JSON document that names the action and its key."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import time

from snowshed.consumers.actions.executors.asking import settled
from snowshed.consumers.actions.executors.base import Job, Result, Verdict
from snowshed.consumers.actions.values import filled
from snowshed.consumers.outward.http import Endpoint, Lost, Request, Unreached
from snowshed.consumers.outward.secret import Secret
from snowshed.consumers.outward.signing import HEADER, signature
from snowshed.schemas.records import ActionKind

__all__ = ["WebhookCall"]


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """Posts the action.

    Args:
        kind: what is to be done.
        endpoint: the address.
        parameters: further values, with `$names` to fill in.
        secret: signs what is sent; None to sign nothing.
        wall: seconds since the epoch, which the signature holds.
    """

    kind: ActionKind
    endpoint: Endpoint
    parameters: Mapping[str, str]
    secret: Secret | None = None
    wall: Callable[[], float] = time

    @property
    def name(self) -> str:
        """What it is called."""
        return "webhook"

    def describe(self, values: Mapping[str, str]) -> str:
        """What is asked of whom."""
        said = "".join(f" {name}={value}" for name, value in self._parameters(values).items())
        return f"{self.kind.value} at {self.endpoint.place}{said}"

    def run(self, job: Job) -> Result:
        """Post it and wait for the answer."""
        document = {
            "action": job.key,
            "kind": job.kind.value,
            "runbook": job.runbook,
            "attempt": job.attempt,
            "incident": dict(job.values),
            "parameters": self._parameters(job.values),
        }
        body = json.dumps(document, sort_keys=True).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": job.key}
        if self.secret is not None:
            headers[HEADER] = signature(self.secret, body, self.wall())
        try:
            answer = replace(self.endpoint, timeout=job.timeout).ask(Request("POST", "", body, headers))
        except Unreached as error:
            return Result(Verdict.FAILED, str(error))
        except Lost as error:
            return Result(Verdict.UNKNOWN, str(error))
        return settled(answer, str(answer))

    def _parameters(self, values: Mapping[str, str]) -> dict[str, str]:
        return {name: filled(text, values) for name, text in self.parameters.items()}
