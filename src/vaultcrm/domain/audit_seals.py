"""Seals of the audit log: what proves later which rows there were, and what each of them said.

A seal takes in rows of one creator (the nil id for the installation) and names the seal before it
by its hash. `controls.audit` says how the hashes come about.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

NO_SEAL = bytes(32)
"""Stands for the hash of the seal before the first one."""
ID_BYTES, SALT_BYTES, HASH_BYTES = 16, 16, 32
ERASED_SALT = bytes(SALT_BYTES)
"""The salt of a row whose details were erased. No salt is made like this."""


class LoggedRow(NamedTuple):
    """One row of the audit log as it is stored, nothing of it read or rounded.

    `at` is a signed number of microseconds since 2000-01-01 00:00 UTC in 8 bytes, the highest
    first; `details` is the text that PostgreSQL writes for the JSON.
    """

    creator_id: bytes
    id: bytes
    at: bytes
    actor_id: bytes | None
    action: str
    subject_type: str
    subject_id: str
    details: str


@dataclass(frozen=True, slots=True)
class SealHead:
    """What a seal's hash is over, and the hash itself.

    Its rows have ids from `from_id` on and below `below_id`, but for the last `late` of them, which
    were committed when an earlier seal had closed their time. `ids_hash` is over their ids.
    """

    creator_id: UUID
    number: int
    sealed_at: datetime
    from_id: UUID
    below_id: UUID
    row_count: int
    late: int
    root: bytes
    ids_hash: bytes
    previous: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal with what names and proves each row: 16 bytes of id, 16 of salt, 32 of leaf."""

    head: SealHead
    ids: bytes
    salts: bytes
    leaves: bytes

    def id_at(self, place: int) -> bytes:
        return self.ids[place * ID_BYTES : (place + 1) * ID_BYTES]

    def salt_at(self, place: int) -> bytes:
        return self.salts[place * SALT_BYTES : (place + 1) * SALT_BYTES]

    def leaf_at(self, place: int) -> bytes:
        return self.leaves[place * HASH_BYTES : (place + 1) * HASH_BYTES]


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A seal's hash as it was kept outside the database."""

    creator_id: UUID
    number: int
    hash: bytes


class FaultKind(StrEnum):
    """What can be wrong with an audit log."""

    ROW_CHANGED = "row_changed"
    ROW_MISSING = "row_missing"
    ROW_INSERTED = "row_inserted"
    SEAL_CHANGED = "seal_changed"
    SEAL_MISSING = "seal_missing"
    CHAIN_BROKEN = "chain_broken"
    HEAD_DIFFERS = "head_differs"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: which row or seal of which creator, in a sentence too."""

    kind: FaultKind
    creator_id: UUID
    said: str
    row_id: UUID | None = None
    seal: int | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What looking through one creator's log has come to.

    `late` rows were sealed after their time, `erased` ones have no details any more; `unsealed`
    ones are newer than the last seal, the oldest of them of `unsealed_since`. Of many faults the
    first `MOST_FAULTS` are kept; `fault_count` has them all.
    """

    creator_id: UUID
    newest: SealHead | None
    seals: int
    rows: int
    late: int
    erased: int
    unsealed: int
    unsealed_since: datetime | None
    fault_count: int
    faults: tuple[Fault, ...]


MOST_FAULTS = 1_000
