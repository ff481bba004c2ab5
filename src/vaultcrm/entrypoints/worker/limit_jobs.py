"""Jobs of limits: what dead processes hold is given back."""

from procrastinate import App

from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.reserve import expire_reservations


def register_limit_jobs(app: App, parts: Parts) -> None:
    """Bind the jobs of limits to their workflows."""

    @app.periodic(cron="* * * * *", periodic_id="expire_reservations")
    @app.task(name="expire_reservations")
    async def expire(timestamp: int) -> None:
        await expire_reservations(parts)
