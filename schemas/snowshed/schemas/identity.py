"""Names that follow from where a thing stands in the log, so that a replay gives the same ones."""

from __future__ import annotations

import re
import struct
from hashlib import blake2b

from snowshed.schemas.records import IncidentKind

__all__ = ["decision_id", "incident_id"]

_WORDS = {
    IncidentKind.NODE_FAILED: "node",
    IncidentKind.REPLICA_LAG: "lag",
    IncidentKind.RETRY_AMPLIFICATION: "retries",
    IncidentKind.OVERLOAD: "overload",
    IncidentKind.GRAY_FAILURE: "gray",
    IncidentKind.PARTITION: "partition",
    IncidentKind.CASCADE: "cascade",
    IncidentKind.METASTABLE: "metastable",
    IncidentKind.CAPACITY_LOSS: "capacity",
    IncidentKind.CONSUMER_GROUP: "group",
    IncidentKind.QUORUM: "quorum",
    IncidentKind.DIVIDED: "divided",
    IncidentKind.DETECTOR: "detector",
    IncidentKind.CLOCK: "clock",
}
_SUBJECT_CHARACTERS = 40


def decision_id(topic: str, partition: int, version: int, index: int, rule: str) -> str:
    """The id of a fold's output, 32 hexadecimal digits.

    Args:
        topic: input topic of the fold.
        partition: its partition.
        version: version of the partition's state after the batch that led to the output.
        index: position of the output among that batch's outputs.
        rule: id of the rule that gave it.
    """
    place = f"{topic}\0{partition}\0{version}\0{index}\0{rule}"
    return blake2b(place.encode(), digest_size=16).hexdigest()


def incident_id(domain: str, kind: IncidentKind, subject: str, opened_at: float) -> str:
    """The id of an incident, short enough to say aloud, such as `lag-orders-r1-6f3a91`."""
    place = f"{domain}\0{kind.value}\0{subject}".encode() + struct.pack(">d", opened_at)
    slug = re.sub(r"[^a-z0-9]+", "-", subject.lower())[:_SUBJECT_CHARACTERS].strip("-")
    return "-".join(part for part in (_WORDS[kind], slug, blake2b(place, digest_size=3).hexdigest()) if part)
