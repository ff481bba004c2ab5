"""Accounts on platforms as a manager would connect them; nothing calls them unless a test does."""

from typing import Any

from tests.support.webhooks import OTHER_SECRET
from tests.support.world import SignedIn

ACCOUNTS: dict[str, dict[str, Any]] = {
    "webhook": {"secret": OTHER_SECRET, "targetUrl": "http://127.0.0.1:9/messages"},
    "telegram": {
        "botToken": "123456789:AAtHe-token-of-a-bot-that-nobody-has",
        "webhookSecret": "a-webhook-secret-of-telegrams",
        "baseUrl": "http://127.0.0.1:9",
    },
    "fanvue": {
        "creatorUuid": "01890a5d-ac96-774b-bcce-b302099a8057",
        "clientId": "the-app",
        "clientSecret": "the-secret-of-the-app-itself",
        "webhookSecret": "a-webhook-secret-of-fanvues",
        "accessToken": "an-access-token-of-fanvues",
        "refreshToken": "a-refresh-token-of-fanvues",
        "expiresAt": "2030-01-01T00:00:00Z",
        "baseUrl": "http://127.0.0.1:9",
    },
    "chatwoot": {
        "accountId": 7,
        "inboxId": 3,
        "apiAccessToken": "an-access-token-of-chatwoots",
        "webhookSecret": "a-webhook-secret-of-chatwoots",
        "baseUrl": "http://127.0.0.1:9",
    },
}
"""Good settings for each kind of account."""

SECRETS: dict[str, tuple[str, ...]] = {
    "webhook": ("secret",),
    "telegram": ("botToken", "webhookSecret"),
    "fanvue": ("clientSecret", "webhookSecret", "accessToken", "refreshToken", "expiresAt"),
    "chatwoot": ("apiAccessToken", "webhookSecret"),
}
"""Which of them may never be shown."""


def account(channel: str, creator_id: str, **more: Any) -> dict[str, Any]:
    """The body that connects an account."""
    return {"creatorId": creator_id, "channel": channel, "settings": ACCOUNTS[channel], **more}


async def connected(caller: SignedIn, channel: str, creator: str = "mia", **more: Any) -> str:
    """The id of a new creator with an account."""
    made = await caller.made("/api/creators", {"handle": creator, "displayName": creator.title()})
    await caller.made("/api/channels", account(channel, made["id"], **more))
    return str(made["id"])
