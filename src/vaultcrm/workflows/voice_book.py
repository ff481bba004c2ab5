"""Versions of voices as this process has read them. A version never changes, so it is read once."""

from collections import OrderedDict
from uuid import UUID

from psycopg import Error as DatabaseError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import personalities
from vaultcrm.domain.personality import Personality

MOST_KEPT = 256


class VoiceBook:
    """What was read, by creator and version. For one event loop."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[UUID, int], Personality] = OrderedDict()

    async def version(
        self, creator_id: UUID, number: int, pool: AsyncConnectionPool[Connection]
    ) -> Personality | None:
        """One version of a creator's voice; None where it is not there or cannot be read now."""
        key = (creator_id, number)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        try:
            async with pool.connection() as connection:
                sent = await personalities.saved_version(connection, creator_id, number)
                saved = await sent.answer()
        except (DatabaseError, PoolTimeout):
            return None
        if saved is None:
            return None
        self._kept[key] = saved.voice
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return saved.voice
