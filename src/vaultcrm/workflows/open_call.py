"""Before the model is called: who asks, which flags apply, what is reserved, what is known.

All of it is one round trip to the database. Whatever refuses the call gives back what the same
round trip has reserved.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

from vaultcrm.controls.auth import acting_chatter, require_creator, require_scope
from vaultcrm.controls.flags import Overrides, effective_flags
from vaultcrm.controls.limits import (
    LONGEST_ANSWER_TOKENS,
    PROMPT_TOKEN_BUDGET,
    policies,
    require_reserved,
)
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import limits, opening, situations
from vaultcrm.db.queries import spending as fan_spending
from vaultcrm.db.queries.opening import Opening
from vaultcrm.db.row_scope import see_as
from vaultcrm.domain.confidence import Calibration
from vaultcrm.domain.conversation import Mode
from vaultcrm.domain.drafting import Phrase
from vaultcrm.domain.errors import AiDisabled, NotFound, Unauthenticated
from vaultcrm.domain.flags import Flags
from vaultcrm.domain.limits import Holding, LimitState, Quota, Reservation
from vaultcrm.domain.people import SYSTEM_USER_ID, Credential
from vaultcrm.domain.situation import Situation
from vaultcrm.domain.spending import OfferHold
from vaultcrm.pipeline.approval.spending import hold_on_offers
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.reserve import reservation_for


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that may go on: for whom, under which flags, with what reserved, about what.

    `chatter_id` is None for automatic work.
    """

    chatter_id: UUID | None
    flags: Flags
    holdings: tuple[Holding, ...]
    """What it has reserved of limits and budgets; a second attempt reserves more."""
    limits: tuple[LimitState, ...]
    quotas: tuple[Quota, ...]
    situation: Situation
    heard: bool = False
    """Whether another system wants to be told when the draft waits."""
    offer_hold: OfferHold | None = None
    """Why the fan gets no offers now; looked up only for a call that is to make one."""
    calibration: Calibration | None = None
    """What scores this creator's drafts; None for the formula alone."""


async def open_call(
    parts: Parts,
    credential: Credential,
    *,
    creator_id: UUID,
    conversation_id: UUID,
    fan_id: UUID | None,
    chatter_id: UUID | None,
    sells: bool = False,
) -> OpenCall:
    """Let a call in, or raise Unauthenticated, Forbidden, NotFound, AiDisabled, LimitExceeded."""
    now = parts.now()
    settings = parts.settings
    reservation = reservation_for(
        parts, parts.drafter.model, PROMPT_TOKEN_BUDGET, LONGEST_ANSWER_TOKENS, now
    )
    repertoire: tuple[Phrase, ...] = ()
    async with parts.pool.unscoped() as connection:
        async with connection.pipeline():
            # Whose rows are seen is set by this statement, for those that travel with it.
            opening_sent = await opening.open_generation(
                connection,
                credential,
                reservation,
                creator_id=creator_id,
                chatter_id=chatter_id,
                per_hour_ceiling=settings.ai_rate_limit_per_hour,
                per_day_ceiling=settings.ai_max_tokens_per_day,
                now=now,
            )
            situation_sent = await situations.load_situation(
                connection,
                creator_id=creator_id,
                conversation_id=conversation_id,
                fan_id=fan_id,
                now=now,
            )
            repertoire_sent = (
                await situations.load_repertoire(connection, creator_id)
                if parts.drafter.reads_repertoire
                else None
            )
            spending_sent = (
                await fan_spending.of_conversation(connection, creator_id, conversation_id, now)
                if sells
                else None
            )
        opened = await opening_sent.answer()
        situation = await situation_sent.answer()
        if repertoire_sent is not None:
            repertoire = await repertoire_sent.answer()
        spent = None if spending_sent is None else await spending_sent.answer()
    if opened is None:
        raise Unauthenticated("This token is unknown, expired or revoked. Make a new one.")
    see_as(opened.caller)
    try:
        require_scope(opened.caller, credential.needs)
        call = _admit(parts, opened, situation, repertoire, reservation, creator_id, chatter_id)
        call = await _with_calibration(parts, await _with_own_rules(parts, call))
        if spent is None:
            return call
        return replace(call, offer_hold=hold_on_offers(spent, call.flags, now))
    except BaseException:
        if opened.holding is not None:
            await _give_back(parts, opened.holding)
        raise


async def _with_own_rules(parts: Parts, call: OpenCall) -> OpenCall:
    """The call with the creator's own content rules, read only if this process lacks them."""
    situation = call.situation
    own_rules = await parts.rule_book.of_creator(situation.creator, parts.pool)
    if own_rules is situation.own_rules:
        return call
    return replace(call, situation=replace(situation, own_rules=own_rules))


async def _with_calibration(parts: Parts, call: OpenCall) -> OpenCall:
    """The call with what scores the creator's drafts, read only if this process lacks it."""
    revision = call.situation.confidence_revision
    if revision is None:
        return call
    creator_id = call.situation.creator.id
    found = await parts.confidence_book.of(creator_id, revision, parts.pool)
    return replace(call, calibration=found)


def _admit(
    parts: Parts,
    opened: Opening,
    situation: Situation | None,
    repertoire: tuple[Phrase, ...],
    reservation: Reservation,
    creator_id: UUID,
    chatter_id: UUID | None,
) -> OpenCall:
    """The checks, in the order in which a caller should hear of them."""
    caller = opened.caller
    acting = acting_chatter(caller, chatter_id)
    if chatter_id is not None and not opened.chatter_exists:
        raise NotFound("chatter")
    require_creator(caller, creator_id)
    if situation is None:
        raise NotFound("conversation")
    flags = effective_flags(
        parts.settings, Overrides(opened.installation_overrides, opened.creator_overrides)
    )
    if not flags.ai_is_on_for(situation.creator.handle):
        raise AiDisabled("AI is switched off. The conversation works without it.")
    if situation.conversation.mode is Mode.OFF:
        raise AiDisabled("AI is off in this conversation. Set its mode to auto or draft_only.")
    now = parts.now()
    require_reserved(opened.states, reservation.windows, now)
    assert opened.holding is not None  # noqa: S101 -- no limit has refused, and there is always one
    return OpenCall(
        chatter_id=None if acting == SYSTEM_USER_ID else acting,
        flags=flags,
        holdings=(opened.holding,),
        limits=opened.states,
        quotas=policies(opened.states, reservation.windows, now),
        situation=replace(situation, repertoire=repertoire) if repertoire else situation,
        heard=opened.heard,
    )


@dataclass(slots=True)
class Spent:
    """What the model has used: tokens, None until it has answered, and millionths of a dollar.
    `held_more` is what was reserved for a second attempt.
    """

    tokens: int | None = None
    micro_usd: int = 0
    held_more: list[Holding] = field(default_factory=list)

    def count(self, tokens: int, micro_usd: int) -> None:
        """Add what one answer has used."""
        self.tokens = (self.tokens or 0) + tokens
        self.micro_usd += micro_usd

    def held_by(self, call: OpenCall) -> tuple[Holding, ...]:
        """All that the call holds by now."""
        return (*call.holdings, *self.held_more)


@asynccontextmanager
async def spending(parts: Parts, call: OpenCall) -> AsyncIterator[Spent]:
    """Hold a call's reservation. If the block fails, what was reserved is given back, or, when the
    model had answered by then, counted as what it really used.
    """
    spent = Spent()
    try:
        yield spent
    except BaseException:
        async with parts.pool.connection() as connection:
            for holding in spent.held_by(call)[1:]:
                await limits.give_back(connection, holding)
            if spent.tokens is None:
                await limits.give_back(connection, call.holdings[0])
            else:
                first = call.holdings[0]
                await limits.settle(connection, first, spent.tokens, spent.micro_usd)
        raise


async def settle_call(connection: Connection, call: OpenCall, tokens: int, micro_usd: int) -> None:
    """Count what a call has really used instead of all that it holds, in the transaction that
    keeps its result.
    """
    first, *more = call.holdings
    await limits.settle(connection, first, tokens, micro_usd)
    for holding in more:
        await limits.give_back(connection, holding)


async def _give_back(parts: Parts, holding: Holding) -> None:
    """Undo a reservation, for a call that did not happen."""
    async with parts.pool.connection() as connection:
        await limits.give_back(connection, holding)
