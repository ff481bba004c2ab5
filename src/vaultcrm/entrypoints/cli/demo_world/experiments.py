"""The demo's A/B tests: one that was decided, one that has just begun, and one not started.

The demo has some dozens of fans, too few for a verdict. So the past test is of fans who are made up
here: they are counted day by day as the product counts, and what it says of them is kept.
"""

import json
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from vaultcrm.db.pending import Connection, Record, run
from vaultcrm.db.queries import ab_tests, templates
from vaultcrm.db.queries.ab_fans import MEASURES
from vaultcrm.domain.experiments import (
    AbTestDesign,
    AbTestStatus,
    FanGroup,
    Guardrail,
    Metric,
    Variant,
    VariantKind,
)
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.people import Tier
from vaultcrm.pipeline.experiments.counted import Counted
from vaultcrm.pipeline.experiments.results import results_of
from vaultcrm.pipeline.prompting import PROMPT_VERSIONS

SEED = 7
DAYS = 26
FANS = 420
ENDED = timedelta(days=9)
RATES = {"As it is": 0.41, "Listening": 0.47}
MESSAGES_A_DAY = 0.8
ASIDE: dict[Metric | Guardrail, float] = {
    Guardrail.FILTER_HITS: 0.03,
    Guardrail.REJECTIONS: 0.06,
    Guardrail.COMPLAINTS: 0.01,
}
BUYS = {Tier.LOW: 0.02, Tier.WHALE: 0.09}
PRICE_MINOR = 2_500


async def add_experiments(connection: Connection, creator_id: UUID, now: datetime) -> None:
    """Three tests of a creator, once."""
    if await (
        await ab_tests.list_ab_tests(connection, [creator_id], before=None, limit=1)
    ).answer():
        return
    versions = list(PROMPT_VERSIONS)
    prompts = [
        Variant(name, 1, VariantKind.PROMPT, version)
        for name, version in zip(RATES, versions, strict=False)
    ]
    past = await _add(
        connection, creator_id, "Does taking up details get more answers?", prompts, now
    )
    random = Random(SEED)  # noqa: S311 -- no secret
    await _ended(connection, past, now - ENDED, random)
    welcomes = await _templates(connection, creator_id)
    if len(welcomes) > 1:
        current = await _add(connection, creator_id, "Which one sells more?", welcomes, now)
        await ab_tests.set_ab_test_status(
            connection, creator_id, current["id"], AbTestStatus.RUNNING, now
        )
        halves = dict.fromkeys((one.name for one in welcomes), 0.5)
        await ab_tests.share_out(connection, creator_id, current["id"], halves)
    voices = [Variant(f"Version {one}", 1, VariantKind.PERSONALITY, one) for one in ("0", "1")]
    await _add(connection, creator_id, "The new voice or the plain one?", voices, now)


async def _templates(connection: Connection, creator_id: UUID) -> list[Variant]:
    """Two templates of one type, not of replies: few of the demo's drafts are theirs."""
    found = await (await templates.names_in_use(connection, creator_id, 100)).answer()
    for category in (GenerationType.PPV_OFFER, GenerationType.RE_ENGAGEMENT):
        some = [one for one in found if one[2] is category][:2]
        if len(some) == 2:
            return [Variant(name, 1, VariantKind.TEMPLATE, str(one)) for one, name, _ in some]
    return []


async def _add(
    connection: Connection, creator_id: UUID, name: str, variants: list[Variant], now: datetime
) -> Record:
    sells = "sell" in name
    sent = await ab_tests.add_ab_test(
        connection,
        creator_id=creator_id,
        name=name,
        kind=variants[0].kind,
        variants=variants,
        design=AbTestDesign(Metric.PURCHASE_RATE if sells else Metric.REPLY_RATE),
        now=now,
    )
    return (await sent.answer())[0]


async def _ended(connection: Connection, test: Record, end: datetime, random: Random) -> None:
    """The test as it was at the end of each day of its time, and then ended."""
    start = end - timedelta(days=DAYS)
    shares = dict.fromkeys(RATES, 0.5)
    known = test | {
        "started_at": start,
        "ended_at": None,
        "status": AbTestStatus.RUNNING.value,
        "shares": shares,
        "epochs": [shares],
    }
    fans = [_Fan(random) for _ in range(FANS)]
    for day in range(1, DAYS + 1):
        for fan in fans:
            fan.live(random)
        results = results_of(known, Counted(_groups(fans), ["USD"]), start + timedelta(days=day))
        known = known | {"results": results}
    await run(
        connection,
        """
        UPDATE ai_ab_tests
        SET status = 'ended', created_at = %(start)s, started_at = %(start)s, ended_at = %(end)s,
            counted_until = %(end)s, epoch = 1, shares = %(shares)s::jsonb,
            epochs = jsonb_build_array(%(shares)s::jsonb), results = %(results)s::jsonb
        WHERE creator_id = %(creator_id)s AND id = %(id)s
        """,
        {
            "creator_id": test["creator_id"],
            "id": test["id"],
            "start": start,
            "end": end,
            "shares": json.dumps(shares),
            "results": json.dumps(known["results"]),
        },
    )


class _Fan:
    """A fan with a rate of their own, and what came of their messages so far, by measure."""

    def __init__(self, random: Random) -> None:
        self.variant = random.choice(list(RATES))
        self.tier = Tier.WHALE if random.random() < 0.1 else Tier.LOW
        rate = RATES[self.variant]
        self.rate = random.betavariate(12 * rate, 12 * (1 - rate))
        self.messages = 0
        self.counts = dict.fromkeys(MEASURES, 0)

    def live(self, random: Random) -> None:
        """One more day."""
        for _ in range(2):
            if random.random() > MESSAGES_A_DAY / 2:
                continue
            self.messages += 1
            chances: dict[Metric | Guardrail, float] = {
                Metric.REPLY_RATE: self.rate,
                Metric.PURCHASE_RATE: BUYS[self.tier],
                Metric.APPROVED_UNCHANGED: 0.72,
                **ASIDE,
            }
            for measure, chance in chances.items():
                self.counts[measure] += random.random() < chance
        self.counts[Metric.REVENUE] = PRICE_MINOR * self.counts[Metric.PURCHASE_RATE]


def _groups(fans: list[_Fan]) -> list[FanGroup]:
    """Fans put together as the product's query does it; all had the same probability."""
    found = []
    for variant in RATES:
        for tier in (Tier.LOW, Tier.WHALE):
            some = [fan for fan in fans if (fan.variant, fan.tier) == (variant, tier)]
            sums = {measure: _sums(some, measure) for measure in MEASURES}
            messages = sum(fan.messages for fan in some)
            found.append(FanGroup(1, tier.value, variant, len(some), messages, 0, sums))
    return found


def _sums(fans: list[_Fan], measure: Metric | Guardrail) -> tuple[float, ...]:
    w = 2.0
    pairs = [(fan.messages, fan.counts[measure]) for fan in fans]
    n, y = sum(n for n, _ in pairs), sum(y for _, y in pairs)
    nn = sum(n * n for n, _ in pairs)
    ny = sum(n * y for n, y in pairs)
    yy = sum(y * y for _, y in pairs)
    squares = y * PRICE_MINOR if measure is Metric.REVENUE else y
    weighted = (w * n, w * y, w * nn, w * ny, w * w * nn, w * w * ny, w * w * yy)
    return (sum(n > 0 for n, _ in pairs), n, y, squares, nn, *weighted)
