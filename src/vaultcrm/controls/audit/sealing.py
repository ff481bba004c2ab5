"""From rows of the audit log to a seal.

    commitment  SHA-256( salt, details )
    leaf        SHA-256( 0x00, fields of the row, commitment )
    root        of the leaves, `merkle`
    seal        SHA-256( 0x02, fields of the seal, root, hash of the seal before )

Each field has its length before it, in 4 bytes, so that no two rows are written alike. Details
stand in the leaf by their commitment: when they are erased the commitment takes their place and the
salt is thrown away, so that the leaf still holds and what they said cannot be found by trying.
"""

import hashlib
import os
import re
import struct
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from vaultcrm.controls.audit.merkle import leaf_hash, root_of
from vaultcrm.domain.audit_seals import (
    ERASED_SALT,
    HASH_BYTES,
    ID_BYTES,
    NO_SEAL,
    SALT_BYTES,
    LoggedRow,
    Seal,
    SealHead,
)
from vaultcrm.domain.ids import NIL

_ROW_FORM = b"vaultcrm.audit.1"
_SEAL_FORM = b"vaultcrm.seal.1"
_SEAL_PREFIX = b"\x02"
_NOTHING = struct.pack(">I", 2**32 - 1)
_ERASED = re.compile(r'\{"erased": "([0-9a-f]{64})"\}')
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def leaf_of(row: LoggedRow, salt: bytes) -> bytes:
    """The leaf of a row as it is now. With `ERASED_SALT` its details must be a commitment; what is
    none gives a leaf that fits no seal.
    """
    return _leaf(row, commitment_of(row.details, salt))


def commitment_of(details: str, salt: bytes) -> bytes:
    """What stands for details in the leaf; for erased ones what they were replaced with."""
    if salt == ERASED_SALT:
        erased = _ERASED.fullmatch(details)
        return b"" if erased is None else bytes.fromhex(erased[1])
    return hashlib.sha256(salt + details.encode()).digest()


def _leaf(row: LoggedRow, commitment: bytes) -> bytes:
    return leaf_hash(
        _fields(
            _ROW_FORM,
            row.creator_id,
            row.id,
            row.at,
            row.actor_id,
            row.action.encode(),
            row.subject_type.encode(),
            row.subject_id.encode(),
            commitment,
        )
    )


def make_seal(
    rows: Sequence[LoggedRow],
    *,
    late: int,
    below_id: UUID,
    before: SealHead | None,
    creator_id: UUID,
    sealed_at: datetime,
) -> Seal:
    """Seal rows, the late ones last, behind the creator's newest seal. Salts are made by chance."""
    salts = os.urandom(SALT_BYTES * len(rows))
    leaves = [
        leaf_of(row, salts[place * SALT_BYTES : (place + 1) * SALT_BYTES])
        for place, row in enumerate(rows)
    ]
    ids = b"".join(row.id for row in rows)
    head = SealHead(
        creator_id=creator_id,
        number=1 if before is None else before.number + 1,
        sealed_at=sealed_at,
        from_id=NIL if before is None else before.below_id,
        below_id=below_id,
        row_count=len(rows),
        late=late,
        root=root_of(leaves),
        ids_hash=hashlib.sha256(ids).digest(),
        previous=NO_SEAL if before is None else before.hash,
        hash=b"",
    )
    return Seal(replace(head, hash=seal_hash(head)), ids, salts, b"".join(leaves))


def seal_hash(head: SealHead) -> bytes:
    """The hash of everything else in a seal's head."""
    return hashlib.sha256(
        _SEAL_PREFIX
        + _fields(
            _SEAL_FORM,
            head.creator_id.bytes,
            struct.pack(">q", head.number),
            microseconds(head.sealed_at),
            head.from_id.bytes,
            head.below_id.bytes,
            struct.pack(">ii", head.row_count, head.late),
            head.root,
            head.ids_hash,
            head.previous,
        )
    ).digest()


def is_whole(seal: Seal) -> bool:
    """Whether a seal's hash, root and ids belong together, as they did when it was made."""
    head, count = seal.head, seal.head.row_count
    return (
        (len(seal.ids), len(seal.salts), len(seal.leaves))
        == (count * ID_BYTES, count * SALT_BYTES, count * HASH_BYTES)
        and 0 <= head.late <= count
        and seal_hash(head) == head.hash
        and hashlib.sha256(seal.ids).digest() == head.ids_hash
        and root_of([seal.leaf_at(place) for place in range(count)]) == head.root
    )


def microseconds(moment: datetime) -> bytes:
    """A time as rows and seals have it: microseconds since 2000 in 8 bytes."""
    return struct.pack(">q", (moment - _EPOCH) // timedelta(microseconds=1))


def moment_of(at: bytes) -> datetime | None:
    """The time that a row has; None for one that no calendar of ours holds."""
    try:
        return _EPOCH + timedelta(microseconds=struct.unpack(">q", at)[0])
    except OverflowError:
        return None


def _fields(*values: bytes | None) -> bytes:
    return b"".join(
        _NOTHING if value is None else struct.pack(">I", len(value)) + value for value in values
    )
