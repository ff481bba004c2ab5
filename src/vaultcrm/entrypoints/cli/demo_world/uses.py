"""How often the demo's templates were used, and what came of it."""

from datetime import datetime, timedelta
from random import Random

from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.template import DAYS_OF_USES
from vaultcrm.entrypoints.cli.demo_world.past import PastUses
from vaultcrm.entrypoints.cli.demo_world.world import DemoTemplate, DemoWorld

_USES_A_DAY = {
    GenerationType.REPLY: 1.1,
    GenerationType.WELCOME: 0.5,
    GenerationType.THANK_YOU: 0.6,
    GenerationType.RE_ENGAGEMENT: 0.4,
    GenerationType.PPV_OFFER: 0.3,
}
_REPLIED = {
    GenerationType.REPLY: 0.62,
    GenerationType.WELCOME: 0.74,
    GenerationType.THANK_YOU: 0.48,
    GenerationType.RE_ENGAGEMENT: 0.31,
    GenerationType.PPV_OFFER: 0.4,
}
_BOUGHT = 0.28


def past_uses(world: DemoWorld, random: Random, now: datetime) -> tuple[PastUses, ...]:
    """Uses of the last 30 days and before, of every template of the world."""
    return tuple(_uses(template, random, now) for template in world.templates)


def _uses(template: DemoTemplate, random: Random, now: datetime) -> PastUses:
    rate = _USES_A_DAY[template.category] * random.uniform(0.5, 1.5)
    by_day: dict[str, int] = {}
    for back in reversed(range(1, DAYS_OF_USES)):
        day = now.date() - timedelta(days=back)
        busy = 1.5 if day.weekday() >= 4 else 0.8
        uses = sum(random.random() < rate * busy / 3 for _ in range(3))
        if uses:
            by_day[day.isoformat()] = uses
    earlier = random.randint(10, 60)
    sent = round((sum(by_day.values()) + earlier) * 0.92)
    bought = _share(sent, _BOUGHT, random) if template.price_minor else 0
    return PastUses(
        creator_handle=template.creator_handle,
        name=template.name,
        by_day=by_day,
        earlier=earlier,
        sent=sent,
        replied=_share(sent, _REPLIED[template.category], random),
        bought=bought,
        revenue_minor=bought * (template.price_minor or 0),
    )


def _share(count: int, chance: float, random: Random) -> int:
    return sum(random.random() < chance for _ in range(count))
