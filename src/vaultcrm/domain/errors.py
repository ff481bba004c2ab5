"""Everything that can go wrong, by whose fault it is.

VaultError
├── InvalidInput            the caller sent something that cannot be used: says field and reason
├── NotFound                no such thing, or not the caller's to see
├── Forbidden               the caller's role does not allow it
│   └── SecondFactorMissing     their role needs a second factor, which they have not set up
├── Unauthenticated         no caller, or one that cannot be verified
│   ├── WebhookRejected     a webhook whose signature or time is wrong
│   └── LinkUsed            a sign-in link that was used before
├── Conflict                somebody else was first; says who and when
│   └── ThreadMovedOn           the conversation went on in the meantime; holds the new messages
├── LimitExceeded           a limit is reached; says when to try again
├── AiDisabled              AI is switched off, here or everywhere
├── DrafterError            the language model could not be used
│   ├── DrafterUnavailable      down, overloaded or too slow, after all retries
│   ├── DrafterRateLimited      the provider's own limit, after all retries
│   ├── DrafterMisconfigured    key refused, model unknown or retired, request malformed
│   └── DrafterTimeout          no answer in time
├── IssuerUnavailable       the keys of an OpenID Connect issuer cannot be had
├── SecretUnreadable        stored credentials were sealed with another key
├── BackupFailed            a backup cannot be written or put back; nothing was changed
└── DatabaseUnavailable     the database cannot be reached or started; says what to do
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from vaultcrm.domain.conversation import Message
from vaultcrm.domain.limits import Quota


class VaultError(Exception):
    """The root. `str(error)` is a sentence that a user can act on; it holds no message text."""

    slug: ClassVar[str] = "error"


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with one field. `field` is a path such as `messages.3.text`."""

    field: str
    reason: str


class InvalidInput(VaultError):
    slug = "invalid-input"

    def __init__(self, *problems: FieldProblem) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{p.field}: {p.reason}" for p in problems))


class NotFound(VaultError):
    slug = "not-found"

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"There is no such {what}, or it is not yours to see.")


class Forbidden(VaultError):
    slug = "forbidden"


class SecondFactorMissing(Forbidden):
    slug = "second-factor-missing"


class Unauthenticated(VaultError):
    slug = "unauthenticated"


class WebhookRejected(Unauthenticated):
    slug = "webhook-rejected"


class LinkUsed(Unauthenticated):
    """Whose link it was is for whoever has a session of theirs."""

    slug = "link-used"

    def __init__(self, message: str, user_id: UUID) -> None:
        self.user_id = user_id
        super().__init__(message)


class Conflict(VaultError):
    """Somebody was first. `decided_by` and `decided_at` say who and when where that is known."""

    slug = "conflict"

    def __init__(
        self,
        message: str,
        *,
        status: str | None = None,
        decided_by: str | None = None,
        decided_at: datetime | None = None,
    ) -> None:
        self.status = status
        self.decided_by = decided_by
        self.decided_at = decided_at
        super().__init__(message)


class ThreadMovedOn(Conflict):
    """The conversation went on since a draft or a message was written. `messages`: oldest first."""

    slug = "thread-moved-on"

    def __init__(self, message: str, messages: tuple[Message, ...]) -> None:
        self.messages = messages
        super().__init__(message, status="stale")


class LimitExceeded(VaultError):
    """A limit is reached. `retry_after` is in seconds; `quotas` is what is left of each limit that
    applies, where that is known.
    """

    slug = "limit-exceeded"

    def __init__(
        self, limit: str, message: str, retry_after: int, quotas: tuple[Quota, ...] = ()
    ) -> None:
        self.limit = limit
        self.retry_after = retry_after
        self.quotas = quotas
        super().__init__(message)


class AiDisabled(VaultError):
    slug = "ai-disabled"


class DrafterError(VaultError):
    slug = "drafter-error"


class DrafterUnavailable(DrafterError):
    slug = "drafter-unavailable"


class DrafterRateLimited(DrafterError):
    slug = "drafter-rate-limited"

    def __init__(self, message: str, retry_after: int = 30) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class DrafterMisconfigured(DrafterError):
    slug = "drafter-misconfigured"


class DrafterTimeout(DrafterError):
    slug = "drafter-timeout"


class IssuerUnavailable(VaultError):
    slug = "issuer-unavailable"


class SecretUnreadable(VaultError):
    slug = "secret-unreadable"


class BackupFailed(VaultError):
    slug = "backup-failed"


class DatabaseUnavailable(VaultError):
    slug = "database-unavailable"
