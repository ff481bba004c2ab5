"""Seals of the audit log."""

from datetime import datetime
from typing import Self
from uuid import UUID

from vaultcrm.db.pending import Record
from vaultcrm.entrypoints.api.fields import Schema


class SealOut(Schema):
    """One seal. `previous` is the hash of the creator's seal before; hashes are hexadecimal.

    `creatorId` is the nil id for the installation. `late` of its rows were sealed after their time.
    """

    id: UUID
    creator_id: UUID
    number: int
    sealed_at: datetime
    row_count: int
    late: int
    root: str
    previous: str
    hash: str

    @classmethod
    def of(cls, record: Record) -> Self:
        hashes = {name: record[name].hex() for name in ("root", "previous", "hash")}
        return cls.model_validate(record | hashes)
