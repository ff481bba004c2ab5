"""The rules of a creator's own as this process last read them.

Statements that read a creator tell the revision of their rules; the rules themselves are read only
when this process does not have that revision. What cannot be read makes the filter ask for a look.
"""

from collections import OrderedDict
from uuid import UUID

from psycopg import Error as DatabaseError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import content_rules
from vaultcrm.domain.content_rules import NO_RULES, UNKNOWN_RULES, OwnRules
from vaultcrm.domain.people import Creator

MOST_KEPT = 256
"""So many creators' rules are kept; those that were not asked for the longest go first."""

Pool = AsyncConnectionPool[Connection]


class RuleBook:
    """What was read, by creator. For one event loop."""

    def __init__(self) -> None:
        self._kept: OrderedDict[UUID, OwnRules] = OrderedDict()

    async def of(
        self, creator_id: UUID, revision: UUID | None, source: Pool | Connection
    ) -> OwnRules:
        """A creator's rules at this revision or a newer one.

        Whoever holds a connection gives it: callers who each hold one and wait for a second would
        wait for each other. In a transaction a failure to read is undone alone.
        """
        if revision is None:
            return NO_RULES
        kept = self._kept.get(creator_id)
        if kept is not None and kept.revision == revision:
            self._kept.move_to_end(creator_id)
            return kept
        try:
            if isinstance(source, AsyncConnectionPool):
                async with source.connection() as connection:
                    read = await _read(connection, creator_id, revision)
            else:
                async with source.transaction():
                    read = await _read(source, creator_id, revision)
        except (DatabaseError, PoolTimeout, ValueError):
            return UNKNOWN_RULES
        self._kept[creator_id] = read
        self._kept.move_to_end(creator_id)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return read

    async def of_creator(self, creator: Creator, source: Pool | Connection) -> OwnRules:
        """The rules of a creator as a statement told of them."""
        return await self.of(creator.id, creator.rules_revision, source)

    async def newest(self, creator_id: UUID, connection: Connection) -> OwnRules:
        """The rules of a creator of whom only the id is known: one more statement."""
        sent = await content_rules.revision(connection, creator_id)
        return await self.of(creator_id, await sent.answer(), connection)


async def _read(connection: Connection, creator_id: UUID, revision: UUID) -> OwnRules:
    # Read after the revision was, so the rules are that revision's or newer, and never older.
    return OwnRules(revision, await (await content_rules.in_force(connection, creator_id)).answer())
