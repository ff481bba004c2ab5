"""What matters in a situation."""

import math
from datetime import datetime

from vaultcrm.domain.conversation import Sender
from vaultcrm.domain.situation import Activity, Situation

MESSAGES_TYPICAL = 10
PURCHASES_TYPICAL = 3
RECENCY_DAYS = 14


def engagement_score(activity: Activity, now: datetime) -> int:
    """How alive the bond is, 0-100.

        score = 100 · (0.4 · (1 − e^(−m/10)) + 0.3 · e^(−d/14) + 0.3 · (1 − e^(−p/3)))

    with m the fan's messages of the last 30 days, d the days since the fan's last message, and
    p the purchases of the last 90 days, all among the last 100 messages of the conversation. Each
    part saturates, so that no single habit decides; a fan who has never written has no recency.
    """
    messages = 1 - math.exp(-activity.fan_messages_30_days / MESSAGES_TYPICAL)
    purchases = 1 - math.exp(-activity.purchases_90_days / PURCHASES_TYPICAL)
    recency = 0.0
    if activity.last_fan_message_at is not None:
        days = max(0.0, (now - activity.last_fan_message_at).total_seconds() / 86_400)
        recency = math.exp(-days / RECENCY_DAYS)
    return round(100 * (0.4 * messages + 0.3 * recency + 0.3 * purchases))


def last_fan_text(situation: Situation) -> str:
    """What the fan wrote since the creator's last message, or the fan's last message before it."""
    texts: list[str] = []
    for message in reversed(situation.messages):
        if message.sender is Sender.FAN:
            texts.append(message.text)
        elif texts:
            break
    return "\n".join(reversed(texts))
