"""One ordinary situation, the same for every measurement."""

from typing import Any

MODEL = "claude-sonnet-5-5"

CONVERSATION = {
    "creator": {"handle": "nova", "displayName": "Nova"},
    "fan": {
        "handle": "marcus",
        "displayName": "Marcus",
        "lifetimeValueMinor": 2000,
        "currency": "USD",
        "disclosedAt": "2026-10-01T09:00:00Z",
    },
    "channel": "simulator",
    "messages": [
        {
            "id": f"m{number}",
            "from": "fan" if number % 2 == 0 else "creator",
            "text": (
                "went up the ridge again this weekend, the light was unreal up there"
                if number % 2 == 0
                else "That made my evening. Which part of the climb? I still owe myself that ridge."
            ),
            "sentAt": f"2026-11-20T{8 + number // 2:02d}:{number % 2 * 30:02d}:00Z",
        }
        for number in range(11)
    ],
}

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
