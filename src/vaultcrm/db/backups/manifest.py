"""What a backup says of itself."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from vaultcrm.domain.errors import BackupFailed

FORMAT = 1
DUMP = "database.dump"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class TableContent:
    """How many rows a table holds, and a checksum over them in any order."""

    rows: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`revision` is the schema's, `postgres` the server's major version, `size` what the database
    took on its disk. `key_hint` tells installations' keys apart and says nothing about them.
    """

    version: str
    taken_at: datetime
    revision: str
    postgres: int
    size: int
    key_hint: str
    dump_bytes: int
    dump_sha256: str
    tables: Mapping[str, TableContent]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())

    def as_json(self) -> str:
        return json.dumps(
            {
                "format": FORMAT,
                **asdict(self),
                "taken_at": self.taken_at.isoformat(),
            },
            indent=1,
            sort_keys=True,
        )


def read_manifest(text: bytes) -> Manifest:
    """Raises `BackupFailed` for one that is none of ours, or of a newer form."""
    try:
        found: dict[str, Any] = json.loads(text)
        if found.pop("format") != FORMAT:
            raise BackupFailed(
                "This backup was written by a newer release of VaultCRM. Restore it with that one."
            )
        tables = {name: TableContent(**table) for name, table in found.pop("tables").items()}
        taken_at = datetime.fromisoformat(found.pop("taken_at"))
        return Manifest(**found, taken_at=taken_at, tables=tables)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BackupFailed("The file's manifest cannot be read: it is no backup of ours.") from None
