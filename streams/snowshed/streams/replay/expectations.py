"""What a folded batch should have written, in the form in which it is compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import DecodeError
from snowshed.schemas.records import DeadLetter
from snowshed.schemas.topics import CATALOGUE, OUTPUTS, Topics, TopicSpec, partition_for
from snowshed.streams.replay.ledger import Expected, fingerprint
from snowshed.streams.replay.refold import Refolded
from snowshed.streams.transactions.letters import cut
from snowshed.streams.transactions.producer import Write

__all__ = ["LETTERS", "OUTPUT_SPECS", "expectations", "plain_letter", "readable", "text_of"]

LETTERS = "dead-letters"

OUTPUT_SPECS: tuple[TopicSpec, ...] = tuple(spec for spec in CATALOGUE if spec.name in OUTPUTS)
"""The topics that agents write records to."""

_REFUSALS = frozenset({"KafkaException", "Unwritable"})
"""What a dead letter names as its error when the broker refused the outputs of a record."""


def expectations(refolded: Refolded, codec: Codec, topics: Topics, partitions: Mapping[str, int]) -> Iterator[Expected]:
    """What a folded batch should have written.

    Args:
        refolded: the batch.
        codec: as the batch was folded with.
        topics: full topic names.
        partitions: partition counts by short topic name.
    """
    if refolded.outcome is None:
        return
    entry = refolded.entry
    for position, write in enumerate(refolded.outcome.plan.outputs):
        short = topics.short(write.topic)
        letter = short == LETTERS
        value = plain_letter(codec, write.value, refused=refolded.refused) if letter else write.value
        yield Expected(
            event_id=_event_id(write),
            agent=entry.agent,
            partition=entry.partition,
            version=entry.version,
            position=position,
            at=entry.now,
            topic=short,
            topic_partition=partition_for(write.key, partitions[short]),
            key=write.key,
            fingerprint=fingerprint(write.key, value, write.headers),
            cut=fingerprint(write.key, _cut_letter(codec, value), write.headers) if letter else None,
            refused=refolded.refused,
        )


def plain_letter(codec: Codec, value: bytes | None, *, refused: bool) -> bytes | None:
    """A dead letter without what does not follow from its record's key and value; anything else as it is.

    Args:
        codec: reads and writes records.
        value: the letter.
        refused: whether the broker refused the outputs of its record, so that the error is the broker's.
    """
    letter = readable(codec, value)
    if not isinstance(letter, DeadLetter):
        return value
    letter = replace(letter, header_names=(), header_values=())
    if refused and letter.error in _REFUSALS:
        letter = replace(letter, error="", reason="")
    return codec.encode(letter)


def _cut_letter(codec: Codec, value: bytes | None) -> bytes | None:
    letter = readable(codec, value)
    return codec.encode(cut(letter)) if isinstance(letter, DeadLetter) else None


def readable(codec: Codec, value: bytes | None) -> object:
    """The record in a value, or the value itself where it is none."""
    try:
        return codec.decode(value)
    except DecodeError:
        return value


def text_of(raw: bytes | None) -> str:
    """Bytes as text, whatever they are."""
    return (raw or b"").decode("utf-8", "backslashreplace")


def _event_id(write: Write) -> str:
    return next(
        (value if isinstance(value, str) else text_of(value) for name, value in write.headers if name == "ce_id"), ""
    )
