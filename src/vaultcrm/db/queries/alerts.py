"""Alerts: at most one open of each kind and subject, raised, cleared and acknowledged."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, Rows, records, run, send
from vaultcrm.domain.alerts import INSTALLATION, AlertKind, Severity, creator_subject
from vaultcrm.domain.ids import new_id

RAISE = """
    INSERT INTO alerts (id, kind, subject, severity, message, details, raised_at)
    VALUES (%(id)s, %(kind)s, %(subject)s, %(severity)s, %(message)s, %(details)s::jsonb, %(now)s)
    ON CONFLICT (kind, subject) WHERE cleared_at IS NULL DO NOTHING
    RETURNING id
"""


def _read_id(rows: Rows) -> UUID | None:
    return rows[0][0] if rows else None


async def raise_alert(
    connection: Connection,
    kind: AlertKind,
    severity: Severity,
    message: str,
    details: dict[str, Any],
    now: datetime,
    *,
    subject: str = INSTALLATION,
) -> Pending[UUID | None]:
    """Open an alert; the answer is its id, or None when one is open already and stays as it is.

    `message` is a sentence that says what to do; `details` hold no message text of fans.
    """
    params = {
        "id": new_id(),
        "kind": kind.value,
        "subject": subject,
        "severity": severity.value,
        "message": message,
        "details": json.dumps(details),
        "now": now,
    }
    return await send(connection, RAISE, params, _read_id)


CLEAR = """
    UPDATE alerts SET cleared_at = %(now)s
    WHERE kind = %(kind)s AND (%(subject)s::text IS NULL OR subject = %(subject)s)
      AND cleared_at IS NULL
    RETURNING id
"""


async def clear_alert(
    connection: Connection, kind: AlertKind, now: datetime, *, subject: str | None = None
) -> list[UUID]:
    """Close what is open of a kind: about one subject, or with None about all of them; which those
    were.
    """
    params = {"kind": kind.value, "subject": subject, "now": now}
    return await (
        await send(connection, CLEAR, params, lambda rows: [row[0] for row in rows])
    ).answer()


CLEAR_SEEN = """
    UPDATE alerts SET cleared_at = %(now)s
    WHERE kind = %(kind)s AND cleared_at IS NULL
      AND (acknowledged_at IS NOT NULL OR raised_at < %(raised_before)s)
"""


async def clear_seen(
    connection: Connection, kind: AlertKind, now: datetime, raised_before: datetime
) -> None:
    """Close what is open of a kind and was seen to, or has been told for long enough."""
    params = {"kind": kind.value, "now": now, "raised_before": raised_before}
    await run(connection, CLEAR_SEEN, params)


_ALERT = """
    a.id, a.kind, a.subject, a.severity, a.message, a.details, a.raised_at, a.cleared_at,
    a.acknowledged_at, a.acknowledged_by, u.name
"""
_read = records(
    "id", "kind", "subject", "severity", "message", "details", "raised_at", "cleared_at",
    "acknowledged_at", "acknowledged_by", "acknowledged_by_name",
)  # fmt: skip
# What comes behind a creator's id says which part of theirs is meant.
_VISIBLE = """
    (NOT starts_with(a.subject, 'creator/')
     OR left(a.subject, length('creator/') + 36) = ANY(%(subjects)s))
"""

PAGE = f"""
    SELECT {_ALERT} FROM alerts a LEFT JOIN users u ON u.id = a.acknowledged_by
    WHERE {_VISIBLE}
      AND (%(open)s::boolean IS NULL OR (a.cleared_at IS NULL) = %(open)s)
      AND (%(before)s::uuid IS NULL OR a.id < %(before)s)
    ORDER BY a.id DESC
    LIMIT %(limit)s
"""
GET = f"""
    SELECT {_ALERT} FROM alerts a LEFT JOIN users u ON u.id = a.acknowledged_by
    WHERE {_VISIBLE} AND a.id = %(id)s
"""
# Whoever acknowledges second changes nothing: the first one's name stays.
ACKNOWLEDGE = f"""
    UPDATE alerts a SET acknowledged_at = %(now)s, acknowledged_by = %(user_id)s
    WHERE {_VISIBLE} AND a.id = %(id)s AND a.acknowledged_at IS NULL
    RETURNING a.id
"""


def _subjects(creator_ids: list[UUID]) -> list[str]:
    return [creator_subject(creator_id) for creator_id in creator_ids]


async def list_alerts(
    connection: Connection,
    creator_ids: list[UUID],
    *,
    is_open: bool | None,
    before: UUID | None,
    limit: int,
) -> Pending[list[Record]]:
    """Alerts of the installation and of some creators, the newest first.

    `is_open` None means those that are over as well.
    """
    params = {
        "subjects": _subjects(creator_ids),
        "open": is_open,
        "before": before,
        "limit": limit,
    }
    return await send(connection, PAGE, params, _read)


async def get_alert(
    connection: Connection, creator_ids: list[UUID], alert_id: UUID
) -> Pending[list[Record]]:
    params = {"subjects": _subjects(creator_ids), "id": alert_id}
    return await send(connection, GET, params, _read)


async def acknowledge(
    connection: Connection,
    creator_ids: list[UUID],
    alert_id: UUID,
    *,
    user_id: UUID,
    now: datetime,
) -> Pending[bool]:
    """Note who has seen an alert; False when somebody has before, or there is no such alert."""
    params = {
        "subjects": _subjects(creator_ids),
        "id": alert_id,
        "user_id": user_id,
        "now": now,
    }
    return await send(connection, ACKNOWLEDGE, params, bool)


# Where an alert is about one message or conversation, where to look.
PLACES = f"""
    SELECT a.id, o.conversation_id
    FROM alerts a
    JOIN outbox o ON o.creator_id = substr(a.subject, length('creator/') + 1, 36)::uuid
                 AND o.id = (a.details ->> 'outbox')::uuid
    WHERE {_VISIBLE} AND a.cleared_at IS NULL
      AND starts_with(a.subject, 'creator/') AND a.details ? 'outbox'
    UNION ALL
    SELECT a.id, (a.details ->> 'conversation')::uuid
    FROM alerts a
    WHERE {_VISIBLE} AND a.cleared_at IS NULL AND a.details ? 'conversation'
"""
TIMES_RAISED = f"""
    SELECT a.kind, a.subject, count(*)
    FROM alerts a
    WHERE {_VISIBLE} AND a.raised_at >= %(since)s
    GROUP BY a.kind, a.subject
"""


async def conversations_of_open(
    connection: Connection, creator_ids: list[UUID]
) -> Pending[dict[UUID, UUID]]:
    """The conversation of each open alert that is about one, or about a message, by the alert."""
    return await send(connection, PLACES, {"subjects": _subjects(creator_ids)}, dict)


async def times_raised(
    connection: Connection, creator_ids: list[UUID], since: datetime
) -> Pending[dict[tuple[str, str], int]]:
    """How often alerts were raised since then, by kind and subject."""
    params = {"subjects": _subjects(creator_ids), "since": since}
    return await send(
        connection,
        TIMES_RAISED,
        params,
        lambda rows: {(kind, subject): count for kind, subject, count in rows},
    )


# ---- conditions that are looked at again and again

OPEN_OF_KINDS = """
    SELECT kind, details FROM alerts
    WHERE kind = ANY(%(kinds)s) AND subject = %(subject)s AND cleared_at IS NULL
"""
NOTE = """
    UPDATE alerts SET details = details || %(details)s::jsonb
    WHERE kind = %(kind)s AND subject = %(subject)s AND cleared_at IS NULL
"""
COUNT_OPEN = """
    SELECT kind, severity, count(*) FROM alerts WHERE cleared_at IS NULL GROUP BY kind, severity
"""


async def open_of_kinds(
    connection: Connection, kinds: list[AlertKind]
) -> Pending[dict[AlertKind, dict[str, Any]]]:
    """The details of those open alerts of some kinds that concern the whole installation."""
    params = {"kinds": [kind.value for kind in kinds], "subject": INSTALLATION}
    return await send(
        connection,
        OPEN_OF_KINDS,
        params,
        lambda rows: {AlertKind(kind): details for kind, details in rows},
    )


async def note(connection: Connection, kind: AlertKind, details: dict[str, Any]) -> None:
    """Lay details over those of the open alert of a kind that concerns the whole installation."""
    params = {"kind": kind.value, "subject": INSTALLATION, "details": json.dumps(details)}
    await run(connection, NOTE, params)


async def count_open(connection: Connection) -> Pending[dict[tuple[str, ...], float]]:
    """How many alerts are open, by kind and severity."""
    return await send(
        connection, COUNT_OPEN, {}, lambda rows: {(row[0], row[1]): row[2] for row in rows}
    )


# ---- who is told by e-mail

TO_MAIL = """
    SELECT a.kind, a.severity, a.subject, a.message, a.raised_at, a.cleared_at FROM alerts a
    WHERE a.id = %(id)s
"""
RECIPIENTS = """
    SELECT u.id, u.email FROM users u
    WHERE u.role IN ('manager', 'admin') AND u.disabled_at IS NULL AND u.email IS NOT NULL
      AND (%(creator_id)s::uuid IS NULL OR u.all_creators
           OR EXISTS (SELECT 1 FROM creator_assignments c
                      WHERE c.user_id = u.id AND c.creator_id = %(creator_id)s))
      AND NOT EXISTS (SELECT 1 FROM alert_mails m
                      WHERE m.alert_id = %(id)s AND m.user_id = u.id)
    ORDER BY u.id
"""
MAILED = """
    INSERT INTO alert_mails (alert_id, user_id, sent_at, over_sent_at)
    VALUES (%(alert_id)s, %(user_id)s, %(now)s, CASE WHEN %(over)s THEN %(now)s::timestamptz END)
    ON CONFLICT (alert_id, user_id) DO UPDATE
      SET over_sent_at = COALESCE(alert_mails.over_sent_at, EXCLUDED.over_sent_at)
"""
TOLD_BEFORE = """
    SELECT u.id, u.email FROM alert_mails m JOIN users u ON u.id = m.user_id
    WHERE m.alert_id = %(id)s AND m.over_sent_at IS NULL
      AND u.role IN ('manager', 'admin') AND u.disabled_at IS NULL AND u.email IS NOT NULL
      AND (%(creator_id)s::uuid IS NULL OR u.all_creators
           OR EXISTS (SELECT 1 FROM creator_assignments c
                      WHERE c.user_id = u.id AND c.creator_id = %(creator_id)s))
    ORDER BY u.id
"""
_read_mail = records("kind", "severity", "subject", "message", "raised_at", "cleared_at")


async def alert_to_mail(connection: Connection, alert_id: UUID) -> Record | None:
    """What a mail about an alert is written from."""
    found = await (await send(connection, TO_MAIL, {"id": alert_id}, _read_mail)).answer()
    return found[0] if found else None


async def recipients(
    connection: Connection, alert_id: UUID, creator_id: UUID | None
) -> list[tuple[UUID, str]]:
    """Managers and admins who may see an alert of this creator, or with None of the installation,
    and have not been told of it: ids and addresses.
    """
    params = {"id": alert_id, "creator_id": creator_id}
    sent = await send(
        connection, RECIPIENTS, params, lambda rows: [(row[0], row[1]) for row in rows]
    )
    return await sent.answer()


async def told_before(
    connection: Connection, alert_id: UUID, creator_id: UUID | None
) -> list[tuple[UUID, str]]:
    """Those who were told of an alert, may still see it, and do not know that it is over."""
    params = {"id": alert_id, "creator_id": creator_id}
    sent = await send(
        connection, TOLD_BEFORE, params, lambda rows: [(row[0], row[1]) for row in rows]
    )
    return await sent.answer()


async def mailed(
    connection: Connection, alert_id: UUID, user_id: UUID, now: datetime, *, over: bool = False
) -> None:
    """Note that somebody has been told, with `over` that it is over too."""
    params = {"alert_id": alert_id, "user_id": user_id, "now": now, "over": over}
    await run(connection, MAILED, params)
