"""Look at the conditions of the specification every minute, and open and clear their alerts.

Whatever opens an alert also tells other systems and people of it, once; while it is open nothing is
told again.
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from vaultcrm.controls.monitoring.conditions import (
    CALLS_WINDOW,
    DATABASE_WINDOW,
    DRAFTS_WINDOW,
    KINDS,
    Condition,
    Seen,
    Step,
    conditions,
    next_step,
)
from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import access, alerts, observations
from vaultcrm.domain.alerts import AlertKind, creator_of
from vaultcrm.domain.mail import MailNotSent
from vaultcrm.domain.metrics import Period
from vaultcrm.domain.rollups import floor_day
from vaultcrm.workflows.alerting import clear_alert, raise_alert
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.read_metrics import read_metrics

CALM_SINCE = "calmSince"


async def watch(parts: Parts) -> tuple[AlertKind, ...]:
    """Open what has come up and clear what is over; which alerts of `KINDS` are open then.

    Any number of processes may do it at once.
    """
    now = parts.now()
    async with parts.transaction() as connection:
        seen = await _seen(connection, now)
        known = await (await alerts.open_of_kinds(connection, sorted(KINDS))).answer()
        is_open = set(known)
        for condition in conditions(parts.settings, seen):
            details = known.get(condition.kind)
            calm = (details or {}).get(CALM_SINCE)
            step = next_step(
                condition,
                now,
                is_open=details is not None,
                calm_since=None if calm is None else datetime.fromisoformat(calm),
            )
            await _take(parts, connection, condition, step, now)
            if step is Step.OPEN:
                is_open.add(condition.kind)
            elif step is Step.CLEAR:
                is_open.discard(condition.kind)
    return tuple(sorted(is_open))


async def _take(
    parts: Parts, connection: Connection, condition: Condition, step: Step, now: datetime
) -> None:
    match step:
        case Step.OPEN:
            await raise_alert(
                parts,
                connection,
                condition.kind,
                condition.severity,
                f"{condition.message} It closes by itself when it has been well for a while.",
                {"reading": condition.reading, "threshold": condition.threshold},
                now,
            )
        case Step.CALMING:
            await alerts.note(connection, condition.kind, {CALM_SINCE: now.isoformat()})
        case Step.RESTLESS:
            await alerts.note(connection, condition.kind, {CALM_SINCE: None})
        case Step.CLEAR:
            await clear_alert(parts, connection, condition.kind, now)
        case Step.NOTHING:
            pass


async def _seen(connection: Connection, now: datetime) -> Seen:
    creator_ids = await access.all_creator_ids(connection)
    counted = await observations.sums(
        connection,
        calls_since=now - CALLS_WINDOW,
        database_since=now - DATABASE_WINDOW,
        now=now,
    )
    drafts = (
        await read_metrics(connection, creator_ids, Period(now - DRAFTS_WINDOW, now))
    ).generations
    day = floor_day(now)
    usage = (
        (await read_metrics(connection, creator_ids, Period(day, now))).usage if day < now else ()
    )
    return replace(
        Seen(*await counted.answer()),
        drafts=drafts.total,
        with_findings=drafts.with_findings,
        cost_micro_usd=sum(one.cost_micro_usd for one in usage),
    )


async def mail_alert(parts: Parts, alert_id: UUID) -> int:
    """Tell the managers and admins who may see an alert of it by e-mail, and those who were told
    that it is over once it is; how many were told.

    Each gets mails of their own, and none of them twice, however often this is tried. Raises
    MailNotSent when the mail server takes none; then it is to be tried again.
    """
    if parts.mailer is None:
        return 0
    async with parts.pool.connection() as connection:
        alert = await alerts.alert_to_mail(connection, alert_id)
        if alert is None:
            return 0
        creator_id = creator_of(alert["subject"])
        over = alert["cleared_at"] is not None
        to_tell = await alerts.recipients(connection, alert_id, creator_id)
        knowing = await alerts.told_before(connection, alert_id, creator_id) if over else []
    told, refused = 0, None
    mails = [(*person, _mail(parts, alert)) for person in to_tell]
    mails += [(*person, _over(parts, alert)) for person in knowing]
    for user_id, address, mail in mails:
        try:
            await parts.mailer.send(address, *mail)
        except MailNotSent as error:
            refused = error
            continue
        async with parts.pool.connection() as connection:
            await alerts.mailed(connection, alert_id, user_id, parts.now(), over=over)
        told += 1
    if refused is not None:
        raise refused
    return told


def _mail(parts: Parts, alert: Record) -> tuple[str, str]:
    """Subject and text. Alerts name no fan and quote nobody, so they may cross others' servers."""
    title = alert["kind"].replace("_", " ")
    over = "" if alert["cleared_at"] is None else "\nIt is over by now.\n"
    text = (
        f"{alert['message']}\n{over}\n"
        f"Since {alert['raised_at']:%Y-%m-%d %H:%M} UTC. See to it, or read how it went:\n"
        f"{parts.settings.vaultcrm_base_url.rstrip('/')}/alerts\n"
    )
    return f"VaultCRM alert ({alert['severity']}): {title}", text


def _over(parts: Parts, alert: Record) -> tuple[str, str]:
    """The same of an alert that somebody was told of, when it is over."""
    title = alert["kind"].replace("_", " ")
    text = (
        f"This is over since {alert['cleared_at']:%Y-%m-%d %H:%M} UTC. It was said on "
        f"{alert['raised_at']:%Y-%m-%d %H:%M} UTC:\n\n{alert['message']}\n\n"
        f"How it went: {parts.settings.vaultcrm_base_url.rstrip('/')}/alerts\n"
    )
    return f"VaultCRM alert is over: {title}", text
