"""The job of A/B tests: every quarter of an hour what they have come to is brought up to date."""

from procrastinate import App

from vaultcrm.workflows.evaluate_ab_tests import evaluate_ab_tests
from vaultcrm.workflows.parts import Parts


def register_experiment_jobs(app: App, parts: Parts) -> None:
    """Bind it to its workflow."""

    @app.periodic(cron="*/15 * * * *", periodic_id="evaluate_ab_tests")
    @app.task(name="evaluate_ab_tests")
    async def evaluate(timestamp: int) -> None:
        await evaluate_ab_tests(parts)
