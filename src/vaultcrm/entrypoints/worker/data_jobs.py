"""Jobs that look after what is kept: erasing fans, and removing what is older than it is kept."""

from uuid import UUID

from procrastinate import App, RetryStrategy

from vaultcrm.db.jobs import ERASE_FAN
from vaultcrm.workflows.erase_fan import carry_on, continue_erasures
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.prune import prune

_PATIENCE = RetryStrategy(max_attempts=12, exponential_wait=2)


def register_data_jobs(app: App, parts: Parts) -> None:
    """Bind them to their workflows."""

    @app.task(name=ERASE_FAN, retry=_PATIENCE)
    async def erase(creator_id: str, erasure_id: str) -> None:
        await carry_on(parts, UUID(creator_id), UUID(erasure_id))

    @app.periodic(cron="*/5 * * * *", periodic_id="erasures")
    @app.task(name="continue_erasures")
    async def go_on_erasing(timestamp: int) -> None:
        await continue_erasures(parts)

    @app.periodic(cron="17 * * * *", periodic_id="prune")
    @app.task(name="prune")
    async def remove_old_rows(timestamp: int) -> None:
        await prune(parts)
