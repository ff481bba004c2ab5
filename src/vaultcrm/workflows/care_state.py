"""What else happens when care for a fan begins or ends, in the transaction in which it does."""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import care
from vaultcrm.domain.alerts import AlertKind, Severity, conversation_subject
from vaultcrm.domain.conversation import Care
from vaultcrm.pipeline.approval import CARE_PRIORITY
from vaultcrm.workflows.alerting import clear_alert, raise_alert
from vaultcrm.workflows.parts import Parts

_SIGNS = {
    Care.DISTRESS: "A fan may be in distress.",
    Care.POSSIBLE_MINOR: "A fan may be under 18.",
}


def begins(before: Care | None, seen: Care | None) -> bool:
    """Whether what was seen is new. That a fan may be a minor outlasts all else."""
    return seen is not None and before not in {seen, Care.POSSIBLE_MINOR}


async def care_begins(
    parts: Parts,
    connection: Connection,
    creator_id: UUID,
    conversation_id: UUID,
    why: Care,
    now: datetime,
) -> None:
    """Drafts that wait rise to the top of the queue, and an alert is open until care ends: one a
    conversation. Offers among them wait too, so that a person comes to the fan; they cannot go out
    as they are.

    The caller has noted the state of care, and so holds the conversation's row.
    """
    await care.raise_drafts(connection, creator_id, conversation_id, why, CARE_PRIORITY)
    await raise_alert(
        parts,
        connection,
        AlertKind.FAN_NEEDS_CARE,
        Severity.CRITICAL,
        f"{_SIGNS[why]} Selling and automatic sending are stopped in their conversation. "
        "Read it, see that somebody answers, and end it there when it is over.",
        {"care": why.value, "conversation": str(conversation_id)},
        now,
        subject=conversation_subject(creator_id, conversation_id),
    )


async def care_ends(
    parts: Parts, connection: Connection, creator_id: UUID, conversation_id: UUID, now: datetime
) -> None:
    """Drafts that still wait take their place among the others, and the alert is over."""
    await care.lower_drafts(connection, creator_id, conversation_id, CARE_PRIORITY)
    await clear_alert(
        parts,
        connection,
        AlertKind.FAN_NEEDS_CARE,
        now,
        subject=conversation_subject(creator_id, conversation_id),
    )
