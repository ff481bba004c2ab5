"""Jobs of the weekly learning: asked for every night, one a creator, so that workers share them."""

from uuid import UUID

from procrastinate import App, RetryStrategy

from vaultcrm.db.jobs import LEARN
from vaultcrm.workflows.learn_weekly import ask_to_learn, learn_one
from vaultcrm.workflows.parts import Parts

_AGAIN = RetryStrategy(max_attempts=4, exponential_wait=30)
"""What is not done then is found again by the next night's job."""


def register_learning_jobs(app: App, parts: Parts) -> None:
    """Bind them to their workflows."""

    @app.periodic(cron="23 4 * * *", periodic_id="learn")
    @app.task(name="ask_to_learn")
    async def ask(timestamp: int) -> None:
        await ask_to_learn(parts)

    @app.task(name=LEARN, retry=_AGAIN)
    async def learn(creator_id: str) -> None:
        await learn_one(parts, UUID(creator_id))
