"""When API tokens were last used: noted as they come, written down once a minute.

Whoever asks is not kept waiting for it, and a token that is used a thousand times a second costs
one row a minute. A process that is killed forgets its last minute.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from psycopg import Error as DatabaseError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import tokens

WRITTEN_EVERY_SECONDS = 60.0
MOST_NOTED = 10_000
"""Between two writings. What comes may be made up, so there is an end to what is remembered."""


@dataclass(slots=True)
class TokenUses:
    """Uses, by the token's hash, that are not written down yet."""

    _noted: dict[bytes, datetime] = field(default_factory=dict)

    def note(self, token_hash: bytes, now: datetime) -> None:
        if token_hash in self._noted or len(self._noted) < MOST_NOTED:
            self._noted[token_hash] = now

    async def write(self, pool: AsyncConnectionPool[Connection]) -> None:
        """Write down what was noted; keeps it when the database does not answer."""
        taken, self._noted = self._noted, {}
        if not taken:
            return
        try:
            async with pool.connection() as connection:
                await tokens.note_uses(connection, taken)
        except (DatabaseError, PoolTimeout):
            self._noted = taken | self._noted

    @asynccontextmanager
    async def written(self, pool: AsyncConnectionPool[Connection]) -> AsyncIterator[None]:
        """Write once a minute while the block runs, and when it ends."""

        async def again_and_again() -> None:
            while True:
                await asyncio.sleep(WRITTEN_EVERY_SECONDS)
                await self.write(pool)

        writing = asyncio.create_task(again_and_again())
        try:
            yield
        finally:
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writing
            await self.write(pool)
