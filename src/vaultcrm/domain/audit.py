"""What is written to the audit log, in the transaction of what it tells of."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.ids import NIL, new_id

LONGEST_REASON = 200
"""In characters."""


class AuditAction(StrEnum):
    GENERATED = "generation.created"
    DECIDED = "generation.decided"
    COMPLAINT_MARKED = "generation.complaint_marked"
    UNDONE = "generation.decision_undone"
    CALLED_BACK = "generation.called_back"
    SNOOZED = "generation.snoozed"
    WRITTEN = "message.written"
    TAKEN_BACK = "message.taken_back"
    SENT = "message.sent"
    NOT_SENT = "message.not_sent"
    RESOLVED = "message.resolved"
    CHANNEL_CONNECTED = "channel.connected"
    CHANNEL_REMOVED = "channel.removed"
    CHANNEL_PAUSED = "channel.paused"
    CHANNEL_RESUMED = "channel.resumed"
    PERSONALITY_CHANGED = "personality.changed"
    TEMPLATE_ADDED = "template.added"
    TEMPLATE_CHANGED = "template.changed"
    TEMPLATE_ARCHIVED = "template.archived"
    TEMPLATE_RESTORED = "template.restored"
    CONTENT_RULE_ADDED = "content_rule.added"
    CONTENT_RULE_REMOVED = "content_rule.removed"
    CONTENT_RULE_RESTORED = "content_rule.restored"
    FLAG_CHANGED = "flag.changed"
    BUDGET_CHANGED = "budget.changed"
    DISCLOSED = "fan.disclosed"
    DISCLOSURE_ASKED = "disclosure.asked"
    DISCLOSURE_ORDERED = "disclosure.ordered"
    DISCLOSURE_WORDED = "disclosure.wording_changed"
    NOTES_CHANGED = "fan.notes_changed"
    CARE_CHANGED = "conversation.care_changed"
    CARE_GUIDANCE_CHANGED = "care_guidance.changed"
    COOLING_OFF_STARTED = "fan.cooling_off_started"
    COOLING_OFF_ENDED = "fan.cooling_off_ended"
    CAPS_LIFTED = "fan.caps_lifted"
    CAPS_RESTORED = "fan.caps_restored"
    MODE_CHANGED = "conversation.mode_changed"
    CREATOR_ADDED = "creator.added"
    USER_ADDED = "user.added"
    TOKEN_CREATED = "token.created"  # noqa: S105 -- an action's name, no secret
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 -- the same
    SIGNED_IN = "user.signed_in"
    SIGN_IN_HELD = "user.sign_in_held"
    SIGN_IN_REFUSED = "user.sign_in_refused"
    SECOND_FACTOR_ADDED = "user.second_factor_added"
    SECOND_FACTOR_REMOVED = "user.second_factor_removed"
    RECOVERY_CODES_MADE = "user.recovery_codes_made"
    IDENTITY_BOUND = "user.identity_bound"
    IDENTITY_REMOVED = "user.identity_removed"
    USER_CHANGED = "user.changed"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    PASSWORD_SET = "user.password_set"  # noqa: S105 -- an action's name, no secret
    PASSWORD_REMOVED = "user.password_removed"  # noqa: S105 -- the same
    LINK_MADE = "user.link_made"
    SESSIONS_ENDED = "user.sessions_ended"
    IMPORTED = "conversations.imported"
    FAN_EXPORTED = "fan.exported"
    FAN_ERASED = "fan.erased"
    EVENT_ENDPOINT_ADDED = "event_endpoint.added"
    EVENT_ENDPOINT_DISABLED = "event_endpoint.disabled"
    EVENT_ENDPOINT_TESTED = "event_endpoint.tested"
    EVENT_RETRIED = "event_delivery.retried"
    AB_TEST_ADDED = "ab_test.added"
    AB_TEST_CHANGED = "ab_test.status_changed"
    AB_TEST_VARIANT_STOPPED = "ab_test.variant_stopped"
    AB_TEST_SHARED_OUT = "ab_test.shared_out"
    CALIBRATED = "confidence.calibrated"
    AUTOMATIC_SENDING_STOPPED = "confidence.sending_stopped"
    ALERT_ACKNOWLEDGED = "alert.acknowledged"
    AUDIT_EXPORTED = "audit.exported"
    LEARNING_PROPOSED = "learning.proposed"
    LEARNING_APPLIED = "learning.applied"
    LEARNING_DISMISSED = "learning.dismissed"
    LEARNING_ROLLED_BACK = "learning.rolled_back"
    REFUSED = "request.refused"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that happened. `details` never holds message text, keys or personal data."""

    creator_id: UUID
    actor_id: UUID | None
    action: AuditAction
    subject_type: str
    subject_id: str
    at: datetime
    details: dict[str, Any] = field(default_factory=dict)
    id: UUID = field(default_factory=new_id)

    @classmethod
    def about_user(
        cls,
        action: AuditAction,
        user_id: UUID,
        *,
        actor_id: UUID | None,
        at: datetime,
        details: dict[str, Any] | None = None,
    ) -> "AuditEntry":
        """What happened to somebody who may sign in, which belongs to no creator."""
        return cls(NIL, actor_id, action, "user", str(user_id), at, details or {})


def stated_reason(text: str) -> str:
    """Why somebody does something, without blanks around it; raises InvalidInput for `reason`."""
    text = text.strip()
    if not text:
        raise InvalidInput(FieldProblem("reason", "say in a few words why; the audit log keeps it"))
    if len(text) > LONGEST_REASON:
        raise InvalidInput(FieldProblem("reason", f"at most {LONGEST_REASON} characters"))
    return text
