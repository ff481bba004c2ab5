"""Jobs of confidence: calibrated every night, watched every ten minutes.

What fits models imports numpy and scikit-learn. It is imported when a job needs it, so that a
worker starts at once and one that never calibrates does without.
"""

from uuid import UUID

from procrastinate import App, RetryStrategy

from vaultcrm.db.jobs import CALIBRATE, CALIBRATE_CREATOR
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.watch_confidence import watch_confidence

AGAIN = RetryStrategy(max_attempts=3, wait=30)
"""Whatever is not done is done the next night."""


def register_calibration_jobs(app: App, parts: Parts) -> None:
    """Bind the jobs of confidence to their workflows."""

    @app.periodic(cron="41 2 * * *", periodic_id="calibrate")
    @app.task(name="calibrate_nightly", retry=AGAIN)
    async def nightly(timestamp: int) -> None:
        from vaultcrm.workflows.calibrate import calibrate_together  # noqa: PLC0415 -- see above

        await calibrate_together(parts)

    @app.task(name=CALIBRATE, retry=AGAIN)
    async def at_once() -> None:
        from vaultcrm.workflows.calibrate import calibrate_together  # noqa: PLC0415 -- see above

        await calibrate_together(parts, force=True)

    @app.task(name=CALIBRATE_CREATOR, retry=AGAIN)
    async def creator(creator_id: str) -> None:
        from vaultcrm.workflows.calibrate import calibrate_creator  # noqa: PLC0415 -- see above

        await calibrate_creator(parts, UUID(creator_id))

    @app.periodic(cron="*/10 * * * *", periodic_id="watch_confidence")
    @app.task(name="watch_confidence")
    async def watch(timestamp: int) -> None:
        await watch_confidence(parts)
