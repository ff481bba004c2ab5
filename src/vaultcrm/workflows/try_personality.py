"""Try a voice that is not saved: what it would write, beside what the voice in force writes.

Nothing of it is saved or sent: no generation, no queue, no audit. What the model used counts
against the limits and is written to `usage` with the purpose `trial`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from vaultcrm.controls.auth import require_role
from vaultcrm.db.queries import usage
from vaultcrm.domain.drafting import Draft
from vaultcrm.domain.errors import DrafterError, LimitExceeded
from vaultcrm.domain.generation import GenerationType, TokenUsage
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Caller, Credential, Role
from vaultcrm.domain.personality import Personality
from vaultcrm.domain.safety import SafetyReport
from vaultcrm.pipeline.personality import revise
from vaultcrm.workflows.alerting import alert_to_unknown_model
from vaultcrm.workflows.ask_for_draft import ask_for_draft, prompt_for
from vaultcrm.workflows.assess_draft import (
    NOT_ASKED_FOR,
    care_in,
    check_candidates,
    choose_candidate,
)
from vaultcrm.workflows.change_personality import read_personality
from vaultcrm.workflows.open_call import OpenCall, open_call, settle_call, spending
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.reserve import cost_of

PURPOSE = "trial"


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """Which conversation to draft for, and the fields of the voice that are changed."""

    creator_id: UUID
    conversation_id: UUID
    generation_type: GenerationType
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """What one voice would write. `message` is None where there is nothing to send; `cost` is in
    millionths of a dollar.
    """

    message: str | None
    price: Money | None
    confidence: int
    reasoning: str
    note: str
    safety: SafetyReport
    model: str
    usage: TokenUsage
    cost_micro_usd: int


@dataclass(frozen=True, slots=True)
class Trial:
    """Both voices' samples, or why one of them has none.

    `edited` is None when nothing was changed: then the voice in force alone was asked.
    `picks_from_the_past`: no model is connected, and what drafts instead reads no prompt.
    """

    current: Sample | LimitExceeded | DrafterError
    edited: Sample | LimitExceeded | DrafterError | None
    version: int
    picks_from_the_past: bool


async def try_personality(parts: Parts, caller: Caller, request: TrialRequest) -> Trial:
    """Draft with the voice in force and with the changed one, at once.

    Raises Forbidden for a chatter, NotFound, InvalidInput naming each field at fault, or
    AiDisabled. A limit or a model that fails is told in its sample's place.
    """
    require_role(caller, Role.MANAGER, Role.ADMIN)
    current = await read_personality(parts, caller, request.creator_id)
    edited = revise(current, request.changes)
    unchanged = replace(edited, version=current.version) == current
    voices = [current] if unchanged else [current, edited]
    found = await asyncio.gather(
        *(_sample(parts, caller, request, voice) for voice in voices), return_exceptions=True
    )
    samples = [_answer(one) for one in found]
    return Trial(
        current=samples[0],
        edited=samples[1] if len(samples) > 1 else None,
        version=current.version,
        picks_from_the_past=parts.drafter.reads_repertoire,
    )


def _answer(found: Sample | BaseException) -> Sample | LimitExceeded | DrafterError:
    if isinstance(found, BaseException) and not isinstance(found, LimitExceeded | DrafterError):
        raise found
    return found


async def _sample(
    parts: Parts, caller: Caller, request: TrialRequest, voice: Personality
) -> Sample:
    """One draft: let in, drafted, checked, chosen, and what it used counted."""
    call = await open_call(
        parts,
        Credential(user_id=caller.user_id),
        creator_id=request.creator_id,
        conversation_id=request.conversation_id,
        fan_id=None,
        chatter_id=None,
    )
    async with spending(parts, call) as spent:
        care = care_in(parts, call.situation)
        if request.generation_type.sells and care is not None:
            draft = NOT_ASKED_FOR
        else:
            prompt = prompt_for(parts, call.situation, voice, request.generation_type)
            draft = await ask_for_draft(parts, call, request.generation_type, prompt, None)
        cost = cost_of(parts, draft.model, draft.usage, parts.now())
        spent.count(draft.usage.total, cost)
        checked = check_candidates(parts, call.situation, voice, draft)
        chosen = choose_candidate(call.situation, request.generation_type, care, draft, checked)
        await _count(parts, call, draft, cost)
    return Sample(
        message=chosen.message,
        price=chosen.price,
        confidence=chosen.confidence,
        reasoning=chosen.reasoning,
        note=draft.note,
        safety=chosen.safety,
        model=draft.model,
        usage=draft.usage,
        cost_micro_usd=cost,
    )


async def _count(parts: Parts, call: OpenCall, draft: Draft, cost: int) -> None:
    """What the draft used instead of what was reserved for it, and its row of usage."""
    now = parts.now()
    async with parts.transaction() as connection:
        await settle_call(connection, call, draft.usage.total, cost)
        await usage.insert(
            connection,
            creator_id=call.situation.creator.id,
            generation_id=None,
            purpose=PURPOSE,
            model=draft.model,
            used=draft.usage,
            cost_micro_usd=cost,
            now=now,
        )
        await alert_to_unknown_model(parts, connection, draft.model, now)
