"""Jobs of the audit log: sealed every minute, looked through every night."""

from uuid import UUID

from procrastinate import App, RetryStrategy

from vaultcrm.db.jobs import SEAL_AUDIT, VERIFY_AUDIT
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.seal_audit import ask_for_checks, ask_for_seals, seal_audit
from vaultcrm.workflows.verify_audit import verify_and_tell

AGAIN = RetryStrategy(max_attempts=3, wait=5)
"""Whatever is not done is found again by the next job of the clock."""


def register_audit_jobs(app: App, parts: Parts) -> None:
    """Bind the jobs of the audit log to their workflows."""

    @app.periodic(cron="* * * * *", periodic_id="seal_audit")
    @app.task(name="ask_for_seals")
    async def look(timestamp: int) -> None:
        await ask_for_seals(parts)

    @app.periodic(cron="17 3 * * *", periodic_id="verify_audit")
    @app.task(name="ask_for_checks")
    async def check(timestamp: int) -> None:
        await ask_for_checks(parts)

    @app.task(name=SEAL_AUDIT, retry=AGAIN)
    async def seal(creator_id: str) -> None:
        await seal_audit(parts, UUID(creator_id))

    @app.task(name=VERIFY_AUDIT, retry=AGAIN)
    async def verify(creator_id: str) -> None:
        await verify_and_tell(parts, UUID(creator_id))
