"""The audit log: who did what, and the details of it."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from vaultcrm.domain.audit import AuditAction
from vaultcrm.entrypoints.web.text import times
from vaultcrm.entrypoints.web.text.words import conversations, drafts, filtering

ACTIONS: Mapping[AuditAction, str] = {
    AuditAction.GENERATED: "drafted a message",
    AuditAction.DECIDED: "decided on a draft",
    AuditAction.UNDONE: "took an approval back",
    AuditAction.CALLED_BACK: "held back an automatic message",
    AuditAction.COMPLAINT_MARKED: "marked a complaint about a message",
    AuditAction.SNOOZED: "snoozed a draft",
    AuditAction.WRITTEN: "wrote a message",
    AuditAction.RESOLVED: "settled a delivery",
    AuditAction.TAKEN_BACK: "took a message back",
    AuditAction.CHANNEL_CONNECTED: "connected a channel",
    AuditAction.CHANNEL_REMOVED: "removed a channel",
    AuditAction.CHANNEL_PAUSED: "sending over a channel paused",
    AuditAction.CHANNEL_RESUMED: "let sending over a channel go on",
    AuditAction.SENT: "message sent",
    AuditAction.NOT_SENT: "message not sent",
    AuditAction.PERSONALITY_CHANGED: "changed a personality",
    AuditAction.TEMPLATE_ADDED: "added a template",
    AuditAction.TEMPLATE_CHANGED: "changed a template",
    AuditAction.TEMPLATE_ARCHIVED: "archived a template",
    AuditAction.TEMPLATE_RESTORED: "restored a template",
    AuditAction.CONTENT_RULE_ADDED: "added a content rule",
    AuditAction.CONTENT_RULE_REMOVED: "removed a content rule",
    AuditAction.CONTENT_RULE_RESTORED: "put a content rule back in force",
    AuditAction.FLAG_CHANGED: "changed a flag",
    AuditAction.BUDGET_CHANGED: "changed a budget",
    AuditAction.DISCLOSED: "noted that a fan was told about AI",
    AuditAction.DISCLOSURE_ASKED: "a fan asked whether AI writes",
    AuditAction.DISCLOSURE_ORDERED: "sent the AI disclosure",
    AuditAction.DISCLOSURE_WORDED: "changed what fans are told about AI",
    AuditAction.NOTES_CHANGED: "changed the notes on a fan",
    AuditAction.CARE_CHANGED: "care for a fan changed",
    AuditAction.CARE_GUIDANCE_CHANGED: "changed the guidance for care",
    AuditAction.COOLING_OFF_STARTED: "a fan began to cool off",
    AuditAction.COOLING_OFF_ENDED: "ended a fan's cooling off",
    AuditAction.CAPS_LIFTED: "lifted the caps for a fan",
    AuditAction.CAPS_RESTORED: "let the caps hold for a fan again",
    AuditAction.MODE_CHANGED: "changed what AI does in a conversation",
    AuditAction.CREATOR_ADDED: "added a creator",
    AuditAction.USER_ADDED: "added a user",
    AuditAction.TOKEN_CREATED: "made an API token",
    AuditAction.SIGNED_IN: "signed in",
    AuditAction.TOKEN_REVOKED: "revoked an API token",
    AuditAction.SIGN_IN_HELD: "signing in held up after wrong tries",
    AuditAction.SIGN_IN_REFUSED: "signing in refused",
    AuditAction.SECOND_FACTOR_ADDED: "set up a second factor",
    AuditAction.SECOND_FACTOR_REMOVED: "took a second factor away",
    AuditAction.RECOVERY_CODES_MADE: "made new recovery codes",
    AuditAction.IDENTITY_BOUND: "tied a user to another service's sign-in",
    AuditAction.IDENTITY_REMOVED: "untied a user from another service's sign-in",
    AuditAction.USER_CHANGED: "changed what a user may do",
    AuditAction.USER_DISABLED: "disabled a user",
    AuditAction.USER_ENABLED: "enabled a user",
    AuditAction.PASSWORD_SET: "set a password",
    AuditAction.PASSWORD_REMOVED: "took a password away",
    AuditAction.LINK_MADE: "made a sign-in link",
    AuditAction.SESSIONS_ENDED: "ended sessions",
    AuditAction.IMPORTED: "imported conversations",
    AuditAction.FAN_EXPORTED: "exported what is held about a fan",
    AuditAction.FAN_ERASED: "erased a fan",
    AuditAction.EVENT_ENDPOINT_ADDED: "added an endpoint for events",
    AuditAction.EVENT_ENDPOINT_DISABLED: "disabled an endpoint for events",
    AuditAction.EVENT_ENDPOINT_TESTED: "tried an endpoint for events",
    AuditAction.EVENT_RETRIED: "sent an event again",
    AuditAction.AB_TEST_ADDED: "added an A/B test",
    AuditAction.AB_TEST_CHANGED: "started or ended an A/B test",
    AuditAction.AB_TEST_VARIANT_STOPPED: "stopped a variant of an A/B test",
    AuditAction.AB_TEST_SHARED_OUT: "shared fans out anew in an A/B test",
    AuditAction.CALIBRATED: "calibrated confidence",
    AuditAction.AUTOMATIC_SENDING_STOPPED: "stopped automatic sending",
    AuditAction.ALERT_ACKNOWLEDGED: "acknowledged an alert",
    AuditAction.AUDIT_EXPORTED: "exported the audit log",
    AuditAction.LEARNING_PROPOSED: "proposed a change of a personality",
    AuditAction.LEARNING_APPLIED: "applied what was learned",
    AuditAction.LEARNING_DISMISSED: "dismissed what was learned",
    AuditAction.LEARNING_ROLLED_BACK: "took back what was learned",
    AuditAction.REFUSED: "was refused",
}

_CODES: Mapping[str, str] = {
    code: told
    for table in (
        drafts.STATUSES,
        drafts.DELIVERIES,
        drafts.REASONS,
        conversations.MODES,
        filtering.CATEGORIES,
    )
    for code, told in table.items()
}
"""Codes in an audit entry's details that have words."""


def details(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """An audit entry's details, name and value, without those that say nothing."""
    return [
        (name.replace("_", " "), _detail(value))
        for name, value in values.items()
        if value not in (None, "", []) and value is not False
    ]


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def _detail(value: Any) -> str:
    if value is True:
        return "yes"
    if isinstance(value, str) and _MOMENT.match(value):
        return times.exact(datetime.fromisoformat(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_detail(item) for item in value)
    return _CODES.get(str(value), str(value))
