"""Rules of a creator's own for the content filter: read whole, added, removed and taken back."""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, Rows, records, send
from vaultcrm.domain.content_rules import ContentRule, RuleDraft, RuleKind
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.safety import Category, FindingTier, Scope

# The row is locked until the transaction ends, so that changes of one creator's rules come one
# after the other and each sees what the others made.
NOTE_CHANGE = """
    UPDATE creators SET rules_revision = %(revision)s WHERE id = %(creator_id)s RETURNING id
"""

REVISION = "SELECT rules_revision FROM creators WHERE id = %(creator_id)s"

IN_FORCE = """
    SELECT id, kind, text, category, tier, scopes, reason, created_by, created_at
    FROM content_rules
    WHERE creator_id = %(creator_id)s AND removed_at IS NULL
    ORDER BY id
"""

_SHOWN = """
    r.creator_id, r.id, r.kind, r.text, r.category, r.tier, r.scopes, r.reason, r.created_at,
    a.name, r.removed_at
"""
_SHOWN_NAMES = (
    "creator_id",
    "id",
    "kind",
    "text",
    "category",
    "tier",
    "scopes",
    "reason",
    "created_at",
    "created_by",
    "removed_at",
)

LISTED = f"""
    SELECT {_SHOWN}
    FROM content_rules r
    LEFT JOIN users a ON a.id = r.created_by
    WHERE r.creator_id = ANY(%(creator_ids)s) AND r.removed_at IS NULL
      AND (%(after)s::uuid IS NULL OR (r.creator_id, r.id) > (%(after)s, %(after_id)s))
    ORDER BY r.creator_id, r.id
    LIMIT %(limit)s
"""

ONE = f"""
    SELECT {_SHOWN}
    FROM content_rules r
    LEFT JOIN users a ON a.id = r.created_by
    WHERE r.creator_id = ANY(%(creator_ids)s) AND r.id = %(rule_id)s
"""

ADD = """
    INSERT INTO content_rules (creator_id, id, kind, text, category, tier, scopes, reason,
                               created_by, created_at)
    VALUES (%(creator_id)s, %(id)s, %(kind)s, %(text)s, %(category)s, %(tier)s, %(scopes)s,
            %(reason)s, %(user_id)s, %(now)s)
    ON CONFLICT (creator_id, kind, category, text) WHERE removed_at IS NULL DO NOTHING
    RETURNING id
"""

REMOVE = """
    UPDATE content_rules SET removed_at = %(now)s, removed_by = %(user_id)s
    WHERE creator_id = %(creator_id)s AND id = %(rule_id)s AND removed_at IS NULL
    RETURNING id
"""

RESTORE = """
    UPDATE content_rules SET removed_at = NULL, removed_by = NULL
    WHERE creator_id = %(creator_id)s AND id = %(rule_id)s AND removed_at IS NOT NULL
    RETURNING id
"""


def _read_id(rows: Rows) -> UUID | None:
    return rows[0][0] if rows else None


def read_draft(record: Record) -> RuleDraft:
    """What a person wrote of the rule in a record; raises ValueError for an unknown code."""
    return RuleDraft(
        kind=RuleKind(record["kind"]),
        text=record["text"],
        category=Category(record["category"]),
        reason=record["reason"],
        tier=FindingTier(record["tier"]),
        scopes=tuple(Scope(scope) for scope in record["scopes"]),
    )


_in_force = records(
    "id", "kind", "text", "category", "tier", "scopes", "reason", "created_by", "created_at"
)


def _read_rules(rows: Rows) -> tuple[ContentRule, ...]:
    return tuple(
        ContentRule(record["id"], read_draft(record), record["created_by"], record["created_at"])
        for record in _in_force(rows)
    )


async def revision(connection: Connection, creator_id: UUID) -> Pending[UUID | None]:
    """Which state a creator's rules are in; None while there was never one."""
    return await send(connection, REVISION, {"creator_id": creator_id}, _read_id)


async def in_force(connection: Connection, creator_id: UUID) -> Pending[tuple[ContentRule, ...]]:
    """A creator's rules, the oldest first. Reading them raises ValueError for an unknown code."""
    return await send(connection, IN_FORCE, {"creator_id": creator_id}, _read_rules)


async def note_change(connection: Connection, creator_id: UUID) -> bool:
    """Say that a creator's rules change in this transaction, and wait for others who change them.

    False when there is no such creator.
    """
    params = {"creator_id": creator_id, "revision": new_id()}
    return await (await send(connection, NOTE_CHANGE, params, _read_id)).answer() is not None


async def listed(
    connection: Connection,
    creator_ids: list[UUID],
    limit: int,
    *,
    after: tuple[UUID, UUID] | None = None,
) -> Pending[list[Record]]:
    """Rules in force by creator, the oldest first; `created_by` is a name or None."""
    params = {
        "creator_ids": creator_ids,
        "after": after[0] if after else None,
        "after_id": after[1] if after else None,
        "limit": limit,
    }
    return await send(connection, LISTED, params, records(*_SHOWN_NAMES))


async def get_rule(
    connection: Connection, creator_ids: list[UUID], rule_id: UUID
) -> Pending[list[Record]]:
    """One rule, whether it is in force or was removed; none where it is another creator's."""
    params = {"creator_ids": creator_ids, "rule_id": rule_id}
    return await send(connection, ONE, params, records(*_SHOWN_NAMES))


async def add(
    connection: Connection, creator_id: UUID, draft: RuleDraft, user_id: UUID, now: datetime
) -> UUID | None:
    """Add a rule; None when the same one is in force."""
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "kind": draft.kind.value,
        "text": draft.text,
        "category": draft.category.value,
        "tier": draft.tier.value,
        "scopes": [scope.value for scope in draft.scopes],
        "reason": draft.reason,
        "user_id": user_id,
        "now": now,
    }
    return await (await send(connection, ADD, params, _read_id)).answer()


async def remove(
    connection: Connection, creator_id: UUID, rule_id: UUID, user_id: UUID, now: datetime
) -> bool:
    """Take a rule out of force; False when it is not in force."""
    params = {"creator_id": creator_id, "rule_id": rule_id, "user_id": user_id, "now": now}
    return await (await send(connection, REMOVE, params, _read_id)).answer() is not None


async def restore(connection: Connection, creator_id: UUID, rule_id: UUID) -> bool:
    """Put a removed rule in force again; False when it is not a removed one.

    Raises UniqueViolation when the same rule was added since.
    """
    params = {"creator_id": creator_id, "rule_id": rule_id}
    return await (await send(connection, RESTORE, params, _read_id)).answer() is not None
