"""Work that lost its job is found by its state and asked for again.

A job can be lost: given up after its last attempt, deleted by hand, or written by a server that was
restored from a backup. What it was for is still in the tables, so nothing depends on the job.
"""

from datetime import timedelta

from vaultcrm.db.jobs import PROCESS_INBOUND
from vaultcrm.db.queries import access, inbound, outbox
from vaultcrm.workflows.leaving import defer_recovery
from vaultcrm.workflows.parts import Parts

AT_ONCE = 500


async def recover_lost_work(parts: Parts) -> int:
    """Ask again for what is overdue by `LOST_WORK_SECONDS`; how much there was.

    Asking twice does nothing twice, so a job that is only late costs a look.
    """
    overdue = parts.now() - timedelta(seconds=parts.settings.lost_work_seconds)
    found = 0
    async with parts.pool.connection() as connection:
        creator_ids = await access.all_creator_ids(connection)
    for creator_id in creator_ids:
        async with parts.transaction() as connection:
            for item in await outbox.overdue(connection, creator_id, overdue, AT_ONCE):
                found += await defer_recovery(parts, connection, item)
            for row_id in await inbound.overdue(connection, creator_id, overdue, AT_ONCE):
                found += await parts.jobs.defer(
                    connection,
                    PROCESS_INBOUND,
                    queueing_lock=f"inbound:{row_id}",
                    creator_id=str(creator_id),
                    row_id=str(row_id),
                )
    return found
