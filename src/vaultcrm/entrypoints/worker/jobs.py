"""Jobs: names of `vaultcrm.db.jobs` bound to workflows. Any number of workers share the work.

A job that fails is tried again with growing waits; a job whose worker died is found by its missing
heartbeat and run again, which is safe because every workflow here may run twice.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from procrastinate import App, BaseRetryStrategy, JobContext, RetryDecision, RetryStrategy
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job

from vaultcrm.db.jobs import (
    ANSWER_FAN,
    DELIVER_EVENTS,
    DELIVER_MESSAGE,
    EVENTS_QUEUE,
    FAN_REACTS,
    MAIL_ALERT,
    PROCESS_INBOUND,
)
from vaultcrm.domain.errors import LimitExceeded
from vaultcrm.domain.generation import DeliveryStatus, GenerationType
from vaultcrm.entrypoints.worker.audit_jobs import register_audit_jobs
from vaultcrm.entrypoints.worker.calibration_jobs import register_calibration_jobs
from vaultcrm.entrypoints.worker.data_jobs import register_data_jobs
from vaultcrm.entrypoints.worker.experiment_jobs import register_experiment_jobs
from vaultcrm.entrypoints.worker.learning_jobs import register_learning_jobs
from vaultcrm.entrypoints.worker.limit_jobs import register_limit_jobs
from vaultcrm.entrypoints.worker.outcome_jobs import register_outcome_jobs
from vaultcrm.workflows.answer_fan import answer_fan
from vaultcrm.workflows.deliver_events import deliver_events, deliver_overdue
from vaultcrm.workflows.deliver_message import Delivery, deliver_message
from vaultcrm.workflows.note_refusal import note_refusal
from vaultcrm.workflows.observe import forget_old
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.read_system import note_size
from vaultcrm.workflows.receive_message import process_webhook
from vaultcrm.workflows.recover import recover_lost_work
from vaultcrm.workflows.roll_up import roll_up
from vaultcrm.workflows.simulate_fan import fan_opens, fan_reacts
from vaultcrm.workflows.watch import mail_alert, watch
from vaultcrm.workflows.work_queue import escalate

PATIENCE = RetryStrategy(max_attempts=12, exponential_wait=2)
"""2, 4, 8 … seconds, over two hours in all."""


class NotYet(Exception):  # no error: the message's time has not come
    """The job must run again at `at`."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        super().__init__(f"not before {at.isoformat()}")


class InPlace(BaseRetryStrategy):
    """A message that must wait keeps its job, and so its place before the conversation's later
    ones: the queue runs jobs of one lock in the order in which they were deferred.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, NotYet):
            return RetryDecision(retry_at=exception.at)
        return PATIENCE.get_retry_decision(exception=exception, job=job)


FAN_READS_FOR = timedelta(seconds=6)
"""How long a simulated fan takes before doing anything about a message."""


def register_jobs(app: App, parts: Parts) -> None:
    """Bind every job to its workflow."""
    recovery = _every(parts.settings.recovery_every_seconds)
    register_audit_jobs(app, parts)
    register_calibration_jobs(app, parts)
    register_data_jobs(app, parts)
    register_learning_jobs(app, parts)
    register_experiment_jobs(app, parts)
    register_outcome_jobs(app, parts)
    register_limit_jobs(app, parts)

    @app.task(name=DELIVER_MESSAGE, retry=InPlace())
    async def deliver(creator_id: str, item_id: str) -> None:
        delivery = await deliver_message(parts, UUID(creator_id), UUID(item_id))
        if delivery is None:
            return
        if delivery.retry_at is not None:
            raise NotYet(delivery.retry_at)
        await _let_the_fan_react(parts, delivery)

    @app.task(name=PROCESS_INBOUND, retry=PATIENCE)
    async def process_inbound(creator_id: str, row_id: str) -> None:
        await process_webhook(parts, UUID(creator_id), UUID(row_id))

    @app.task(name=ANSWER_FAN, retry=PATIENCE)
    async def answer(creator_id: str, conversation_id: str, generation_type: str) -> None:
        await _answer(parts, UUID(creator_id), UUID(conversation_id), generation_type)

    @app.task(name=FAN_REACTS, retry=PATIENCE)
    async def reacts(creator_id: str, item_id: str) -> None:
        await fan_reacts(parts, UUID(creator_id), UUID(item_id))

    @app.task(name=DELIVER_EVENTS, queue=EVENTS_QUEUE, retry=InPlace())
    async def tell(creator_id: str, event_id: str) -> None:
        again_at = await deliver_events(parts, UUID(creator_id), UUID(event_id))
        if again_at is not None:
            raise NotYet(again_at)

    @app.periodic(cron="* * * * *", periodic_id="overdue_events")
    @app.task(name="deliver_overdue_events", queue=EVENTS_QUEUE)
    async def tell_overdue(timestamp: int) -> None:
        await deliver_overdue(parts)

    @app.periodic(cron=recovery, periodic_id="rescue")
    @app.task(name="rescue_stalled_jobs", pass_context=True)
    async def rescue(context: JobContext, timestamp: int) -> None:
        manager = context.app.job_manager
        stalled = await manager.get_stalled_jobs(
            seconds_since_heartbeat=parts.settings.worker_stalled_seconds
        )
        for job in stalled:
            # Another worker may have been faster; whoever waits behind this one must not wait on.
            with suppress(ConnectorException):
                await manager.retry_job(job)

    @app.periodic(cron="* * * * *", periodic_id="escalate")
    @app.task(name="escalate_waiting_drafts")
    async def escalate_drafts(timestamp: int) -> None:
        await escalate(parts)

    @app.task(name=MAIL_ALERT, queue=EVENTS_QUEUE, retry=PATIENCE)
    async def tell_by_mail(alert_id: str) -> None:
        await mail_alert(parts, UUID(alert_id))

    @app.periodic(cron="* * * * *", periodic_id="watch")
    @app.task(name="watch_conditions")
    async def watch_conditions(timestamp: int) -> None:
        await watch(parts)

    @app.periodic(cron="17 * * * *", periodic_id="forget_observations")
    @app.task(name="forget_observations")
    async def forget(timestamp: int) -> None:
        await forget_old(parts)
        await note_size(parts)

    @app.periodic(cron="* * * * *", periodic_id="roll_up")
    @app.task(name="roll_up_metrics")
    async def roll_metrics_up(timestamp: int) -> None:
        await roll_up(parts)

    @app.periodic(cron=recovery, periodic_id="recover")
    @app.task(name="recover_lost_work")
    async def recover(timestamp: int) -> None:
        await recover_lost_work(parts)

    if parts.settings.simulated_fans:

        @app.periodic(cron=_every(15), periodic_id="fans")
        @app.task(name="simulated_fans_write")
        async def fans_write(timestamp: int) -> None:
            await fan_opens(parts, seed=timestamp)


def _every(seconds: int) -> str:
    """A schedule in cron's words, the last of them for seconds."""
    return f"* * * * * */{seconds}" if seconds < 60 else "* * * * *"


async def _answer(
    parts: Parts, creator_id: UUID, conversation_id: UUID, generation_type: str
) -> None:
    """Answer a fan. A limit that refuses it goes into the audit log, once an hour."""
    try:
        await answer_fan(parts, creator_id, conversation_id, GenerationType(generation_type))
    except LimitExceeded as refused:
        await note_refusal(
            parts, refused, user_id=None, creator_id=creator_id, asked_for="an automatic draft"
        )
        raise


async def _let_the_fan_react(parts: Parts, delivery: Delivery) -> None:
    """Simulated fans answer what reaches them."""
    if (
        parts.settings.simulated_fans
        and delivery.channel == "simulator"
        and delivery.status is DeliveryStatus.SENT
    ):
        async with parts.transaction() as connection:
            await parts.jobs.defer(
                connection,
                FAN_REACTS,
                at=parts.now() + FAN_READS_FOR,
                creator_id=str(delivery.item.creator_id),
                item_id=str(delivery.item.id),
            )
