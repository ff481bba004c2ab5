"""Who may come through which door: each route with its roles and, for the API, a token's scope.

This is the one table of it. A route checks it before anything else is done, workflows check again
what they do, and `tests/entrypoints/test_doors.py` tries every route with every role and with a
stranger to the creator: it fails for a route that is not here, and where the two disagree.

`names` says that a request may name something of one creator, in path, query or body. Whoever may
not act for that creator gets 404: that it exists is not told.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request

from vaultcrm.controls.auth import require_role
from vaultcrm.domain.errors import Forbidden
from vaultcrm.domain.people import Caller, Role, TokenScope

EVERYBODY = frozenset(Role)
PEOPLE = frozenset({Role.CHATTER, Role.MANAGER, Role.ADMIN})
MANAGING = frozenset({Role.MANAGER, Role.ADMIN, Role.SERVICE})
OVERSEEING = frozenset({Role.MANAGER, Role.ADMIN})
ADMINS = frozenset({Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Door:
    """Who may use a route. `scope` is None for pages, which no token opens.

    `whole`: only somebody who acts for every creator.
    """

    roles: frozenset[Role]
    scope: TokenScope | None
    names: bool
    whole: bool = False


def _doors(
    routes: str,
    roles: frozenset[Role],
    scope: TokenScope | None = None,
    *,
    names: bool = True,
    whole: bool = False,
) -> dict[str, Door]:
    door = Door(roles, scope, names, whole)
    return {line.strip(): door for line in routes.strip().splitlines()}


OPEN = frozenset(
    {
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
        "POST /api/webhooks/{channel}/{creator_handle}",
        "GET /sign-in",
        "POST /sign-in",
        "GET /sign-in/code",
        "POST /sign-in/code",
    }
)
"""Health is for load balancers, `/metrics` asks for a token of its own or answers this machine
alone, webhooks are signed, and whoever signs in is not signed in yet.
"""

API: Mapping[str, Door] = {
    **_doors(
        """
        GET /api/ai/generations/{generation_id}
        GET /api/ai/personality
        GET /api/ai/queue
        GET /api/ai/queue/claims
        GET /api/fans
        GET /api/fans/{fan_id}
        GET /api/fans/{fan_id}/caps
        GET /api/fans/{fan_id}/disclosures
        GET /api/conversations
        GET /api/conversations/{conversation_id}
        GET /api/conversations/{conversation_id}/messages
        GET /api/messages/{message_id}/outcome
        GET /api/templates
        GET /api/deliveries
        GET /api/channels
        GET /api/flags
        GET /api/disclosure
        GET /api/care/guidance
        """,
        EVERYBODY,
        TokenScope.READ,
    ),
    **_doors(
        """
        GET /api/creators
        GET /api/channel-kinds
        """,
        EVERYBODY,
        TokenScope.READ,
        names=False,
    ),
    **_doors(
        """
        GET /api/content-rules
        GET /api/care/fans
        GET /api/ai/learning/proposals
        """,
        MANAGING,
        TokenScope.READ,
    ),
    **_doors(
        """
        POST /api/fans
        POST /api/fans/{fan_id}/disclosure
        POST /api/conversations
        POST /api/conversations/{conversation_id}/mode
        POST /api/conversations/{conversation_id}/care
        POST /api/conversations/{conversation_id}/messages
        POST /api/ai/feedback
        POST /api/ai/generations/{generation_id}/complaint
        """,
        EVERYBODY,
        TokenScope.WRITE,
    ),
    **_doors("POST /api/import", MANAGING, TokenScope.WRITE, names=False),
    **_doors("POST /api/ai/generate", EVERYBODY, TokenScope.DRAFT),
    **_doors(
        """
        POST /api/ai/queue/claim
        POST /api/ai/queue/release
        POST /api/ai/queue/snooze
        POST /api/ai/approve
        POST /api/ai/undo
        """,
        EVERYBODY,
        TokenScope.DECIDE,
    ),
    # Answers 200 with a problem for each draft that is not the caller's to see.
    **_doors("POST /api/ai/queue/decide", EVERYBODY, TokenScope.DECIDE, names=False),
    **_doors(
        """
        POST /api/conversations/{conversation_id}/send
        POST /api/conversations/{conversation_id}/disclosure
        POST /api/deliveries/{item_id}
        """,
        EVERYBODY,
        TokenScope.SEND,
    ),
    **_doors(
        """
        GET /api/ai/metrics
        GET /api/ai/calibration
        GET /api/ai/metrics/effect
        GET /api/ai/rollout
        GET /api/ai/costs
        GET /api/ai/ab-tests
        GET /api/ai/ab-tests/{test_id}
        """,
        MANAGING,
        TokenScope.METRICS,
    ),
    **_doors("GET /api/alerts", MANAGING, TokenScope.METRICS, names=False),
    **_doors("GET /api/fans/{fan_id}/export", MANAGING, TokenScope.MANAGE),
    **_doors("POST /api/fans/{fan_id}/erasure", ADMINS, TokenScope.MANAGE),
    **_doors("GET /api/erasures", ADMINS, TokenScope.MANAGE),
    **_doors(
        """
        GET /api/audit
        GET /api/audit/seals
        GET /api/audit/export
        """,
        OVERSEEING,
        TokenScope.METRICS,
    ),
    **_doors("POST /api/creators", MANAGING, TokenScope.MANAGE, names=False),
    **_doors(
        """
        POST /api/ai/personality
        POST /api/ai/learning/proposals/{proposal_id}/apply
        POST /api/ai/learning/proposals/{proposal_id}/dismiss
        POST /api/ai/learning/proposals/{proposal_id}/roll-back
        POST /api/ai/ab-tests
        POST /api/ai/ab-tests/{test_id}/status
        POST /api/templates
        POST /api/templates/{template_id}
        POST /api/templates/{template_id}/archive
        POST /api/templates/{template_id}/restore
        POST /api/channels
        POST /api/channels/{channel}/pause
        POST /api/channels/{channel}/resume
        POST /api/channels/{channel}/remove
        POST /api/content-rules
        POST /api/content-rules/test
        DELETE /api/content-rules/{rule_id}
        POST /api/content-rules/{rule_id}/restore
        PUT /api/care/guidance
        PUT /api/disclosure
        POST /api/fans/{fan_id}/cooling-off
        POST /api/fans/{fan_id}/cooling-off/end
        POST /api/fans/{fan_id}/caps/lift
        POST /api/fans/{fan_id}/caps/restore
        """,
        MANAGING,
        TokenScope.MANAGE,
    ),
    **_doors("GET /api/budgets", MANAGING, TokenScope.METRICS, names=False),
    **_doors("POST /api/budgets", OVERSEEING, TokenScope.MANAGE),
    **_doors("POST /api/alerts/{alert_id}/acknowledge", OVERSEEING, TokenScope.MANAGE),
    **_doors(
        """
        POST /api/flags
        POST /api/event-endpoints
        """,
        ADMINS,
        TokenScope.MANAGE,
    ),
    **_doors(
        """
        POST /api/event-endpoints/{endpoint_id}/disable
        POST /api/event-endpoints/{endpoint_id}/test
        POST /api/event-deliveries/{delivery_id}/retry
        """,
        ADMINS,
        TokenScope.MANAGE,
    ),
    **_doors(
        """
        GET /api/event-endpoints
        GET /api/event-deliveries
        """,
        ADMINS,
        TokenScope.MANAGE,
        names=False,
    ),
}
"""The JSON API, as `METHOD /path` with the names of its parameters."""

CONSOLE: Mapping[str, Door] = {
    **_doors(
        """
        GET /
        POST /sign-out
        GET /menu
        GET /find
        GET /live
        GET /banner
        GET /queue
        GET /queue/list
        POST /queue/many
        GET /inbox
        GET /account
        POST /account/password
        POST /account/sessions/others
        POST /account/sessions/{session_id}
        GET /account/second-factor
        POST /account/second-factor
        POST /account/second-factor/confirm
        POST /account/second-factor/codes
        POST /account/second-factor/remove
        POST /account/tokens
        POST /account/tokens/{token_id}/revoke
        """,
        PEOPLE,
        names=False,
    ),
    **_doors(
        """
        GET /queue/{generation_id}/state
        POST /queue/{generation_id}
        POST /queue/{generation_id}/snooze
        POST /queue/{generation_id}/wake
        POST /queue/{generation_id}/undo
        GET /conversations/{conversation_id}
        GET /conversations/{conversation_id}/now
        POST /conversations/{conversation_id}/read
        POST /conversations/{conversation_id}/messages
        POST /conversations/{conversation_id}/undo
        POST /conversations/{conversation_id}/deliveries/{item_id}
        GET /conversations/{conversation_id}/templates
        POST /conversations/{conversation_id}/templates/{template_id}
        POST /conversations/{conversation_id}/disclosure
        POST /conversations/{conversation_id}/disclosure/send
        POST /conversations/{conversation_id}/mode
        POST /conversations/{conversation_id}/care
        POST /conversations/{conversation_id}/notes
        POST /conversations/{conversation_id}/drafts
        POST /conversations/{conversation_id}/drafts/{generation_id}
        POST /conversations/{conversation_id}/complaints/{generation_id}
        """,
        PEOPLE,
    ),
    **_doors(
        """
        GET /dashboard
        GET /calibration
        GET /learning
        POST /learning/{proposal_id}/apply
        POST /learning/{proposal_id}/dismiss
        POST /learning/{proposal_id}/roll-back
        POST /budgets
        GET /audit
        GET /audit/export
        GET /care
        POST /care/fans/{fan_id}
        POST /care/guidance
        GET /experiments
        GET /experiments/new
        POST /experiments
        GET /experiments/{test_id}
        POST /experiments/{test_id}/status
        GET /content-rules
        GET /content-rules/form
        POST /content-rules/try
        POST /content-rules
        POST /content-rules/{rule_id}/remove
        POST /content-rules/{rule_id}/restore
        POST /disclosure
        POST /channels/new
        POST /channels/{creator_id}/{channel}
        POST /personalities/{creator_id}
        POST /personalities/{creator_id}/roll-back
        POST /personalities/{creator_id}/try
        POST /templates
        POST /templates/{template_id}
        POST /templates/{template_id}/archive
        POST /alerts/{alert_id}/acknowledge
        """,
        OVERSEEING,
    ),
    **_doors("POST /rollout/creators/{creator_id}", ADMINS),
    **_doors(
        """
        GET /alerts
        GET /costs
        GET /rollout
        GET /channels
        GET /channels/new
        GET /templates/new
        POST /personalities
        """,
        OVERSEEING,
        names=False,
    ),
    **_doors(
        """
        GET /personalities
        GET /templates
        GET /disclosure
        """,
        PEOPLE,
        names=False,
    ),
    **_doors(
        """
        GET /personalities/{creator_id}
        GET /personalities/{creator_id}/conversations
        GET /templates/{template_id}
        GET /templates/fans
        POST /templates/preview
        POST /disclosure/preview
        """,
        PEOPLE,
    ),
    **_doors(
        """
        GET /flags
        GET /flags/{name}/history
        POST /flags
        """,
        ADMINS,
    ),
    **_doors("GET /data", ADMINS, names=False),
    **_doors(
        """
        GET /data/fans/{creator_id}/{fan_id}
        POST /data/fans/{creator_id}/{fan_id}/export
        """,
        OVERSEEING,
    ),
    **_doors("POST /data/fans/{creator_id}/{fan_id}/erase", ADMINS),
    **_doors(
        """
        GET /team
        GET /team/new
        POST /team
        GET /team/{user_id}
        POST /team/{user_id}/access
        POST /team/{user_id}/link
        POST /team/{user_id}/sign-out
        POST /team/{user_id}/password
        POST /team/{user_id}/second-factor
        POST /team/{user_id}/identity
        POST /team/{user_id}/disable
        POST /team/{user_id}/enable
        """,
        ADMINS,
        names=False,
    ),
    **_doors(
        """
        POST /flags/ai
        POST /calibration
        POST /rollout/all
        GET /team/programs
        POST /team/programs
        POST /team/programs/{token_id}/revoke
        """,
        ADMINS,
        names=False,
        whole=True,
    ),
}
"""The pages of the console and what their forms send to."""

_ALL: Mapping[str, Door] = {**API, **CONSOLE}


def name_of(request: Request) -> str:
    """The route of a request, as the tables name it."""
    route = request.scope.get("route")
    return f"{request.method} {getattr(route, 'path', request.scope['path'])}"


def scope_of(request: Request) -> TokenScope | None:
    """The scope that a token needs here. None where the table has no such route: then it takes a
    token with all scopes.
    """
    door = _ALL.get(name_of(request))
    return None if door is None else door.scope


def require_open(request: Request, caller: Caller) -> None:
    """Raise Forbidden where the caller may not come through, or no such door is in the table."""
    name = name_of(request)
    if name in OPEN:
        return
    door = _ALL.get(name)
    if door is None:
        raise Forbidden("Nobody has said who may come through here.")
    require_role(caller, *sorted(door.roles))
    if door.whole and not caller.all_creators:
        raise Forbidden("This is open only to those who act for every creator.")
