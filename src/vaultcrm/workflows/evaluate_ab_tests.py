"""What A/B tests have come to: counted, compared, and kept, so that pages read one row.

A job asks for it. Each test is one transaction of its own, and nothing is lost or counted twice
when it is killed: rows of fans are made anew from what is known of them. A variant that a guardrail
stops, or that is no longer there, is taken out here; fans who had it get one of the others.
"""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import ab_fans, ab_tests, access, alerts, audit, templates
from vaultcrm.domain.alerts import AlertKind, Severity, creator_subject
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.experiments import AbTestStatus, Allocation, Metric, VariantKind
from vaultcrm.pipeline.experiments.counted import Counted, active_variants, day_of
from vaultcrm.pipeline.experiments.results import WRONG_SHARES, results_of
from vaultcrm.pipeline.experiments.stopping import told_of, variants_to_stop
from vaultcrm.pipeline.experiments.thompson import thompson_shares
from vaultcrm.workflows.alerting import raise_alert
from vaultcrm.workflows.parts import Parts

FANS_AT_ONCE = 1_000
AFTER_THE_END = timedelta(days=1)
"""How long after the last message can have settled a test that has ended is looked at once more."""
ALERT_STAYS = timedelta(days=7)


async def evaluate_ab_tests(parts: Parts) -> int:
    """Bring every test up to date; how many there were. Any number of processes may do it at once:
    a test that another one is at is left to it.
    """
    now = parts.now()
    settling = timedelta(hours=parts.settings.attribution_hours) + AFTER_THE_END
    async with parts.pool.connection() as connection:
        await alerts.clear_seen(connection, AlertKind.AB_TEST, now, now - ALERT_STAYS)
        creator_ids = await access.all_creator_ids(connection)
        tests = await ab_tests.to_evaluate(connection, creator_ids, now - settling)
    for creator_id, test_id in tests:
        async with parts.transaction() as connection:
            await evaluate_ab_test(parts, connection, creator_id, test_id)
    return len(tests)


async def evaluate_ab_test(
    parts: Parts, connection: Connection, creator_id: UUID, test_id: UUID
) -> None:
    """Bring one test up to date, in the caller's transaction."""
    now = parts.now()
    test = await ab_tests.hold_ab_test(connection, creator_id, test_id)
    if test is None or test["started_at"] is None:
        return
    await _count(connection, test, now)
    counted = await _read(connection, test)
    if test["status"] == AbTestStatus.RUNNING:
        test = await _without_what_must_stop(parts, connection, test, counted, now)
    if test["status"] == AbTestStatus.RUNNING:
        test = await _shared_out_anew(connection, test, counted, now)
    results = results_of(test, counted, now)
    await ab_tests.keep_results(connection, creator_id, test_id, results, now)
    if results["ratioWrong"]:
        await _alert(parts, connection, test, f"“{test['test_name']}”: {WRONG_SHARES}", {}, now)


async def _count(connection: Connection, test: Record, now: datetime) -> None:
    """Make the rows of those fans anew of whom something has changed since the last time."""
    references = json.dumps({one["name"]: one["reference"] for one in test["variants"]})
    since = test["counted_until"] or test["started_at"]
    key = test["creator_id"], test["id"]
    fans = await ab_fans.changed_fans(connection, *key, since, now)
    for start in range(0, len(fans), FANS_AT_ONCE):
        some = fans[start : start + FANS_AT_ONCE]
        kind = VariantKind(test["kind"])
        await ab_fans.count_fans(connection, *key, kind, references, some, now)


async def _read(connection: Connection, test: Record) -> Counted:
    key = test["creator_id"], test["id"]
    return Counted(
        await ab_fans.groups(connection, *key), await ab_fans.currencies(connection, *key)
    )


async def _without_what_must_stop(
    parts: Parts, connection: Connection, test: Record, counted: Counted, now: datetime
) -> Record:
    """The test without the variants that are gone or worse than they may be."""
    stopped = variants_to_stop(test, counted, await _gone(connection, test), now)
    if not stopped:
        return test
    left = [name for name in active_variants(test) if name not in stopped]
    total = sum(test["shares"][name] for name in left)
    shares = {name: test["shares"][name] / total for name in left}
    test = await ab_tests.share_out(connection, test["creator_id"], test["id"], shares, stopped)
    for name, why in stopped.items():
        details = {"variant": name, "why": why["why"]}
        await _audit(connection, test, AuditAction.AB_TEST_VARIANT_STOPPED, details, now)
    if len(left) < 2:
        sent = await ab_tests.set_ab_test_status(
            connection, test["creator_id"], test["id"], AbTestStatus.ENDED, now
        )
        [test] = await sent.answer()
        details = {"kind": test["kind"], "status": test["status"]}
        await _audit(connection, test, AuditAction.AB_TEST_CHANGED, details, now)
    await _alert(parts, connection, test, told_of(test, stopped, left), {"stopped": stopped}, now)
    return test


async def _gone(connection: Connection, test: Record) -> list[str]:
    """Variants whose template was archived while the test runs."""
    if test["kind"] != VariantKind.TEMPLATE:
        return []
    wanted = [UUID(one["reference"]) for one in test["variants"]]
    sent = await templates.known_templates(connection, test["creator_id"], wanted)
    known = await sent.answer()
    return [one["name"] for one in test["variants"] if UUID(one["reference"]) not in known]


async def _shared_out_anew(
    connection: Connection, test: Record, counted: Counted, now: datetime
) -> Record:
    """Once a day (UTC) other shares, where the test asks for that and enough is known."""
    today = day_of(now)
    if test["allocation"] != Allocation.THOMPSON or test["results"].get("sharedOn") == today:
        return test
    metric = Metric(test["metric"])
    if metric is Metric.REVENUE and len(counted.currencies) > 1:
        return test
    active = active_variants(test)
    shares = thompson_shares(counted.by_variant(metric, active), f"{test['id']}/{today}")
    if shares is None:
        return test
    before = test["results"]
    test = await ab_tests.share_out(connection, test["creator_id"], test["id"], shares)
    details = {"shares": {name: round(share, 4) for name, share in shares.items()}}
    await _audit(connection, test, AuditAction.AB_TEST_SHARED_OUT, details, now)
    return test | {"results": before | {"sharedOn": today}}


async def _audit(
    connection: Connection,
    test: Record,
    action: AuditAction,
    details: dict[str, Any],
    now: datetime,
) -> None:
    await audit.record(
        connection,
        AuditEntry(
            creator_id=test["creator_id"],
            actor_id=None,
            action=action,
            subject_type="ab_test",
            subject_id=str(test["id"]),
            at=now,
            details=details,
        ),
    )


async def _alert(
    parts: Parts,
    connection: Connection,
    test: Record,
    message: str,
    details: dict[str, Any],
    now: datetime,
) -> None:
    await raise_alert(
        parts,
        connection,
        AlertKind.AB_TEST,
        Severity.WARNING,
        f"{message} It is on the page Experiments.",
        {"test": str(test["id"])} | details,
        now,
        subject=f"{creator_subject(test['creator_id'])}/{test['id']}",
    )
