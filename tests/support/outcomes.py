"""What messages did, made anew for whatever stands in the database."""

from datetime import timedelta
from uuid import UUID

from tests.support.app import RunningApp
from tests.support.world import rows
from vaultcrm.domain.ids import new_id
from vaultcrm.workflows.attribute_outcomes import attribute_outcomes


async def attribute_all(app: RunningApp) -> None:
    """Make every outcome anew: for tests that put messages straight into their table."""
    for row in await rows(app, "SELECT creator_id, id FROM conversations"):
        await rows(
            app,
            """INSERT INTO outcome_marks (creator_id, id, conversation_id)
               VALUES (%(creator_id)s, %(mark)s, %(id)s)""",
            **row,
            mark=new_id(),
        )
    await attribute_outcomes(app.parts)


async def age(app: RunningApp, creator_id: UUID, by: timedelta) -> None:
    """Let everything that was said and paid have happened earlier."""
    for table, columns in (
        ("messages", ("sent_at", "purchased_at")),
        ("message_outcomes", ("sent_at", "settled_at")),
        ("message_payments", ("occurred_at",)),
        ("outcome_states", ("settled_until",)),
    ):
        moved = ", ".join(f"{column} = {column} - %(by)s" for column in columns)
        await rows(
            app,
            f"UPDATE {table} SET {moved} WHERE creator_id = %(creator_id)s",  # noqa: S608
            by=by,
            creator_id=creator_id,
        )
