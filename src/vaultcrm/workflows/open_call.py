"""Before the model is called: who asks, which flags apply, what is reserved, what is known.

All of it is one round trip to the database. Whatever refuses the call gives back what the same
round trip has reserved.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from vaultcrm.controls.auth import acting_chatter, require_creator, require_scope
from vaultcrm.controls.flags import Overrides, effective_flags
from vaultcrm.controls.limits import require_reserved, reservation_for
from vaultcrm.db.queries import limits, opening, situations
from vaultcrm.db.queries import spending as fan_spending
from vaultcrm.db.queries.opening import Opening
from vaultcrm.db.row_scope import see_as
from vaultcrm.domain.conversation import Mode
from vaultcrm.domain.drafting import Phrase
from vaultcrm.domain.errors import AiDisabled, NotFound, Unauthenticated
from vaultcrm.domain.flags import Flags
from vaultcrm.domain.limits import REQUESTS_PER_HOUR, TOKENS_PER_DAY, Reservation
from vaultcrm.domain.people import SYSTEM_USER_ID, Credential, Role
from vaultcrm.domain.situation import Situation
from vaultcrm.domain.spending import OfferHold
from vaultcrm.pipeline.approval.spending import hold_on_offers
from vaultcrm.workflows.parts import Parts


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that may go on: for whom, under which flags, with what reserved, about what.

    `chatter_id` is None for automatic work; `counted_for` is whose hour the request is counted in.
    """

    chatter_id: UUID | None
    counted_for: UUID
    flags: Flags
    reservation: Reservation
    tokens_used_today: int
    situation: Situation
    heard: bool = False
    """Whether another system wants to be told when the draft waits."""
    offer_hold: OfferHold | None = None
    """Why the fan gets no offers now; looked up only for a call that is to make one."""


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
    reservation = reservation_for(free=parts.drafter.reads_repertoire, now=now)
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
        call = await _with_own_rules(parts, call)
        if spent is None:
            return call
        return replace(call, offer_hold=hold_on_offers(spent, call.flags, now))
    except BaseException:
        counted_for = _counted_for(opened, creator_id, chatter_id)
        await _give_back(parts, reservation, counted_for, opened.used)
        raise


async def _with_own_rules(parts: Parts, call: OpenCall) -> OpenCall:
    """The call with the creator's own content rules, read only if this process lacks them."""
    situation = call.situation
    own_rules = await parts.rule_book.of_creator(situation.creator, parts.pool)
    if own_rules is situation.own_rules:
        return call
    return replace(call, situation=replace(situation, own_rules=own_rules))


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
    require_reserved(
        opened.used,
        reservation,
        per_hour=flags.rate_limit_per_hour,
        per_day=flags.max_tokens_per_day,
        now=parts.now(),
    )
    return OpenCall(
        chatter_id=None if acting == SYSTEM_USER_ID else acting,
        counted_for=_counted_for(opened, creator_id, chatter_id),
        flags=flags,
        reservation=reservation,
        tokens_used_today=opened.used[TOKENS_PER_DAY],
        situation=replace(situation, repertoire=repertoire) if repertoire else situation,
        heard=opened.heard,
    )


def _counted_for(opened: Opening, creator_id: UUID, chatter_id: UUID | None) -> UUID:
    """Whose hour the request was counted in, as the statement that opened the call decided."""
    caller = opened.caller
    if caller.user_id == SYSTEM_USER_ID:
        return creator_id
    return chatter_id if chatter_id and caller.role is Role.SERVICE else caller.user_id


@dataclass(slots=True)
class Spent:
    """Tokens that the model has used; None until it has answered. `reserved_more` are those that
    were reserved for a second attempt.
    """

    tokens: int | None = None
    reserved_more: int = 0

    def held_by(self, call: OpenCall) -> Reservation:
        """All that the call holds by now."""
        return replace(call.reservation, tokens=call.reservation.tokens + self.reserved_more)


@asynccontextmanager
async def spending(parts: Parts, call: OpenCall) -> AsyncIterator[Spent]:
    """Hold a call's reservation. If the block fails, what was reserved is given back, or, when the
    model had answered by then, counted as what it really used.
    """
    spent = Spent()
    try:
        yield spent
    except BaseException:
        if spent.tokens is None:
            limits_held = (REQUESTS_PER_HOUR, TOKENS_PER_DAY)
            await _give_back(parts, call.reservation, call.counted_for, limits_held)
        else:
            async with parts.pool.connection() as connection:
                await limits.settle(connection, spent.held_by(call), spent.tokens)
        raise


async def _give_back(
    parts: Parts, reservation: Reservation, subject: UUID, kinds: Iterable[str]
) -> None:
    """Undo a reservation, for a call that did not happen."""
    async with parts.pool.connection() as connection:
        await limits.give_back(connection, reservation, subject, kinds)
