"""What a simulated creator's team does: drafts are asked for and decided on, answers written."""

from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any
from uuid import UUID

from vaultcrm.adapters.worlds import chatters
from vaultcrm.adapters.worlds.people import WorldChatter
from vaultcrm.adapters.worlds.texts import Flaw, Reading, read_text
from vaultcrm.domain.approval import DecisionAction
from vaultcrm.domain.errors import Conflict, InvalidInput
from vaultcrm.domain.generation import GenerationRecord, GenerationStatus, GenerationType
from vaultcrm.domain.people import Credential
from vaultcrm.workflows.answer_fan import answer_fan
from vaultcrm.workflows.decide_approval import DecisionRequest, decide_approval
from vaultcrm.workflows.generate_message import GenerateRequest, generate_message
from vaultcrm.workflows.simulated_facts import DraftSeen, Fate
from vaultcrm.workflows.simulated_life import Life, Talk
from vaultcrm.workflows.write_message import OwnMessage, write_message

_FATES = {
    DecisionAction.APPROVE: Fate.APPROVED,
    DecisionAction.MODIFY: Fate.MODIFIED,
    DecisionAction.REJECT: Fate.REJECTED,
}
_EFFORT = {
    DecisionAction.APPROVE: 1 / 12,
    DecisionAction.MODIFY: 1 / 3,
    DecisionAction.REJECT: 1 / 12,
}
"""What a decision takes, as a share of writing a message by hand."""
_HARMFUL = frozenset({Flaw.UNSAFE, Flaw.PUSHY})


async def answer(life: Life, about: Mapping[str, Any]) -> None:
    """A draft is made by itself for a fan who has written."""
    kind = GenerationType(about["generation_type"])
    conversation_id = UUID(about["conversation_id"])
    began = perf_counter()
    record = await answer_fan(life.parts, life.creator_id, conversation_id, kind)
    if record is not None:
        await _note_draft(life, record, perf_counter() - began)


async def offer(life: Life, about: Mapping[str, Any]) -> None:
    """A chatter asks for an offer, unless the fan waits for an answer."""
    talk = life.talks[about["fan"]]
    if talk.gone or talk.unanswered or talk.conversation_id is None:
        return
    caller = life.callers[about["chatter"]]
    request = GenerateRequest(life.creator_id, talk.conversation_id, GenerationType.PPV_OFFER)
    began = perf_counter()
    record = await generate_message(life.parts, Credential(user_id=caller.user_id), request)
    await _note_draft(life, record, perf_counter() - began)


async def _note_draft(life: Life, record: GenerationRecord, seconds: float) -> None:
    talk = life.by_conversation[record.conversation_id]
    topic = _asked(talk, record.generation_type)
    reading = read_text(record.message or "")
    flaws = chatters.flaws_seen(life.creator, reading, topic)
    attempts = (record.message or "", *(attempt.message for attempt in record.attempts))
    findings = [record.safety, *(attempt.safety for attempt in record.attempts)]
    fate = {
        GenerationStatus.AUTO_SENT: Fate.AUTOMATIC,
        GenerationStatus.REJECTED: Fate.BLOCKED,
    }.get(record.status, Fate.WAITING)
    no_text = not record.message
    life.drafts[record.id] = DraftSeen(
        minute=life.agenda.minute,
        generation_type=record.generation_type,
        confidence=record.confidence,
        true_chance=0.0 if no_text else chatters.unchanged_by_team(life.creator, flaws),
        read_chance=0.0 if no_text else chatters.unchanged_if_team_reads(life.creator, flaws),
        flaws=tuple(sorted(flaws)),
        found=any(report.findings for report in findings),
        unsafe=any(_harmful(read_text(text)) for text in attempts),
        cost_micro_usd=record.cost_micro_usd,
        seconds=seconds,
        fate=fate,
    )
    if record.status is GenerationStatus.QUEUED:
        chatter, at = chatters.comes_to_it(
            life.creator.chatters,
            life.agenda.minute,
            life.world.spec.seed,
            life.creator.handle,
            len(life.drafts),
        )
        life.agenda.add(at, "decide", record=record, chatter=chatter, number=len(life.drafts))
    elif record.status is GenerationStatus.REJECTED and talk.unanswered:
        _write_later(life, talk, life.agenda.minute, len(life.drafts))


def _asked(talk: Talk, kind: GenerationType) -> str | None:
    """What a draft of this kind is to be about; None where anything will do."""
    return talk.topic if kind is GenerationType.REPLY else None


async def decide(life: Life, about: Mapping[str, Any]) -> None:
    """A chatter comes to a draft that waits: sends it, changes it, or writes another by hand."""
    record: GenerationRecord = about["record"]
    chatter: WorldChatter = about["chatter"]
    talk = life.by_conversation[record.conversation_id]
    ruling = chatters.rule(
        life.creator,
        chatter,
        record.message or "",
        _asked(talk, record.generation_type),
        None if record.suggested_price is None else record.suggested_price.minor,
        life.world.spec.seed,
        about["number"],
    )
    if not record.message:
        ruling = chatters.Ruling(DecisionAction.REJECT, writes_instead=True)
    request = DecisionRequest(
        record.id,
        ruling.action,
        modified_message=ruling.text,
        modified_price=None if ruling.price_minor is None else ruling.price_minor / 100,
        reject_reason=ruling.reason,
    )
    action = ruling.action
    caller = life.callers[chatter.handle]
    try:
        await decide_approval(life.parts, caller, request)
    except Conflict:
        _becomes(life, record.id, Fate.OVERTAKEN)
        return
    except InvalidInput:
        # What may not leave as it is: blocked by the filter, over a cap, or selling is stopped.
        life.tally.refused["InvalidInput"] += 1
        action = DecisionAction.REJECT
        await decide_approval(life.parts, caller, DecisionRequest(record.id, action))
    life.tally.counts["decided"] += 1
    life.tally.minutes += chatters.WRITE_MINUTES * _EFFORT[action]
    _becomes(life, record.id, _FATES[action])
    if action is DecisionAction.REJECT and ruling.writes_instead:
        _write_later(life, talk, life.agenda.minute, about["number"], chatter)


def _becomes(life: Life, generation_id: UUID, fate: Fate) -> None:
    life.drafts[generation_id] = replace(life.drafts[generation_id], fate=fate)


def _write_later(
    life: Life, talk: Talk, minute: float, number: int, chatter: WorldChatter | None = None
) -> None:
    if chatter is None:
        chatter, minute = chatters.comes_to_it(
            life.creator.chatters, minute, life.world.spec.seed, life.creator.handle, number
        )
    life.agenda.add(
        minute + chatters.WRITE_MINUTES,
        "write",
        fan=talk.fan.handle,
        chatter=chatter,
        number=number,
    )


async def write(life: Life, about: Mapping[str, Any]) -> None:
    """A chatter answers by hand, if the fan still waits."""
    talk = life.talks[about["fan"]]
    if not talk.unanswered or talk.conversation_id is None:
        return
    text = chatters.by_hand(
        life.creator, talk.topic, life.world.spec.seed, talk.fan.handle, about["number"]
    )
    wanted = OwnMessage(life.creator_id, talk.conversation_id, text)
    await write_message(life.parts, life.callers[about["chatter"].handle], wanted)
    life.tally.counts["own messages"] += 1
    life.tally.minutes += chatters.WRITE_MINUTES


def _harmful(reading: Reading) -> bool:
    return bool(reading.flaws & _HARMFUL)
