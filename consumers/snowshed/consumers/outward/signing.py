"""Signs what a webhook sends, so that its receiver knows who sent it and when."""

from __future__ import annotations

import hashlib
import hmac

from snowshed.consumers.outward.secret import Secret

__all__ = ["HEADER", "signature", "verified"]

HEADER = "X-Snowshed-Signature"


def signature(secret: Secret, body: bytes, now: float) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 over the time, a dot and the body.

    The time is signed too, so that a receiver can refuse what somebody recorded and sends again later.
    """
    moment = str(int(now))
    return f"t={moment},v1={_digest(secret, moment, body)}"


def verified(secret: Secret, body: bytes, header: str, *, now: float, tolerance: float = 300.0) -> bool:
    """Whether a header signs this body and is no older than `tolerance` seconds; for receivers."""
    parts = {name: value for name, _, value in (part.partition("=") for part in header.split(","))}
    moment = parts.get("t", "")
    if not moment.isdigit() or abs(now - int(moment)) > tolerance:
        return False
    return hmac.compare_digest(parts.get("v1", ""), _digest(secret, moment, body))


def _digest(secret: Secret, moment: str, body: bytes) -> str:
    return hmac.new(secret.reveal().encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
