"""What a platform that speaks Standard Webhooks tells us, signed as it would sign it."""

import json
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from vaultcrm.domain.ids import new_id

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_b3RoZXIgc2VjcmV0IG9mIGVub3VnaCBieXRlcyE="


def message_event(
    text: str = "Hey, how are you?", *, fan: str = "tom88", event_id: str = "", **message: str
) -> dict[str, Any]:
    """A fan's message; `message` overrides its fields."""
    return {
        "type": "message.created",
        "id": event_id or f"evt-{new_id().hex}",
        "data": {
            "fan": {"handle": fan, "displayName": fan.title()},
            "conversation": f"chat-{fan}",
            "message": {
                "id": f"m-{new_id().hex}",
                "text": text,
                "sentAt": datetime.now(UTC).isoformat(),
                **message,
            },
        },
    }


def purchase_event(
    message_id: str, minor: int, *, fan: str = "tom88", currency: str = "USD"
) -> dict[str, Any]:
    """A fan buys what a message offered."""
    return {
        "type": "purchase.created",
        "id": f"evt-{new_id().hex}",
        "data": {
            "fan": {"handle": fan},
            "conversation": f"chat-{fan}",
            "purchase": {
                "messageId": message_id,
                "amountMinor": minor,
                "currency": currency,
                "purchasedAt": datetime.now(UTC).isoformat(),
            },
        },
    }


def signed(
    event: dict[str, Any], *, secret: str = SECRET, at: datetime | None = None
) -> tuple[bytes, dict[str, str]]:
    """The bytes of an event and the headers that vouch for them."""
    body = json.dumps(event)
    at = at or datetime.now(UTC)
    return body.encode(), {
        "webhook-id": event["id"],
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event["id"], at, body),
    }
