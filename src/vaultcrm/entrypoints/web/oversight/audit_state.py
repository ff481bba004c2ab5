"""What the page of the audit log says of its seals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from vaultcrm.db.queries.audit_seals import State


@dataclass(frozen=True, slots=True)
class Proof:
    """Several logs as one. `unsealed_since` is the oldest entry that no seal holds, if any.

    `checked_at` is when the one that was looked through longest ago was; None while one never was.
    """

    has_seals: bool
    sealed_at: datetime | None
    unsealed_since: datetime | None
    checked_at: datetime | None
    rows_checked: int
    faults: int


def proof_of(states: Sequence[State]) -> Proof:
    """How it stands with these logs together; those without any entry do not count."""
    known = [one for one in states if one.number is not None or one.unsealed_since is not None]
    checks = [one.checked_at for one in known]
    return Proof(
        has_seals=any(one.number is not None for one in known),
        sealed_at=max((one.sealed_at for one in known if one.sealed_at), default=None),
        unsealed_since=min(
            (one.unsealed_since for one in known if one.unsealed_since), default=None
        ),
        checked_at=None
        if not checks or None in checks
        else min(each for each in checks if each is not None),
        rows_checked=sum(one.rows_checked or 0 for one in known),
        faults=sum(one.fault_count or 0 for one in known),
    )
