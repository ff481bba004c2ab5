"""What A/B tests have come to: counted, compared, and kept, so that pages read one row.

A job asks for it. Each test is one transaction of its own, and nothing is lost or counted twice
when it is killed: rows of fans are made anew from what is known of them. A variant that a guardrail
stops, or that is no longer there, is taken out here; fans who had it get one of the others.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import ab_fans, ab_tests, access, alerts, audit, templates
from vaultcrm.domain.alerts import AlertKind, Severity, creator_subject
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.experiments import AbTestStatus, Allocation, Guardrail, Metric, VariantKind
from vaultcrm.domain.people import Tier
from vaultcrm.pipeline.experiments.comparing import (
    MEASURED,
    Measured,
    Sums,
    Worse,
    differences,
    interval,
    pooled,
    worse_than_allowed,
)
from vaultcrm.pipeline.experiments.policies import Group, NoAnswer, policy_value
from vaultcrm.pipeline.experiments.ratio import shared_out_wrong
from vaultcrm.pipeline.experiments.thompson import thompson_shares
from vaultcrm.pipeline.experiments.verdict import Figures, judge
from vaultcrm.workflows.alerting import raise_alert
from vaultcrm.workflows.parts import Parts

FANS_AT_ONCE = 1_000
MOST_DAYS_KEPT = 400
AFTER_THE_END = timedelta(days=1)
"""How long after the last message can have settled a test that has ended is looked at once more."""
ALERT_STAYS = timedelta(days=7)
GUARDRAIL_WORDS = {
    Guardrail.FILTER_HITS: "drafts in which the filter found something",
    Guardrail.REJECTIONS: "drafts that people rejected",
    Guardrail.COMPLAINTS: "messages that the fan answered with a complaint",
}
GONE = "its template was archived"
WRONG_SHARES = (
    "Something is wrong with the assignment: fans are not shared out as they were meant to be. Do "
    "not trust these figures. End the test, find out why, and begin a new one."
)


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


@dataclass(frozen=True, slots=True)
class Counted:
    """The sums of a test by epoch, tier and variant, and the currencies in them."""

    groups: Sequence[ab_fans.FanGroup]
    currencies: Sequence[str]

    def by_variant(self, measured: Measured, names: Sequence[str]) -> dict[str, Sums]:
        """The sums of these variants; one without any drafts has none."""
        found = pooled([(one.variant, Sums(*one.sums[measured])) for one in self.groups])
        return {name: found.get(name, Sums()) for name in names}


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


def _active(test: Record) -> list[str]:
    """The variants that fans get, in the order in which they were written down."""
    return [one["name"] for one in test["variants"] if test["shares"].get(one["name"], 0) > 0]


async def _without_what_must_stop(
    parts: Parts, connection: Connection, test: Record, counted: Counted, now: datetime
) -> Record:
    """The test without the variants that are gone or worse than they may be."""
    active = _active(test)
    stopped: dict[str, dict[str, Any]] = {
        name: {"at": now.isoformat(), "why": GONE}
        for name in await _gone(connection, test)
        if name in active
    }
    limits = {Guardrail(name): limit for name, limit in test["limits"].items()}
    sums = {one: counted.by_variant(one, active) for one in limits}
    for worse in worse_than_allowed(sums, limits):
        # Of two that are both too bad the first is taken out; the other is compared anew without.
        if len(active) - len(stopped) > 1:
            stopped.setdefault(worse.variant, _stopped_by(worse, now))
    if not stopped:
        return test
    left = [name for name in active if name not in stopped]
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
    await _alert(parts, connection, test, _told(test, stopped, left), {"stopped": stopped}, now)
    return test


async def _gone(connection: Connection, test: Record) -> list[str]:
    """Variants whose template was archived while the test runs."""
    if test["kind"] != VariantKind.TEMPLATE:
        return []
    wanted = [UUID(one["reference"]) for one in test["variants"]]
    sent = await templates.known_templates(connection, test["creator_id"], wanted)
    known = await sent.answer()
    return [one["name"] for one in test["variants"] if UUID(one["reference"]) not in known]


def _stopped_by(worse: Worse, now: datetime) -> dict[str, Any]:
    what = GUARDRAIL_WORDS[worse.guardrail]
    return {
        "at": now.isoformat(),
        "why": f"{worse.value:.1%} {what}, against {worse.others:.1%} of the others: worse by at "
        f"least {worse.at_least * 100:.1f} points",
        "guardrail": worse.guardrail.value,
    }


def _told(test: Record, stopped: Mapping[str, Mapping[str, Any]], left: Sequence[str]) -> str:
    reasons = "; ".join(f"{name} ({why['why']})" for name, why in stopped.items())
    then = (
        f"Fans get {' or '.join(left)} from now on."
        if len(left) > 1
        else "The test has ended: there is nothing left to compare."
    )
    return f"In the A/B test “{test['test_name']}” a variant was stopped: {reasons}. {then}"


async def _shared_out_anew(
    connection: Connection, test: Record, counted: Counted, now: datetime
) -> Record:
    """Once a day (UTC) other shares, where the test asks for that and enough is known."""
    today = _day(now)
    if test["allocation"] != Allocation.THOMPSON or test["results"].get("sharedOn") == today:
        return test
    metric = Metric(test["metric"])
    if metric is Metric.REVENUE and len(counted.currencies) > 1:
        return test
    active = _active(test)
    shares = thompson_shares(counted.by_variant(metric, active), f"{test['id']}/{today}")
    if shares is None:
        return test
    before = test["results"]
    test = await ab_tests.share_out(connection, test["creator_id"], test["id"], shares)
    details = {"shares": {name: round(share, 4) for name, share in shares.items()}}
    await _audit(connection, test, AuditAction.AB_TEST_SHARED_OUT, details, now)
    return test | {"results": before | {"sharedOn": today}}


def results_of(test: Record, counted: Counted, now: datetime) -> dict[str, Any]:
    """What is kept: the specification's `results`, by the names that the API shows."""
    names = [one["name"] for one in test["variants"]]
    metric = Metric(test["metric"])
    active = _active(test) or names
    compared = counted.by_variant(metric, active)
    baseline = active[0]
    mixed = metric is Metric.REVENUE and len(counted.currencies) > 1
    wrong = _ratio_wrong(test, counted)
    found = () if mixed else differences(metric, compared, baseline, len(names) - 1)
    days = ((test["ended_at"] or now) - test["started_at"]) / timedelta(days=1)
    mistrust = WRONG_SHARES if wrong else _mixed(counted) if mixed else ""
    judged = judge(
        Figures(
            metric=metric,
            effect=test["smallest_effect"],
            baseline=baseline,
            sums=list(compared.items()),
            differences=found,
            days=days,
            currency=counted.currencies[0] if counted.currencies else "USD",
            mistrust=mistrust,
        )
    )
    told = [{key: _number(value) for key, value in asdict(one).items()} for one in found]
    return {
        "at": now.isoformat(),
        "days": round(days, 2),
        "baseline": baseline,
        "variants": {name: _of_variant(counted, name) for name in names},
        "differences": told,
        "verdict": {
            "outcome": judged.outcome.value,
            "sentence": judged.sentence,
            "winner": judged.winner,
            "days": judged.days,
            "mayStop": judged.may_stop,
        },
        "ratioWrong": wrong,
        "currencies": list(counted.currencies),
        "whatIf": [] if mixed or wrong else _what_if(test, counted, metric, active),
        "notes": _notes(counted, names),
        "series": _series(test, told, now),
        "sharedOn": test["results"].get("sharedOn"),
    }


def _mixed(counted: Counted) -> str:
    return (
        f"The fans of this test pay in {' and '.join(counted.currencies)}. Amounts in different "
        "currencies are never added up, so revenue cannot be compared. End the test, and choose "
        "another metric for the next one."
    )


def _of_variant(counted: Counted, name: str) -> dict[str, Any]:
    groups = [one for one in counted.groups if one.variant == name]
    measures = {}
    for measured in MEASURED:
        sums = counted.by_variant(measured, [name])[name]
        reach = interval(sums)
        measures[measured.value] = {
            "n": round(sums.n),
            "y": _number(sums.y),
            "value": _number(sums.value),
            "low": _number(reach[0]) if reach else None,
            "high": _number(reach[1]) if reach else None,
        }
    return {
        "generations": sum(one.drafts for one in groups),
        "fans": sum(one.fans for one in groups),
        "notApplied": sum(one.not_applied for one in groups),
        "measures": measures,
    }


def _notes(counted: Counted, names: Sequence[str]) -> list[str]:
    """Where a variant could not be used, which counts against it all the same."""
    found = []
    for name in names:
        many = sum(one.not_applied for one in counted.groups if one.variant == name)
        if many:
            found.append(
                f"{many:,} drafts of {name} were made without it, because it could not be used. "
                "They count for it all the same."
            )
    return found


def _ratio_wrong(test: Record, counted: Counted) -> bool:
    fans: dict[int, dict[str, int]] = {}
    for one in counted.groups:
        epoch = fans.setdefault(one.epoch, {})
        epoch[one.variant] = epoch.get(one.variant, 0) + one.fans
    return shared_out_wrong(
        (shares, fans.get(number, {})) for number, shares in enumerate(test["epochs"], start=1)
    )


def _what_if(
    test: Record, counted: Counted, metric: Metric, active: Sequence[str]
) -> list[dict[str, Any]]:
    """What a message would have brought, had every fan, or every whale, got one variant."""
    groups = [
        Group(one.epoch, one.tier, one.variant, Sums(*one.sums[metric])) for one in counted.groups
    ]
    tiers = sorted({group.tier for group in groups})
    epochs = dict(enumerate(test["epochs"], start=1))
    policies = [(f"Every fan gets {name}", dict.fromkeys(tiers, name)) for name in active]
    if Tier.WHALE.value in tiers and len(tiers) > 1:
        policies += [
            (
                f"Whales get {name}, all others {active[0]}",
                dict.fromkeys(tiers, active[0]) | {Tier.WHALE.value: name},
            )
            for name in active[1:]
        ]
    found = []
    for told, policy in policies:
        entry: dict[str, Any] = {"policy": told}
        for method in ("ips", "dr"):
            value = policy_value(groups, policy, epochs, method)
            entry[method] = (
                {"reason": value.reason}
                if isinstance(value, NoAnswer)
                else {
                    "estimate": _number(value.estimate),
                    "low": _number(value.low),
                    "high": _number(value.high),
                    "fans": value.support,
                }
            )
        found.append(entry)
    return found


def _series(test: Record, told: Sequence[Mapping[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """A point for each day (UTC) on which there was something to compare; today's is replaced."""
    before: list[dict[str, Any]] = test["results"].get("series", [])
    if not told:
        return before
    today = _day(now)
    point = {
        "day": today,
        "differences": {one["variant"]: [one["estimate"], one["low"], one["high"]] for one in told},
    }
    return [*(one for one in before if one["day"] != today), point][-MOST_DAYS_KEPT:]


def _day(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()


def _number(value: Any) -> Any:
    """Numbers of floating point as they are worth keeping; anything else as it is."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


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
