"""What a policy must be beyond the types of its values: settings that go together, and names that must exist."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from snowshed.schemas.toml_positions import Path
from snowshed.streams.policy.control import FeaturePolicy
from snowshed.streams.policy.declared import Beyond, DatasetPolicy, Declared, LostControl, ServicePolicy
from snowshed.streams.policy.mapping import Problem
from snowshed.streams.policy.policy import Policy

__all__ = ["FORMAT", "inconsistencies"]

FORMAT = 1


def inconsistencies(policy: Policy) -> Iterator[Problem]:
    """What contradicts itself in a policy whose values are sound one by one."""
    if policy.version != FORMAT:
        yield Problem(("version",), f"must be {FORMAT}, not {policy.version}: this release reads no other format")
    if not policy.default_domain:
        yield Problem(("default_domain",), "must not be empty")
    yield from _of_objective(("lag", "objective"), policy.lag.objective)
    for name, service in policy.services.items():
        yield from _of_service(("services", name), service)
    for name, dataset in policy.datasets.items():
        yield from _of_dataset(("datasets", name), name, dataset, policy)
    for name, feature in policy.features.items():
        yield from _of_feature(("features", name), feature)
    for name, group in policy.quorums.items():
        if len(set(group.voters)) != len(group.voters):
            yield Problem(("quorums", name, "voters"), "must not name a member twice")


def _of_objective(path: Path, share: float | None) -> Iterator[Problem]:
    if share is not None and not 0.0 < share < 1.0:
        yield Problem(path, f"must lie between 0 and 1, not {share:g}: a promise of 1 has no error budget")


def _of_feature(path: Path, feature: FeaturePolicy) -> Iterator[Problem]:
    if not feature.service:
        yield _missing(path, "service", "a feature needs the service whose degrade level switches it off")
    if not feature.owner:
        yield _missing(path, "owner", "a feature needs somebody who answers for switching it off")
    if not 1 <= feature.level <= 4:
        yield Problem((*path, "level"), f"must be a degrade level from 1 to 4, not {feature.level}")


def _of_service(path: Path, service: ServicePolicy) -> Iterator[Problem]:
    if service.consistency is Declared.AP and not service.bound:
        yield _missing(path, "bound", 'consistency = "ap" needs the seconds that an answer may be stale')
    if service.bound is not None and service.consistency is not Declared.AP:
        yield Problem((*path, "bound"), 'goes with consistency = "ap" only')


def _of_dataset(path: Path, name: str, dataset: DatasetPolicy, policy: Policy) -> Iterator[Problem]:
    declared, bound = policy.consistency_of(name)
    yield from _of_objective((*path, "objective"), dataset.objective)
    yield from _owner(path, dataset, policy)
    if declared is Declared.AP and not bound:
        yield _missing(path, "bound", 'consistency = "ap" needs the seconds that an answer may be stale')
    if declared is not Declared.AP:
        if dataset.bound is not None:
            yield Problem((*path, "bound"), 'goes with consistency = "ap" only')
        if dataset.beyond is not Beyond.REFUSE:
            yield Problem((*path, "beyond"), 'goes with consistency = "ap" only')
    if declared is Declared.CP:
        yield from _evidence(path, name, dataset, policy)
    yield from _lease(path, declared, dataset)


def _owner(path: Path, dataset: DatasetPolicy, policy: Policy) -> Iterator[Problem]:
    if dataset.service and dataset.service not in policy.services:
        what = f"names {dataset.service!r}, which is not in [services]"
        yield Problem((*path, "service"), what + _meant(dataset.service, [*policy.services]))
    if dataset.bound is not None and dataset.consistency is None:
        yield Problem((*path, "bound"), "is stated without consistency; state both here or both at the service")


def _evidence(path: Path, name: str, dataset: DatasetPolicy, policy: Policy) -> Iterator[Problem]:
    group = dataset.quorum or name
    if group not in policy.quorums:
        key = "quorum" if dataset.quorum else "consistency"
        what = f'needs [quorums."{group}"] with its voters: only the store can say which side of a cut has a majority'
        yield Problem((*path, key), what + _meant(group, [*policy.quorums]))
    elif policy.domain_of_dataset(group) != policy.domain_of_dataset(name):
        what = f'must be that of [datasets."{group}"], its consensus group: one domain sees both or neither'
        yield Problem((*path, "domain"), what)
    elif not policy.quorums[group].voters:
        yield Problem(("quorums", group, "voters"), f'must name the voting members: dataset "{name}" is cp')


def _lease(path: Path, declared: Declared | None, dataset: DatasetPolicy) -> Iterator[Problem]:
    if dataset.on_lost_control is LostControl.LOCAL:
        if dataset.lease is not None:
            yield Problem((*path, "lease"), 'goes with on_lost_control = "fence" only')
        return
    if declared is not Declared.CP:
        yield Problem((*path, "on_lost_control"), 'may be "fence" only where consistency = "cp"')
    if not dataset.lease:
        yield _missing(path, "lease", 'on_lost_control = "fence" needs the seconds of a lease')
    if not dataset.fencing_token:
        what = (
            'may be "fence" only with fencing_token = true: a lease runs out by a clock, and a write that was on its '
            "way must then be refused by the store itself"
        )
        yield Problem((*path, "on_lost_control"), what)


def _missing(path: Path, key: str, why: str) -> Problem:
    return Problem((*path, key), f"is missing: {why}")


def _meant(given: str, known: list[str]) -> str:
    near = get_close_matches(given, known, n=1)
    return f": did you mean {near[0]}?" if near else ""
