"""What scores a creator's drafts, as this process last read it.

The statement that reads a situation tells the revision of it; the numbers themselves are read only
when this process does not have that revision. What cannot be read guarantees nothing.
"""

from collections import OrderedDict
from uuid import UUID

from psycopg import Error as DatabaseError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import confidence
from vaultcrm.domain.confidence import Calibration, Missing
from vaultcrm.domain.ids import NIL

MOST_KEPT = 256
"""So many creators' calibrations are kept; those not asked for the longest go first."""


class ConfidenceBook:
    """What was read, by creator. For one event loop."""

    def __init__(self) -> None:
        self._kept: OrderedDict[UUID, Calibration] = OrderedDict()

    async def of(
        self, creator_id: UUID, revision: UUID | None, pool: AsyncConnectionPool[Connection]
    ) -> Calibration | None:
        """A creator's calibration at this revision or a newer one; None where there is none."""
        if revision is None:
            return None
        kept = self._kept.get(creator_id)
        if kept is not None and kept.revision == revision:
            self._kept.move_to_end(creator_id)
            return kept
        try:
            async with pool.connection() as connection:
                # Read after the revision was, so it is that revision's or newer, and never older.
                read = await (await confidence.in_force(connection, creator_id, revision)).answer()
        except (DatabaseError, PoolTimeout, ValueError, KeyError, TypeError):
            return _unreadable(revision)
        if read is None:
            return _unreadable(revision)
        self._kept[creator_id] = read
        self._kept.move_to_end(creator_id)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return read


def _unreadable(revision: UUID) -> Calibration:
    return Calibration(revision=revision, id=NIL, version=0, model=None, stopped=Missing.UNREADABLE)
