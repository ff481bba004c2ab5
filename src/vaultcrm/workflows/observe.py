"""Hand on what this process sees, every few seconds, and let Prometheus read what all have seen.

Whichever process is asked answers for all: each writes its counts to the database, and there they
are read. So it does not matter to which of them a scrape is routed, and workers, which listen on no
port, are there too.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import timedelta

import psycopg
from psycopg_pool import PoolTimeout

from vaultcrm.controls.monitoring.exposition import Family, exposition, gauge, of_processes
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, alerts, metrics, observations
from vaultcrm.domain.metrics import Metrics, Period
from vaultcrm.domain.rollups import floor_day
from vaultcrm.workflows.attribute_outcomes import attribution_window
from vaultcrm.workflows.effect_gauges import of_effect
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.read_effect import read_effect, usual_period
from vaultcrm.workflows.read_metrics import read_metrics
from vaultcrm.workflows.read_system import database_growth

WEB = "web"
WORKER = "worker"

PATIENCE_SECONDS = 2.0
ALIVE_ROUNDS = 6
"""A process that has missed so many times of writing is taken for dead."""
KEPT_SILENT = timedelta(hours=1)
"""How long the counts of a process stay after it was last seen."""
KEPT_MINUTES = timedelta(days=2)
MOST_STEPS = 10
"""More often than this no waiting draft has become more urgent."""


@asynccontextmanager
async def observing(parts: Parts, kind: str) -> AsyncIterator[None]:
    """While the block runs, hand on what this process sees, and at its end the rest of it."""
    task = asyncio.create_task(_hand_on_again_and_again(parts, kind))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await hand_on(parts, kind)


async def _hand_on_again_and_again(parts: Parts, kind: str) -> None:
    while True:
        await hand_on(parts, kind)
        await asyncio.sleep(parts.settings.observe_every_seconds)


async def hand_on(parts: Parts, kind: str) -> bool:
    """Write what was seen since the last time; False, and all is kept, when the database is away.

    Whatever is counted while this writes is handed on the next time.
    """
    async with parts.observed.handing_on:
        return await _hand_on(parts, kind)


async def _hand_on(parts: Parts, kind: str) -> bool:
    observed = parts.observed
    minutes = observed.take_minutes()
    counts = {**observed.counts(), **_pool(parts)}
    told = [{"number": number, **asdict(minute)} for number, minute in minutes.items()]
    try:
        async with (
            parts.pool.connection(timeout=PATIENCE_SECONDS) as connection,
            connection.transaction(),
        ):
            now = parts.now()
            await observations.write(connection, observed.process, kind, told, counts, now)
    except (psycopg.Error, PoolTimeout):
        observed.give_back(minutes)
        return False
    except BaseException:
        observed.give_back(minutes)
        raise
    return True


def _pool(parts: Parts) -> dict[str, int]:
    found = parts.pool.get_stats()
    size = found.get("pool_size", 0)
    return {
        "pool_size": size,
        "pool_in_use": size - found.get("pool_available", 0),
        "pool_waiting": found.get("requests_waiting", 0),
    }


async def forget_old(parts: Parts) -> None:
    """Drop observations that nothing looks at any more."""
    now = parts.now()
    async with parts.pool.connection() as connection:
        await observations.forget(
            connection, minutes_before=now - KEPT_MINUTES, silent_before=now - KEPT_SILENT
        )


async def worker_is_alive(parts: Parts, connection: Connection) -> bool:
    """Whether any worker was seen just now."""
    seen = await (await observations.last_sign_of(connection, WORKER)).answer()
    patience = timedelta(seconds=ALIVE_ROUNDS * parts.settings.observe_every_seconds)
    return seen is not None and parts.now() - seen < patience


async def read_exposition(parts: Parts) -> str:
    """Everything that Prometheus is told: counts of each process, the day's drafts and decisions in
    UTC, queues, the database, and open alerts. No label holds a text or says who somebody is.
    """
    now = parts.now()
    await hand_on(parts, WEB)
    async with parts.pool.connection() as connection:
        creator_ids = await access.all_creator_ids(connection)
        today = await read_metrics(connection, creator_ids, Period(floor_day(now), now))
        effect = await read_effect(
            connection, creator_ids, usual_period(now), attribution_window(parts), now
        )
        counted = {"creator_ids": creator_ids, "most": observations.MOST_COUNTED}
        async with connection.pipeline():
            processes_sent = await observations.processes(connection)
            waiting_sent = await observations.waiting_drafts(connection, counted)
            oldest_sent = await metrics.oldest_waiting(connection, creator_ids, steps=MOST_STEPS)
            outbox_sent = await observations.outbox_states(connection, counted)
            webhooks_sent = await observations.waiting_webhooks(connection, counted)
            jobs_sent = await observations.due_jobs(connection, now)
            size_sent = await observations.database_bytes(connection)
            alerts_sent = await alerts.count_open(connection)
        processes, size = await processes_sent.answer(), await size_sent.answer()
        oldest, _ = await oldest_sent.answer()
        age = 0.0 if oldest is None else max((now - oldest).total_seconds(), 0.0)
        families = [
            *of_processes({one.name: one.counts for one in processes}),
            gauge(
                "vaultcrm_process_last_seen_seconds",
                "How long ago a process was last seen.",
                {(p.name, p.kind): max((now - p.seen_at).total_seconds(), 0) for p in processes},
                "process",
                "kind",
            ),
            *_of_today(today),
            *of_effect(effect),
            gauge(
                "vaultcrm_queue_drafts",
                f"Drafts that wait for a person, counted up to {observations.MOST_COUNTED:,}.",
                {(): await waiting_sent.answer()},
            ),
            gauge(
                "vaultcrm_queue_oldest_seconds",
                "How long the draft has waited that has waited longest.",
                {(): age},
            ),
            gauge(
                "vaultcrm_outbox_messages",
                "Messages that are to leave, or could not.",
                _by_status(await outbox_sent.answer()),
                "status",
            ),
            gauge(
                "vaultcrm_webhooks_waiting",
                "Webhooks that were taken in and not worked through yet.",
                {(): await webhooks_sent.answer()},
            ),
            gauge(
                "vaultcrm_jobs",
                "Jobs whose time has come: todo waits, doing runs.",
                await jobs_sent.answer(),
                "queue",
                "status",
            ),
            gauge(
                "vaultcrm_database_bytes",
                "Size of the database; its derivative is its growth.",
                {(): size},
            ),
            gauge(
                "vaultcrm_database_grown_bytes",
                "Growth of the database within so many days, where that is known.",
                {
                    (str(days),): grown
                    for days in (1, 7, 30)
                    if (grown := await database_growth(parts, connection, size, days)) is not None
                },
                "days",
            ),
            gauge(
                "vaultcrm_alerts_open",
                "Alerts that are open.",
                await alerts_sent.answer(),
                "alert",
                "severity",
            ),
        ]
    return exposition(families)


def _by_status(found: dict[str, int]) -> dict[tuple[str, ...], float]:
    states = ("pending", "sending", "failed", "uncertain")
    return {(status,): found.get(status, 0) for status in states}


def _of_today(today: Metrics) -> list[Family]:
    """Gauges that begin anew at midnight in UTC, from the same counts as the dashboard's."""
    generations, outcomes = today.generations, today.outcomes
    return [
        gauge(
            "vaultcrm_drafts_today",
            "Drafts that were made today, by what has become of them.",
            {(status.value,): count for status, count in generations.by_status.items()},
            "status",
        ),
        gauge(
            "vaultcrm_decisions_today",
            "Decisions of today.",
            {(decision.value,): count for decision, count in outcomes.decisions.items()},
            "decision",
        ),
        gauge(
            "vaultcrm_drafts_with_findings_today",
            "Drafts of today in which the content filter saw something.",
            {(): generations.with_findings},
        ),
        gauge(
            "vaultcrm_confidence_mean_today",
            "Mean confidence of today's drafts, 0 to 100.",
            {} if generations.mean_confidence is None else {(): generations.mean_confidence},
        ),
        gauge(
            "vaultcrm_messages_today",
            "Messages that were to leave today, by what has become of them.",
            {(status.value,): count for status, count in today.deliveries.items()},
            "status",
        ),
        gauge(
            "vaultcrm_cost_today_dollars",
            "What models have cost today.",
            {(): sum(one.cost_micro_usd for one in today.usage) / 1_000_000},
        ),
        gauge(
            "vaultcrm_revenue_today_minor",
            "Revenue of AI messages that were decided on today, in minor units.",
            {(currency,): minor for currency, minor in outcomes.revenue_minor.items()},
            "currency",
        ),
    ]
