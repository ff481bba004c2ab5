"""What care for a fan asks of whoever answers them: beside a conversation and beside a draft."""

from dataclasses import dataclass

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import spending as queries
from vaultcrm.domain.money import Money
from vaultcrm.domain.safety import Category, Scope
from vaultcrm.domain.situation import Situation
from vaultcrm.domain.spending import OfferHold, Spending
from vaultcrm.entrypoints.web.frame.desk import Desk
from vaultcrm.pipeline.approval.spending import hold_on_offers, week_cap
from vaultcrm.pipeline.context import last_fan_text
from vaultcrm.pipeline.guidance import Guide
from vaultcrm.workflows.guide_care import guide
from vaultcrm.workflows.parts import Parts


@dataclass(frozen=True, slots=True)
class Beside:
    """What a chatter has to know. `guide` is there where the fan needs care; `injected` are words
    of theirs that speak to the AI, `hold` says why no offer goes to them now.
    """

    guide: Guide | None
    injected: tuple[str, ...]
    spending: Spending
    cap: Money | None
    most_offers: int
    hold: OfferHold | None
    is_lifted: bool
    cools_off: bool


async def read_beside(
    parts: Parts, connection: Connection, desk: Desk, situation: Situation
) -> Beside:
    """Read it. The guidance is asked for only where the fan needs care."""
    creator, fan = situation.creator, situation.fan
    found = await (await queries.of_fan(connection, creator.id, fan.id, desk.now)).answer()
    spending = found or Spending(fan.id, fan.lifetime_value.currency)
    flags = desk.flags_of(creator.id)
    report = parts.content_filter.check(last_fan_text(situation), Scope.FAN, region=creator.region)
    return Beside(
        guide=await guide(connection, creator, situation.conversation.care),
        injected=tuple(
            dict.fromkeys(
                finding.matched.strip()
                for finding in report.findings
                if finding.category is Category.PROMPT_INJECTION
            )
        ),
        spending=spending,
        cap=week_cap(flags, spending.currency),
        most_offers=flags.offers_per_fan_per_day,
        hold=hold_on_offers(spending, flags, desk.now),
        is_lifted=spending.is_lifted(desk.now),
        cools_off=spending.cools_off(desk.now),
    )
