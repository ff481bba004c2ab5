"""API tokens as pages show them, and the form that makes one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from vaultcrm.domain.people import ApiToken, TokenScope

SCOPES: Mapping[TokenScope, str] = {
    TokenScope.READ: "conversations, fans, the queue, templates, personalities",
    TokenScope.WRITE: "add and change fans, conversations and messages; import; report outcomes",
    TokenScope.DRAFT: "ask for drafts",
    TokenScope.DECIDE: "claim, approve, reject, snooze, undo",
    TokenScope.SEND: "send messages; settle deliveries",
    TokenScope.MANAGE: "personalities, templates, rules, channels, flags, webhooks",
    TokenScope.METRICS: "metrics, alerts, tests, the audit log",
}
"""What each scope lets a program do, within what its user may do at all."""

LIFETIMES: Mapping[str, tuple[str, timedelta | None]] = {
    "7": ("in 7 days", timedelta(days=7)),
    "30": ("in 30 days", timedelta(days=30)),
    "90": ("in 90 days", timedelta(days=90)),
    "365": ("in a year", timedelta(days=365)),
    "never": ("never", None),
}


@dataclass(frozen=True, slots=True)
class TokenForm:
    """What stands in the form that makes a token."""

    name: str = ""
    scopes: frozenset[TokenScope] = frozenset({TokenScope.READ})
    lifetime: str = "90"
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token. `ended` says why it is no good any more; None while it is."""

    token: ApiToken
    scopes: str
    ended: str | None


def view_of(tokens: Sequence[ApiToken], now: datetime) -> list[TokenRow]:
    return [TokenRow(each, _scopes(each), _ended(each, now)) for each in tokens]


def expiry_of(lifetime: str, now: datetime) -> datetime | None:
    """When a token of that lifetime ends; one that is not offered counts as the shortest."""
    _, span = LIFETIMES.get(lifetime, LIFETIMES["7"])
    return None if span is None else now + span


def _scopes(token: ApiToken) -> str:
    if token.scopes is None:
        return "everything"
    return ", ".join(scope.value for scope in TokenScope if scope in token.scopes)


def _ended(token: ApiToken, now: datetime) -> str | None:
    if token.revoked_at is not None:
        return "Revoked"
    if token.expires_at is not None and token.expires_at <= now:
        return "Expired"
    return None
