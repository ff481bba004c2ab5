"""Jobs that look at what messages did, and at how long people were at their work."""

from procrastinate import App

from vaultcrm.workflows.attribute_outcomes import attribute_outcomes
from vaultcrm.workflows.measure_work import measure_work
from vaultcrm.workflows.parts import Parts


def register_outcome_jobs(app: App, parts: Parts) -> None:
    """Bind them to their workflows."""

    @app.periodic(cron="* * * * *", periodic_id="attribute_outcomes")
    @app.task(name="attribute_outcomes")
    async def attribute(timestamp: int) -> None:
        await attribute_outcomes(parts)

    @app.periodic(cron="*/5 * * * *", periodic_id="measure_work")
    @app.task(name="measure_work")
    async def measure(timestamp: int) -> None:
        await measure_work(parts)
