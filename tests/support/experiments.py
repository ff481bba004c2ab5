"""A/B tests under way: started through the API, and a history of drafts and outcomes for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from tests.support.app import RunningApp
from tests.support.world import Json, SignedIn, rows
from vaultcrm.domain.ids import new_id
from vaultcrm.pipeline.experiments.assignment import variant_for
from vaultcrm.pipeline.prompting import PROMPT_VERSIONS

PATH = "/api/ai/ab-tests"
PROMPTS = tuple(PROMPT_VERSIONS)


def compared(creator_id: str, kind: str, *references: str, **more: Any) -> Json:
    """The body of a test whose variants are A, B and so on."""
    variants = [
        {"name": name, "kind": kind, "reference": reference}
        for name, reference in zip("ABCDEF", references, strict=False)
    ]
    return {"creatorId": creator_id, "testName": new_id().hex, "variants": variants, **more}


async def running(manager: SignedIn, body: Json) -> Json:
    """A test that was added and started."""
    test = await manager.made(PATH, body)
    return await moved(manager, test, "running")


async def moved(manager: SignedIn, test: Json, status: str) -> Json:
    path = f"{PATH}/{test['id']}/status"
    return await manager.made(path, {"creatorId": test["creatorId"], "status": status})


@dataclass
class Played:
    """What the fans of each variant did: shares of their messages, by the variant's name.

    `variant_of` names who gets what where that is not to be as it should.
    """

    fans: int = 120
    messages: int = 6
    replied: Mapping[str, float] = field(default_factory=dict)
    rejected: Mapping[str, float] = field(default_factory=dict)
    bought: Mapping[str, float] = field(default_factory=dict)
    currencies: tuple[str, ...] = ("USD",)
    days: float = 10
    shares: Mapping[str, float] = field(default_factory=lambda: {"A": 0.5, "B": 0.5})
    epoch: int = 1
    variant_of: Mapping[UUID, str] | None = None
    tiers: tuple[str, ...] = ("low",)


async def play(app: RunningApp, test: Json, played: Played) -> list[UUID]:
    """Let fans have been drafted for, half an hour after each other, and let it all have settled.

    A rejected draft was not sent. Returns the fans' ids.
    """
    test_id, creator_id = UUID(test["id"]), UUID(test["creatorId"])
    fans = [new_id() for _ in range(played.fans)]
    variants = [
        (played.variant_of or {}).get(fan) or variant_for(test_id, fan, played.shares)
        for fan in fans
    ]
    now = app.parts.now()
    await rows(
        app,
        "UPDATE ai_ab_tests SET started_at = %(at)s WHERE id = %(id)s",
        at=now - timedelta(days=played.days),
        id=test_id,
    )
    known = {
        "creator": creator_id,
        "test": str(test_id),
        "fans": fans,
        "variants": variants,
        "tiers": [played.tiers[place % len(played.tiers)] for place in range(played.fans)],
        "currencies": [
            played.currencies[place % len(played.currencies)] for place in range(played.fans)
        ],
        "propensities": [played.shares.get(one, 0.5) for one in variants],
        "replied": [played.replied.get(one, 0.4) for one in variants],
        "rejected": [played.rejected.get(one, 0.0) for one in variants],
        "bought": [played.bought.get(one, 0.0) for one in variants],
        "messages": played.messages,
        "epoch": played.epoch,
        "now": now,
    }
    for statement in (_FANS, _CONVERSATIONS, _DRAFTS, _FEEDBACK, _OUTCOMES):
        await rows(app, statement, **known)
    return fans


_FANS = """
    INSERT INTO fans (creator_id, id, handle, display_name, tier, lifetime_value_minor, currency,
                      notes, created_at)
    SELECT %(creator)s, f.id, f.id::text, 'A fan', f.tier, 0, f.currency, '', %(now)s
    FROM unnest(%(fans)s::uuid[], %(tiers)s::text[], %(currencies)s::text[]) f (id, tier, currency)
"""
_CONVERSATIONS = """
    INSERT INTO conversations (creator_id, id, fan_id, channel, external_ref, mode, unread_count,
                               created_at)
    SELECT %(creator)s, f.id, f.id, 'simulator', f.id::text, 'auto', 0, %(now)s
    FROM unnest(%(fans)s::uuid[]) f (id)
"""
# Shares come out exact over all the messages of a variant, and spread over its fans.
_ALL = """
    WITH one AS (
        SELECT f.*, k, md5(f.id::text || k)::uuid AS made,
               row_number() OVER (PARTITION BY f.variant ORDER BY k, f.id) AS place
        FROM unnest(%(fans)s::uuid[], %(variants)s::text[], %(tiers)s::text[],
                    %(currencies)s::text[], %(propensities)s::float8[], %(replied)s::float8[],
                    %(rejected)s::float8[], %(bought)s::float8[])
             f (id, variant, tier, currency, propensity, replied, rejected, bought),
             generate_series(1, %(messages)s::int) k
    ), told AS (
        SELECT one.*, mod(place * 37, 100) < rejected * 100 AS is_rejected,
               mod(place * 61, 100) < replied * 100 AS is_replied,
               mod(place * 83, 100) < bought * 100 AS is_bought
        FROM one
    )
"""
_DRAFTS = f"""
    {_ALL}
    INSERT INTO ai_message_generations
        (creator_id, id, conversation_id, fan_id, generation_type, status, generated_message,
         currency, confidence_score, reasoning, note, approval_reasons, safety, priority, model,
         prompt_version, personality_version, input_tokens, output_tokens, cached_tokens,
         cost_micro_usd, created_at, ab_variants)
    SELECT %(creator)s, made, id, id, 'reply', CASE WHEN is_rejected THEN 'rejected'
           ELSE 'approved' END, 'Hello', currency, 80, '', '', '{{}}',
           '{{"verdict": "allow", "score": 1, "findings": []}}', 0, 'model', 'version', 0, 0, 0, 0,
           0, %(now)s - interval '3 days',
           jsonb_build_object(%(test)s::text,
                              jsonb_build_array(variant, propensity, %(epoch)s::int))
    FROM told
"""  # noqa: S608 -- a constant of this module
_FEEDBACK = f"""
    {_ALL}
    INSERT INTO ai_message_feedback
        (creator_id, id, generation_id, feedback_type, performance_data, created_at, updated_at)
    SELECT %(creator)s, made, made,
           CASE WHEN is_rejected THEN 'rejected' ELSE 'approved' END, '{{}}', %(now)s, %(now)s
    FROM told
"""  # noqa: S608 -- a constant of this module
_OUTCOMES = f"""
    {_ALL}
    INSERT INTO message_outcomes
        (creator_id, id, conversation_id, fan_id, generation_id, author, tier, sent_at, settled_at,
         price_minor, currency, replied, time_to_reply, purchased, revenue_minor, refunded_minor,
         currencies_differ, updated_at)
    SELECT %(creator)s, made, id, id, made, 'ai_approved', tier, %(now)s - interval '3 days',
           %(now)s - interval '2 days', 1000, currency, is_replied,
           CASE WHEN is_replied THEN 60 END, is_bought, CASE WHEN is_bought THEN 1000 ELSE 0 END,
           0, false, %(now)s
    FROM told WHERE NOT is_rejected
"""  # noqa: S608 -- the same
