"""Sealing the audit log and looking through it: rows a second, and bytes a row."""

import asyncio
import json
import random
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from vaultcrm.bootstrap import open_parts
from vaultcrm.domain.ids import least_id_at, new_id
from vaultcrm.settings import Settings
from vaultcrm.workflows.export_audit import export_audit
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.seal_audit import seal_audit
from vaultcrm.workflows.verify_audit import verify_creator

ROWS = 50_000
AT_ONCE = 5_000
_DETAILS = {
    "status": "queued",
    "reasons": ["rollout_stage", "high_tier", "not_simple"],
    "findings": [],
}


@dataclass(frozen=True)
class Measured:
    """`seal_bytes` are those that a sealed row takes beside the row itself, indexes included."""

    rows: int
    sealed_a_second: float
    verified_a_second: float
    exported_a_second: float
    seal_bytes: float


def measure(rows: int = ROWS) -> Measured:
    """With an embedded server of its own, in one process and one connection."""
    with tempfile.TemporaryDirectory(prefix="vaultcrm-bench-") as folder:
        Path(folder).chmod(0o711)
        settings = Settings(vaultcrm_home=Path(folder) / "home", database_url=None)
        return asyncio.run(_measure(settings, rows))


async def _measure(settings: Settings, rows: int) -> Measured:
    async with open_parts(settings) as parts:
        creator_id = new_id()
        await _fill(parts, creator_id, rows)
        begun = time.perf_counter()
        sealed = await seal_audit(parts, creator_id)
        sealing = time.perf_counter() - begun
        begun = time.perf_counter()
        found = await verify_creator(parts.pool, creator_id)
        verifying = time.perf_counter() - begun
        begun = time.perf_counter()
        lines = 0
        async for _ in export_audit(parts.pool, [creator_id], now=parts.now()):
            lines += 1
        exporting = time.perf_counter() - begun
        assert (sealed.rows, found.rows, found.fault_count) == (rows, rows, 0)
        async with parts.pool.connection() as connection:
            cursor = await connection.execute("SELECT pg_total_relation_size('audit_seals')")
            size = await cursor.fetchone()
        assert size is not None
        return Measured(rows, rows / sealing, rows / verifying, lines / exporting, size[0] / rows)


async def _fill(parts: Parts, creator_id: UUID, rows: int) -> None:
    chance = random.Random(1)  # noqa: S311 -- rows, no secrets
    began = parts.now() - timedelta(days=1)
    statement = """
        INSERT INTO audit_log
            (creator_id, id, at, actor_id, action, subject_type, subject_id, details)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    """
    for start in range(0, rows, AT_ONCE):
        entries = []
        for number in range(start, min(start + AT_ONCE, rows)):
            at = began + timedelta(milliseconds=number)
            entry_id = least_id_at(at).int | (7 << 76) | (2 << 62) | chance.getrandbits(62)
            what = ("generation.created", "generation", str(new_id()), json.dumps(_DETAILS))
            entries.append((creator_id, UUID(int=entry_id), at, None, *what))
        async with parts.transaction() as connection:
            await connection.cursor().executemany(statement, entries)


if __name__ == "__main__":
    print(measure())
