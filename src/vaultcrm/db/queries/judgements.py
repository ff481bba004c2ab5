"""What a judge has said about texts, so that the same text is judged once.

Only places in the text, categories and tiers are kept: no words of the text, and none of the
judge's own, which may repeat them.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.safety import Category, FindingTier, Verdict


@dataclass(frozen=True, slots=True)
class JudgedText:
    """Which judgement: of what (a hash), by which prompt and model."""

    judged_hash: bytes
    prompt_version: str
    model: str


@dataclass(frozen=True, slots=True)
class KeptFinding:
    """One finding of a judge. `start:end` are code points of the text."""

    category: Category
    tier: FindingTier
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class KeptJudgement:
    """`verdict` is the worst tier of the judge's own findings."""

    verdict: Verdict
    findings: tuple[KeptFinding, ...]
    cleared: frozenset[Category]


FIND = """
    SELECT verdict, findings, cleared FROM judgements
    WHERE creator_id = %(creator_id)s AND judged_hash = %(judged_hash)s
      AND prompt_version = %(prompt_version)s AND model = %(model)s
"""

# Two drafts may have the same text judged at once: the first judgement stays.
INSERT = """
    INSERT INTO judgements (creator_id, id, judged_hash, prompt_version, model, verdict, findings,
                            cleared, created_at)
    VALUES (%(creator_id)s, %(id)s, %(judged_hash)s, %(prompt_version)s, %(model)s, %(verdict)s,
            %(findings)s::jsonb, %(cleared)s, %(now)s)
    ON CONFLICT (creator_id, judged_hash, prompt_version, model) DO NOTHING
"""


def _read(rows: Rows) -> KeptJudgement | None:
    if not rows:
        return None
    verdict, findings, cleared = rows[0]
    return KeptJudgement(
        Verdict(verdict),
        tuple(
            KeptFinding(Category(category), FindingTier(tier), start, end)
            for category, tier, start, end in findings
        ),
        frozenset(Category(category) for category in cleared),
    )


async def find(
    connection: Connection, creator_id: UUID, of: JudgedText
) -> Pending[KeptJudgement | None]:
    """What was said about this text before; None when it has not been judged."""
    return await send(connection, FIND, {"creator_id": creator_id, **_key(of)}, _read)


async def keep(
    connection: Connection,
    creator_id: UUID,
    of: JudgedText,
    judgement: KeptJudgement,
    now: datetime,
) -> None:
    """Keep a judgement. One that is there already stays."""
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        **_key(of),
        "verdict": judgement.verdict.value,
        "findings": json.dumps(
            [[f.category.value, f.tier.value, f.start, f.end] for f in judgement.findings]
        ),
        "cleared": sorted(judgement.cleared),
        "now": now,
    }
    await run(connection, INSERT, params)


def _key(of: JudgedText) -> dict[str, Any]:
    return {
        "judged_hash": of.judged_hash,
        "prompt_version": of.prompt_version,
        "model": of.model,
    }
