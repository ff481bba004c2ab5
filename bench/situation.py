"""One ordinary situation, the same for every measurement."""

from datetime import UTC, datetime, timedelta
from typing import Any

MODEL = "claude-sonnet-5-5"
_LATELY = (datetime.now(UTC) - timedelta(days=1)).isoformat()
"""A disclosure that is due again would be another situation."""

CONVERSATIONS = 50
"""So many fans of one creator, by turns: one conversation would grow without end."""


def conversation(number: int) -> dict[str, Any]:
    """One fan's conversation, as `vaultcrm import` takes it."""
    return {
        "creator": {"handle": "nova", "displayName": "Nova"},
        "fan": {
            "handle": f"marcus{number}",
            "displayName": "Marcus",
            "lifetimeValueMinor": 2000,
            "currency": "USD",
            "disclosedAt": _LATELY,
        },
        "channel": "simulator",
        "messages": [
            {
                "id": f"m{place}",
                "from": "fan" if place % 2 == 0 else "creator",
                "text": TEXTS[place % 2],
                "sentAt": f"2026-11-20T{8 + place // 2:02d}:{place % 2 * 30:02d}:00Z",
            }
            for place in range(11)
        ],
    }


TEXTS = (
    "went up the ridge again this weekend, the light was unreal up there",
    "That made my evening. Which part of the climb? I still owe myself that ridge.",
)
_SYSTEM = (
    "You draft messages for a creator. Answer what the fan wrote last in one to three sentences. "
) * 40
_TURN = "The fan: went up the ridge again this weekend, the light was unreal up there. " * 12

BARE_REQUEST: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 512,
    "system": [{"type": "text", "text": _SYSTEM, "cache_control": {"type": "ephemeral"}}],
    "messages": [{"role": "user", "content": _TURN}],
}
"""A prompt as long as ours, and no more than one call needs."""
