"""Other systems hear of what happened: signed, at least once, and under an id that stays."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg.errors import DivisionByZero, UniqueViolation

from tests.support.app import RunningApp
from tests.support.receiver import DROP, Receiver, serve_receiver
from tests.support.worker import run_jobs
from tests.support.world import jobs, rows
from vaultcrm.adapters.events import WebhookEvents
from vaultcrm.db.queries import events
from vaultcrm.domain.alerts import AlertKind, Severity
from vaultcrm.domain.events import (
    EventDeliveryStatus,
    OutboundEvent,
    OutboundEventKind,
    alert_raised,
)
from vaultcrm.domain.ids import NIL, new_id
from vaultcrm.pipeline.delivery.events import RETRY_AFTER
from vaultcrm.workflows.announce import announce
from vaultcrm.workflows.deliver_events import HELD, OVERDUE, deliver_events, deliver_overdue
from vaultcrm.workflows.parts import Parts

pytestmark = pytest.mark.anyio

MIA = new_id()
THEO = new_id()
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serve_receiver() as served:
        yield served


def queued(creator_id: UUID = MIA, **changes: Any) -> OutboundEvent:
    return OutboundEvent(
        OutboundEventKind.GENERATION_QUEUED,
        creator_id,
        changes.pop("at", NOON),
        {"generationId": "g-1", "confidence": 70},
        {"message": "Hey Tom, “how” are you? 🦄"},
        **changes,
    )


async def endpoint(
    app: RunningApp,
    receiver: Receiver,
    *,
    creator_id: UUID = NIL,
    kinds: tuple[OutboundEventKind, ...] = (OutboundEventKind.GENERATION_QUEUED,),
    include_text: bool = False,
) -> UUID:
    """An endpoint that the receiver stands behind; its secret is the receiver's from now on."""
    receiver.secret = receiver.secret or "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    endpoint_id = new_id()
    async with app.parts.transaction() as connection:
        await events.add_endpoint(
            connection,
            creator_id=creator_id,
            endpoint_id=endpoint_id,
            number=await events.next_number(connection),
            url=receiver.url,
            secret=receiver.secret,
            kinds=kinds,
            include_text=include_text,
            user_id=new_id(),
            now=NOON,
        )
    return endpoint_id


async def emitted(app: RunningApp, event: OutboundEvent) -> OutboundEvent:
    async with app.parts.transaction() as connection:
        await announce(app.parts, connection, event)
    return event


async def deliveries(app: RunningApp) -> list[dict[str, Any]]:
    return await rows(app, "SELECT * FROM event_deliveries ORDER BY creator_id, id")


async def the_delivery(app: RunningApp) -> dict[str, Any]:
    [found] = await deliveries(app)
    return found


def at(parts: Parts, moment: datetime) -> Parts:
    """The same parts with a clock that stands at a moment."""
    return replace(parts, now=lambda: moment)


async def attempt(app: RunningApp, event: OutboundEvent, moment: datetime) -> datetime | None:
    return await deliver_events(at(app.parts, moment), event.creator_id, event.id)


async def test_an_event_reaches_an_endpoint_signed_and_is_then_delivered(
    app: RunningApp, receiver: Receiver
) -> None:
    await endpoint(app, receiver)
    event = await emitted(app, queued(at=app.parts.now()))

    await run_jobs(app)

    [call] = receiver.heard
    assert call.verified
    assert call.event == event.body()
    assert call.event["data"] == {
        "creatorId": str(MIA),
        "generationId": "g-1",
        "confidence": 70,
    }
    delivery = await the_delivery(app)
    assert (delivery["status"], delivery["attempts"]) == ("delivered", 1)
    assert call.id == str(delivery["id"])
    assert delivery["delivered_at"] is not None
    assert await jobs(app, "deliver_events") == []


async def test_what_people_and_models_wrote_is_told_only_to_endpoints_that_ask_for_it(
    app: RunningApp, receiver: Receiver
) -> None:
    with serve_receiver() as other:
        await endpoint(app, receiver)
        await endpoint(app, other, include_text=True)
        await emitted(app, queued(at=app.parts.now()))
        await run_jobs(app)

        [without], [with_text] = receiver.events, other.events
    assert with_text["data"] == {**without["data"], "message": "Hey Tom, “how” are you? 🦄"}
    assert with_text["id"] == without["id"]


async def test_an_endpoint_hears_its_creator_its_kinds_and_nothing_else(
    app: RunningApp,
) -> None:
    with ExitStack() as stack:
        of_mia, of_all, of_alerts = (stack.enter_context(serve_receiver()) for _ in range(3))
        await endpoint(app, of_mia, creator_id=MIA)
        await endpoint(app, of_all, kinds=tuple(OutboundEventKind))
        await endpoint(app, of_alerts, kinds=(OutboundEventKind.ALERT_RAISED,))

        now = app.parts.now()
        alert = alert_raised(
            new_id(), AlertKind.UNKNOWN_MODEL, Severity.WARNING, "model/x", "Dear.", now
        )
        await emitted(app, queued(MIA, at=now))
        await emitted(app, queued(THEO, at=now))
        await emitted(app, alert)
        await run_jobs(app)

        assert [event["data"]["creatorId"] for event in of_mia.events] == [str(MIA)]
        told = sorted((event["type"], event["data"]["creatorId"] or "") for event in of_all.events)
        assert told == sorted(
            [
                ("alert.raised", ""),
                ("generation.queued", str(MIA)),
                ("generation.queued", str(THEO)),
            ]
        )
        assert of_alerts.kinds == ["alert.raised"]


async def test_what_is_rolled_back_is_told_to_nobody(app: RunningApp, receiver: Receiver) -> None:
    await endpoint(app, receiver)

    async def work_that_fails() -> None:
        async with app.parts.transaction() as connection:
            await announce(app.parts, connection, queued())
            raise RuntimeError("the business failed")

    with pytest.raises(RuntimeError):
        await work_that_fails()
    await run_jobs(app)

    assert (receiver.heard, await deliveries(app)) == ([], [])
    assert await jobs(app, "deliver_events") == []


async def test_an_event_may_be_written_in_a_batch_and_shares_its_fate(
    app: RunningApp, receiver: Receiver
) -> None:
    await endpoint(app, receiver)
    lost, kept = queued(at=app.parts.now()), queued(at=app.parts.now())

    async def batch_that_fails() -> None:
        async with app.parts.batch() as connection:
            await announce(app.parts, connection, lost)
            await connection.execute("SELECT 1 / 0")

    with pytest.raises(DivisionByZero):
        await batch_that_fails()
    async with app.parts.batch() as connection:
        await announce(app.parts, connection, kept)

    await run_jobs(app)

    assert [event["id"] for event in receiver.events] == [str(kept.id)]


async def test_without_endpoints_an_event_leaves_no_trace(app: RunningApp) -> None:
    await emitted(app, queued())
    assert await deliveries(app) == []
    assert await jobs(app, "deliver_events") == []


async def test_each_delivery_has_an_id_of_its_own_that_sorts_by_time(app: RunningApp) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            await endpoint(app, stack.enter_context(serve_receiver()))
        first, second = await emitted(app, queued()), await emitted(app, queued())
    found = await deliveries(app)
    ids = [delivery["id"] for delivery in found]
    assert len(set(ids)) == 6
    assert {(one.version, one.variant) for one in ids} == {(7, first.id.variant)}
    assert [delivery["event_id"] for delivery in found] == [first.id] * 3 + [second.id] * 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (400, "It answered 400."),
        (401, "It answered 401."),
        (404, "It answered 404."),
        (429, "It answered 429."),
        (500, "It answered 500."),
        (503, "It answered 503."),
        (DROP, "The connection was lost before it had answered."),
    ],
)
async def test_a_refusal_is_written_down_and_tried_again_under_the_same_id(
    app: RunningApp, receiver: Receiver, answer: int, said: str
) -> None:
    receiver.answers = [answer, 200]
    await endpoint(app, receiver)
    event = await emitted(app, queued())

    again_at = await attempt(app, event, NOON)
    failed = await the_delivery(app)
    too_early = await attempt(app, event, NOON + timedelta(seconds=4))
    in_time = await attempt(app, event, NOON + timedelta(seconds=5))

    assert (failed["status"], failed["last_error"]) == ("pending", said)
    assert again_at == too_early == NOON + timedelta(seconds=5)
    assert in_time is None
    first, second = receiver.heard
    assert (first.id, first.body) == (second.id, second.body)
    assert (await the_delivery(app))["status"] == "delivered"


async def test_a_redirect_is_not_followed(app: RunningApp, receiver: Receiver) -> None:
    with serve_receiver() as elsewhere:
        receiver.answers, receiver.headers = [307], {"location": elsewhere.url}
        await endpoint(app, receiver)
        await attempt(app, await emitted(app, queued()), NOON)
        assert elsewhere.heard == []
    assert (await the_delivery(app))["last_error"] == "It answered 307."


async def test_an_endpoint_that_nobody_is_behind_is_tried_again(
    app: RunningApp, receiver: Receiver
) -> None:
    with serve_receiver() as gone:
        await endpoint(app, gone)
    event = await emitted(app, queued())
    again_at = await attempt(app, event, NOON)
    assert again_at == NOON + RETRY_AFTER[0]
    assert (await the_delivery(app))["last_error"] == "It could not be reached."


async def test_an_endpoint_that_hangs_is_given_up_and_tried_again(
    app: RunningApp, receiver: Receiver
) -> None:
    receiver.open.clear()
    await endpoint(app, receiver)
    event = await emitted(app, queued())
    hasty = replace(at(app.parts, NOON), event_sender=WebhookEvents(timeout_seconds=0.2))

    again_at = await deliver_events(hasty, MIA, event.id)
    receiver.open.set()
    await hasty.event_sender.aclose()

    assert again_at == NOON + RETRY_AFTER[0]
    delivery = await the_delivery(app)
    assert delivery["last_error"] == "It did not answer within 0.2 seconds."


async def test_a_signature_with_another_secret_is_refused_by_the_receiver(
    app: RunningApp, receiver: Receiver
) -> None:
    await endpoint(app, receiver)
    receiver.secret = "whsec_b3RoZXIgc2VjcmV0IG9mIGVub3VnaCBieXRlcyE="
    await attempt(app, await emitted(app, queued()), NOON)
    assert [call.verified for call in receiver.heard] == [False]
    assert (await the_delivery(app))["last_error"] == "It answered 401."


async def test_the_waits_grow_and_after_the_last_attempt_the_delivery_is_dead(
    app: RunningApp, receiver: Receiver
) -> None:
    receiver.answers = [500]
    await endpoint(app, receiver)
    event = await emitted(app, queued())

    moment, waits = NOON, []
    while (again_at := await attempt(app, event, moment)) is not None:
        waits.append(again_at - moment)
        moment = again_at

    assert [wait.total_seconds() for wait in waits] == [5, 30, 120, 600, 3600, 21600, 86400]
    assert len(receiver.heard) == 8
    assert len({call.id for call in receiver.heard}) == 1
    delivery = await the_delivery(app)
    assert (delivery["status"], delivery["attempts"]) == ("dead", 8)
    assert await attempt(app, event, moment + timedelta(days=30)) is None
    assert len(receiver.heard) == 8


async def test_one_endpoint_that_fails_keeps_no_other_waiting(
    app: RunningApp, receiver: Receiver
) -> None:
    with serve_receiver() as well:
        receiver.answers = [500]
        await endpoint(app, receiver)
        await endpoint(app, well)
        event = await emitted(app, queued())
        for moment in (NOON, NOON + RETRY_AFTER[0]):
            await attempt(app, event, moment)
        assert (len(receiver.heard), len(well.heard)) == (2, 1)
    statuses = {row["status"] for row in await deliveries(app)}
    assert statuses == {"pending", "delivered"}


async def test_an_endpoint_that_answers_410_is_disabled_and_hears_no_more(
    app: RunningApp, receiver: Receiver
) -> None:
    receiver.answers = [410]
    endpoint_id = await endpoint(app, receiver)
    event, waiting = await emitted(app, queued()), await emitted(app, queued())

    assert await attempt(app, event, NOON) is None
    await emitted(app, queued())
    assert await attempt(app, waiting, NOON) is None

    assert len(receiver.heard) == 1
    [row] = await rows(app, "SELECT * FROM event_endpoints")
    assert row["disabled_at"] == NOON
    gone, stopped = await deliveries(app)
    reason = "It answered 410: it wants no more events."
    assert (gone["status"], gone["last_error"]) == ("dead", reason)
    assert stopped["status"] == "dead"
    assert stopped["last_error"] == f"The endpoint is disabled: {reason}"
    [trace] = await rows(app, "SELECT * FROM audit_log WHERE action = 'event_endpoint.disabled'")
    assert (trace["subject_id"], trace["actor_id"]) == (str(endpoint_id), None)


async def test_what_was_being_told_when_a_process_died_is_told_again_under_the_same_id(
    app: RunningApp, receiver: Receiver
) -> None:
    """The process has taken the delivery, called, and never come back to write that down."""
    await endpoint(app, receiver)
    event = await emitted(app, queued())
    async with app.parts.pool.connection() as connection:
        [taken] = await events.take(connection, MIA, event.id, now=NOON, held_until=NOON + HELD)

    while_held = await attempt(app, event, NOON + timedelta(seconds=1))
    heard_while_held = len(receiver.heard)
    after = await attempt(app, event, NOON + HELD)

    assert (while_held, heard_while_held) == (NOON + HELD, 0)
    assert after is None
    assert [call.id for call in receiver.heard] == [str(taken.id)]
    assert (await the_delivery(app))["attempts"] == 2


async def test_an_attempt_that_comes_back_too_late_changes_nothing(
    app: RunningApp, receiver: Receiver
) -> None:
    receiver.answers = [500]
    await endpoint(app, receiver)
    event = await emitted(app, queued())
    async with app.parts.pool.connection() as connection:
        [late] = await events.take(connection, MIA, event.id, now=NOON, held_until=NOON + HELD)
    await attempt(app, event, NOON + HELD)
    before = await the_delivery(app)
    async with app.parts.pool.connection() as connection:
        closed = await events.close(
            connection, late, EventDeliveryStatus.DELIVERED, now=NOON + 2 * HELD
        )
    assert not closed
    assert await the_delivery(app) == before


async def test_two_workers_at_once_tell_an_event_once(app: RunningApp, receiver: Receiver) -> None:
    await endpoint(app, receiver)
    event = await emitted(app, queued())
    await asyncio.gather(*(attempt(app, event, NOON) for _ in range(5)))
    assert len(receiver.heard) == 1


async def test_an_event_whose_job_is_lost_is_told_all_the_same(
    app: RunningApp, receiver: Receiver
) -> None:
    await endpoint(app, receiver)
    for creator_id in (MIA, THEO, MIA):
        await emitted(app, queued(creator_id))
    await rows(app, "DELETE FROM procrastinate_jobs")

    soon = await deliver_overdue(at(app.parts, NOON + OVERDUE / 2))
    later = await deliver_overdue(at(app.parts, NOON + OVERDUE))
    again = await deliver_overdue(at(app.parts, NOON + 2 * OVERDUE))

    assert (soon, later, again) == (0, 3, 0)
    assert len(receiver.heard) == 3


async def test_the_longest_overdue_is_told_first_and_no_more_at_once_than_asked_for(
    app: RunningApp, receiver: Receiver
) -> None:
    await endpoint(app, receiver)
    told = [
        await emitted(app, queued(at=NOON - timedelta(minutes=minutes))) for minutes in (1, 3, 2)
    ]
    async with app.parts.pool.connection() as connection:
        found = await events.due(connection, NOON, 2)
    assert found == [(MIA, told[1].id), (MIA, told[2].id)]


async def test_a_worker_retries_by_itself(app: RunningApp, receiver: Receiver) -> None:
    receiver.answers = [500, 200]
    await endpoint(app, receiver)
    await emitted(app, queued(at=app.parts.now()))
    await run_jobs(app)
    [waiting] = await jobs(app, "deliver_events")
    assert waiting["scheduled_at"] == (await the_delivery(app))["next_attempt_at"]
    assert waiting["queue_name"] == "events"

    await rows(app, "UPDATE event_deliveries SET next_attempt_at = created_at")
    await rows(app, "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'")
    await run_jobs(app)

    assert len(receiver.heard) == 2
    assert await jobs(app, "deliver_events") == []
    assert (await the_delivery(app))["status"] == "delivered"


async def test_the_same_event_cannot_be_written_twice(app: RunningApp, receiver: Receiver) -> None:
    await endpoint(app, receiver)
    event = await emitted(app, queued())
    with pytest.raises(UniqueViolation):
        await emitted(app, event)
