"""Which refusals of this hour are in the audit log already."""

from datetime import datetime

from vaultcrm.db.pending import Connection, send

# Of the counters of limits, with nothing used: what it counts is that it is there.
FIRST = """
    INSERT INTO limit_counters (kind, subject, window_start, used)
    VALUES ('refusal_noted', %(subject)s, %(hour)s, 0)
    ON CONFLICT (kind, subject, window_start) DO NOTHING
    RETURNING subject
"""


async def is_first_of_hour(connection: Connection, subject: str, hour: datetime) -> bool:
    """True once an hour for each subject, whichever process asks."""
    return await (await send(connection, FIRST, {"subject": subject, "hour": hour}, bool)).answer()
