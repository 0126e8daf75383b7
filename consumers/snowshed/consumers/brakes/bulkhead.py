"""The bulkhead: no operation and no class takes all the places; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType

from snowshed.consumers.brakes.bounds import check
from snowshed.schemas.propagation import Criticality

__all__ = ["Bulkhead", "BulkheadOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkheadOptions:
    """Most calls in flight; what is not named is not bounded."""

    operations: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """By operation."""
    each_operation: int | None = None
    """For every operation that is not named."""
    classes: Mapping[Criticality, int] = field(default_factory=lambda: MappingProxyType({}))
    """By class."""

    def __post_init__(self) -> None:
        check(self, each_operation=self.each_operation)
        check(self, operations=min(self.operations.values(), default=None))
        check(self, classes=min(self.classes.values(), default=None))


class Bulkhead:
    """Counts the calls in flight by operation and by class, and refuses one too many."""

    __slots__ = ("_by_class", "_by_operation", "_each_operation", "_most_by_class", "_operations")

    def __init__(self, options: BulkheadOptions) -> None:
        self._operations = options.operations
        self._each_operation = inf if options.each_operation is None else options.each_operation
        self._by_operation: dict[str, int] = {}
        self._by_class = [0] * len(Criticality)
        self._most_by_class = [options.classes.get(one, inf) for one in Criticality]

    def refuses(self, operation: str, criticality: int) -> bool:
        """Whether one more call would be too many."""
        if self._by_class[criticality] >= self._most_by_class[criticality]:
            return True
        return self._by_operation.get(operation, 0) >= self._operations.get(operation, self._each_operation)

    def admitted(self, operation: str, criticality: int) -> None:
        """A call is made."""
        self._by_class[criticality] += 1
        self._by_operation[operation] = self._by_operation.get(operation, 0) + 1

    def ended(self, operation: str, criticality: int) -> None:
        """A call has ended; an operation without calls is forgotten."""
        self._by_class[criticality] -= 1
        left = self._by_operation[operation] - 1
        if left:
            self._by_operation[operation] = left
        else:
            del self._by_operation[operation]

    def forget(self) -> None:
        """Nothing will be heard of the calls in flight."""
        self._by_operation.clear()
        self._by_class = [0] * len(Criticality)
