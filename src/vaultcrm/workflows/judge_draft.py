"""Have the checker model judge what a draft means, where rules leave doubt or much is at stake.

The same text in the same situation is judged once. A judge that cannot be asked, is too slow or
gives no usable answer has judged nothing: the draft goes to a person.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from uuid import UUID

from vaultcrm.adapters.llm.calling import JUDGE_MAX_TOKENS
from vaultcrm.db.queries import judgements, limits, usage
from vaultcrm.db.queries.judgements import JudgedText, KeptFinding, KeptJudgement
from vaultcrm.domain.drafting import DraftOutcome
from vaultcrm.domain.errors import DrafterError, LimitExceeded
from vaultcrm.domain.judging import Judgement, JudgeRequest
from vaultcrm.domain.limits import Holding
from vaultcrm.domain.safety import Category, Finding, SafetyReport, report_of
from vaultcrm.pipeline.context import last_fan_text
from vaultcrm.pipeline.prompting import prompt_tokens
from vaultcrm.pipeline.prompting.judging import (
    FAN_CHARACTERS,
    JUDGE_PROMPT_VERSION,
    LONGEST_JUDGED,
    build_judge_prompt,
)
from vaultcrm.pipeline.safety.judging import (
    JudgingCase,
    apply_judgement,
    doubts_in,
    judged_finding,
    located,
    needs_judging,
)
from vaultcrm.pipeline.safety.personal_data import redact
from vaultcrm.workflows.alerting import alert_to_unknown_model
from vaultcrm.workflows.open_call import OpenCall
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.reserve import cost_of, reservation_for, reserve

PURPOSE = "judge"


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a draft then. `answered` is False when a judge was needed and there is no
    judgement.
    """

    safety: SafetyReport
    answered: bool = True


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a judge has found in a text, now or before, and which doubts it clears."""

    findings: tuple[Finding, ...]
    cleared: frozenset[Category]


async def judge_draft(
    parts: Parts, call: OpenCall, generation_id: UUID, text: str, case: JudgingCase
) -> Judged:
    """The report on a draft after a judge has seen it, if one has to.

    Costs nothing where there is no doubt and nothing at stake: no call, and no statement. Raises no
    DrafterError and no LimitExceeded.
    """
    if not call.flags.judge or not needs_judging(case):
        return Judged(case.safety)
    seen = None
    if len(text) <= LONGEST_JUDGED:
        seen = await _seen(parts, call, generation_id, _request(call, text, case))
    if seen is None:
        return Judged(case.safety, answered=False)
    return Judged(apply_judgement(case.safety, seen.findings, seen.cleared))


def _request(call: OpenCall, text: str, case: JudgingCase) -> JudgeRequest:
    situation = call.situation
    fan_message = last_fan_text(situation)[-FAN_CHARACTERS:]
    return JudgeRequest(
        prompt=build_judge_prompt(
            text,
            fan_message=redact(fan_message, situation.creator.region),
            price=case.price,
            language=situation.creator.language,
            doubts=doubts_in(case.safety),
        ),
        text=text,
        user_hash=hashlib.sha256(situation.fan.id.bytes).hexdigest()[:32],
        fan_name=situation.fan.display_name,
        repertoire=situation.repertoire,
    )


async def _seen(
    parts: Parts, call: OpenCall, generation_id: UUID, wanted: JudgeRequest
) -> _Seen | None:
    """What a judge says of a text, now or before; None when there is no judgement."""
    if parts.drafter.reads_repertoire:
        return _read(await parts.judge.judge(wanted), wanted.text)
    creator_id = call.situation.creator.id
    known = JudgedText(
        hashlib.sha256(wanted.prompt.turn.encode("utf-8", "surrogatepass")).digest(),
        JUDGE_PROMPT_VERSION,
        parts.judge.checker,
    )
    # For one call: an answer that has to be repaired may use as much again.
    reservation = reservation_for(
        parts, parts.judge.checker, prompt_tokens(wanted.prompt), JUDGE_MAX_TOKENS, parts.now()
    )
    async with parts.pool.connection() as connection:
        kept = await (await judgements.find(connection, creator_id, known)).answer()
        if kept is not None:
            return _remembered(kept, wanted.text)
        try:
            holding = await reserve(
                parts,
                connection,
                reservation,
                creator_id=creator_id,
                user_id=call.chatter_id,
                max_tokens_per_day=call.flags.max_tokens_per_day,
            )
        except LimitExceeded:
            return None
    judgement = await _ask(parts, call, holding, wanted)
    if judgement is None:
        return None
    seen = _read(judgement, wanted.text)
    await _keep(parts, creator_id, generation_id, known, judgement, seen, holding)
    return seen


async def _ask(
    parts: Parts, call: OpenCall, holding: Holding, wanted: JudgeRequest
) -> Judgement | None:
    """The judge's answer within its time; None, and what was reserved given back, without one."""
    try:
        with parts.running_calls.stoppable(call.situation.creator, parts.pool, parts.settings):
            async with asyncio.timeout(parts.settings.ai_judge_timeout_seconds):
                return await parts.judge.judge(wanted)
    except BaseException as error:
        async with parts.pool.connection() as connection:
            await limits.give_back(connection, holding)
        if isinstance(error, DrafterError | TimeoutError):
            return None
        raise


def _read(judgement: Judgement, text: str) -> _Seen | None:
    if judgement.outcome is not DraftOutcome.COMPLETE:
        return None
    found = tuple(located(finding, text) for finding in judgement.findings)
    return _Seen(found, judgement.cleared)


def _remembered(kept: KeptJudgement, text: str) -> _Seen:
    found = tuple(
        judged_finding(one.category, one.tier, one.start, one.end, text) for one in kept.findings
    )
    return _Seen(found, kept.cleared)


async def _keep(
    parts: Parts,
    creator_id: UUID,
    generation_id: UUID,
    known: JudgedText,
    judgement: Judgement,
    seen: _Seen | None,
    holding: Holding,
) -> None:
    """What the call used, and the judgement if it is one, together."""
    now = parts.now()
    cost = cost_of(parts, judgement.model, judgement.usage, now)
    async with parts.batch() as connection:
        await limits.settle(connection, holding, judgement.usage.total, cost)
        await usage.insert(
            connection,
            creator_id=creator_id,
            generation_id=generation_id,
            purpose=PURPOSE,
            model=judgement.model,
            used=judgement.usage,
            cost_micro_usd=cost,
            now=now,
        )
        await alert_to_unknown_model(parts, connection, judgement.model, now)
        if seen is not None:
            kept = KeptJudgement(
                report_of(seen.findings).verdict,
                tuple(
                    KeptFinding(one.category, one.tier, one.start, one.end) for one in seen.findings
                ),
                seen.cleared,
            )
            await judgements.keep(connection, creator_id, known, kept, now)
