"""ZooKeeper's four-letter answers as reports.

`mntr` and `srvr` must be in `4lw.commands.whitelist`. `ruok` is of no use: it answers `imok` without a quorum.
"""

from __future__ import annotations

from snowshed.schemas.members import MemberReport, Role

__all__ = ["from_mntr", "from_srvr"]

_ROLES = {"leader": Role.LEADER, "follower": Role.FOLLOWER, "observer": Role.OBSERVER}
_NOT_ALLOWED = "not in the whitelist"


def from_mntr(member: str, text: str, at: float) -> MemberReport:
    """The report in an answer to `mntr`; a server without a quorum answers a sentence and has no role.

    Raises:
        ValueError: the command is not allowed at the server.
    """
    _check(member, "mntr", text)
    values = dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)
    role = _ROLES.get(values.get("zk_server_state", ""), Role.NONE)
    leads = role is Role.LEADER and "zk_synced_followers" in values
    waiting = [int(values.get(name, "0")) for name in ("zk_pending_syncs", "zk_outstanding_requests")]
    return MemberReport(
        member=member,
        at=at,
        role=role,
        in_sync=int(values["zk_synced_followers"]) + 1 if leads else None,
        pending=sum(waiting) if leads else None,
    )


def from_srvr(member: str, text: str, at: float) -> MemberReport:
    """The report in an answer to `srvr`; the upper half of the transaction id is the epoch, if any was written in it.

    A follower shows the id of the last transaction it applied, so in an idle group its epoch is one behind; only a
    leader's is given as a term.

    Raises:
        ValueError: the command is not allowed at the server.
    """
    _check(member, "srvr", text)
    values = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    role = _ROLES.get(values.get("Mode", ""), Role.NONE)
    position = int(values["Zxid"], 16) if "Zxid" in values else None
    leads = role is Role.LEADER and position is not None
    return MemberReport(
        member=member, at=at, role=role, term=(position or 0) >> 32 if leads else None, position=position
    )


def _check(member: str, command: str, text: str) -> None:
    if _NOT_ALLOWED in text:
        raise ValueError(f"{member} does not allow {command}: add it to 4lw.commands.whitelist in its zoo.cfg")
