"""Jobs: rows in PostgreSQL, deferred on the connection, and so in the transaction, that is given.

Only names and arguments are known here; what a job does is in `vaultcrm.entrypoints.worker`.
"""

import json
from datetime import datetime
from typing import Any, Final

import procrastinate
import psycopg

from vaultcrm.db.job_keeper import JobKeeper
from vaultcrm.db.pending import Connection, run
from vaultcrm.db.roles import act_as_application

DELIVER_MESSAGE = "deliver_message"
PROCESS_INBOUND = "process_inbound"
ANSWER_FAN = "answer_fan"
FAN_REACTS = "fan_reacts"
DELIVER_EVENTS = "deliver_events"
ERASE_FAN = "erase_fan"
MAIL_ALERT = "mail_alert"
SEAL_AUDIT = "seal_audit"
VERIFY_AUDIT = "verify_audit"
LEARN = "learn_weekly"
CALIBRATE = "calibrate"
CALIBRATE_CREATOR = "calibrate_creator"

DEFAULT_QUEUE = "default"
EVENTS_QUEUE = "events"
"""Calls of other systems have a queue of their own: one that hangs keeps no message waiting."""


def job_app(url: str, *, max_size: int = 4) -> procrastinate.App:
    """The job queue on a database. It connects when it is opened, not before."""
    connector = procrastinate.PsycopgConnector(
        conninfo=url, min_size=1, max_size=max_size, configure=act_as_application
    )
    app = procrastinate.App(connector=connector)
    app.job_manager = JobKeeper(connector)
    return app


# What procrastinate's own deferring sends, but it waits for the job's id, which nobody needs.
_DEFER: Final = """
    SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
        %(queue)s, %(name)s, 0, %(lock)s, NULL, %(arguments)s::jsonb, %(at)s
    )::procrastinate_job_to_defer_v1])
"""


class JobQueue:
    """Defers jobs inside the caller's transaction: no commit, no job."""

    def __init__(self, app: procrastinate.App) -> None:
        self._app = app

    async def defer(
        self,
        connection: Connection,
        name: str,
        *,
        lock: str | None = None,
        queueing_lock: str | None = None,
        at: datetime | None = None,
        queue: str = DEFAULT_QUEUE,
        **arguments: Any,
    ) -> bool:
        """Defer a job by name. Jobs of one `lock` run one after the other.

        False when a job with the same `queueing_lock` waits already. Raises `psycopg.Error`.
        """
        if queueing_lock is None:
            params = {
                "queue": queue,
                "name": name,
                "lock": lock,
                "arguments": json.dumps(arguments),
                "at": at,
            }
            await run(connection, _DEFER, params)
            return True
        deferrer = self._app.configure_task(
            name,
            queue=queue,
            lock=lock,
            queueing_lock=queueing_lock,
            schedule_at=at,
            connection=connection,
        )
        try:
            async with connection.transaction():
                await deferrer.defer_async(**arguments)
        except procrastinate.exceptions.AlreadyEnqueued:
            return False
        except procrastinate.exceptions.ConnectorException as wrapped:
            # Callers know the errors of the database; one more kind of them would get past those
            # who tell users that the database is away.
            if isinstance(wrapped.__cause__, psycopg.Error):
                raise wrapped.__cause__ from None
            raise
        return True

    async def postpone(self, connection: Connection, queueing_lock: str, at: datetime) -> None:
        """Let a job that waits with this `queueing_lock` run at `at`, if it would run before."""
        await connection.execute(
            """
            UPDATE procrastinate_jobs SET scheduled_at = %(at)s
            WHERE queueing_lock = %(queueing_lock)s AND status = 'todo' AND scheduled_at < %(at)s
            """,
            {"queueing_lock": queueing_lock, "at": at},
        )
