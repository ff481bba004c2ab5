"""Webhooks of a creator's own account are worked through beside each other."""

import asyncio
from pathlib import Path

import pytest

from tests.support.accounts import connected
from tests.support.app import running_app
from tests.support.fixtures import settings
from tests.support.webhooks import OTHER_SECRET, message_event, signed
from tests.support.world import rows, sign_in
from vaultcrm.domain.people import Role
from vaultcrm.workflows.receive_message import accept_webhook, process_webhook

pytestmark = pytest.mark.anyio

CONNECTIONS = 2
PATIENCE_SECONDS = 15
"""Less than the pool's own patience, after which a webhook that got no connection fails."""


async def test_more_webhooks_at_once_than_there_are_connections_do_not_wait_for_each_other(
    database_url: str, home: Path
) -> None:
    small = settings(database_url, home, database_pool_size=CONNECTIONS)
    async with running_app(small) as app:
        manager = await sign_in(app, Role.MANAGER)
        await connected(manager, "webhook")
        for number in range(2 * CONNECTIONS):
            event = message_event(f"Message number {number}", fan=f"fan{number}")
            body, headers = signed(event, secret=OTHER_SECRET)
            assert await accept_webhook(app.parts, "webhook", "mia", headers, body)
        kept = await rows(app, "SELECT creator_id, id FROM inbound_events")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(
                *(process_webhook(app.parts, row["creator_id"], row["id"]) for row in kept)
            )
        stored = await rows(app, "SELECT text FROM messages ORDER BY text")
        assert [row["text"] for row in stored] == [
            f"Message number {number}" for number in range(2 * CONNECTIONS)
        ]
