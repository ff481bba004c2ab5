"""Read what a fan wrote with the checker model: mood, intent, language, and what calls for care.

The content filter saw the message when it came in. This second look sees what words alone do not
show. It only ever adds care and takes none away.
"""

from datetime import datetime

from vaultcrm.controls.flags import Overrides, effective_flags
from vaultcrm.controls.limits import CHECK_ANSWER_TOKENS, CHECK_PROMPT_TOKENS
from vaultcrm.db.queries import audit, flags, limits, threads, usage
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.conversation import Care, Sender
from vaultcrm.domain.drafting import Distress, MessageAnalysis
from vaultcrm.domain.errors import AiDisabled, DrafterError
from vaultcrm.domain.limits import Holding
from vaultcrm.domain.situation import Situation
from vaultcrm.pipeline.context import last_fan_text
from vaultcrm.workflows.alerting import alert_to_unknown_model
from vaultcrm.workflows.care_state import begins, care_begins
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.redaction import for_model
from vaultcrm.workflows.reserve import cost_of, reservation_for, reserve

MOST_CHARACTERS = 2_000


async def read_message(parts: Parts, situation: Situation) -> bool:
    """Analyse the fan's last words and keep what was seen; False when the checker could not.

    Raises AiDisabled, or LimitExceeded when a limit or a budget is reached.
    """
    now = parts.now()
    creator_id = situation.creator.id
    reservation = reservation_for(
        parts, parts.settings.ai_model_checker, CHECK_PROMPT_TOKENS, CHECK_ANSWER_TOKENS, now
    )
    async with parts.pool.connection() as connection:
        in_force = effective_flags(
            parts.settings, Overrides(*await flags.overrides(connection, creator_id))
        )
        if not in_force.ai_is_on_for(situation.creator.handle):
            raise AiDisabled("AI is switched off.")
        holding = await reserve(
            parts,
            connection,
            reservation,
            creator_id=creator_id,
            user_id=None,
            max_tokens_per_day=in_force.max_tokens_per_day,
        )
    shown = for_model(situation)
    earlier = tuple(message.text for message in shown.messages)
    try:
        with parts.running_calls.stoppable(situation.creator, parts.pool, parts.settings):
            analysis = await parts.drafter.analyze_message(
                last_fan_text(shown)[-MOST_CHARACTERS:], earlier
            )
    except BaseException as error:
        async with parts.pool.connection() as connection:
            await limits.give_back(connection, holding)
        if isinstance(error, DrafterError):
            return False
        raise
    await _keep(parts, situation, analysis, holding, now)
    return True


def care_seen(analysis: MessageAnalysis) -> Care | None:
    """What the analysis calls for. A possible sign counts: a person finds out."""
    if analysis.possible_minor:
        return Care.POSSIBLE_MINOR
    return None if analysis.distress is Distress.NONE else Care.DISTRESS


async def _keep(
    parts: Parts,
    situation: Situation,
    analysis: MessageAnalysis,
    holding: Holding,
    now: datetime,
) -> None:
    """The analysis, its cost, and the care that it calls for, together.

    Counters come last, as in every transaction that locks a conversation too.
    """
    creator_id, conversation = situation.creator.id, situation.conversation
    care = care_seen(analysis)
    cost = cost_of(parts, analysis.model, analysis.usage, now)
    async with parts.transaction() as connection:
        await usage.insert(
            connection,
            creator_id=creator_id,
            generation_id=None,
            purpose="analysis",
            model=analysis.model,
            used=analysis.usage,
            cost_micro_usd=cost,
            now=now,
        )
        await alert_to_unknown_model(parts, connection, analysis.model, now)
        await threads.note_analysis(
            connection,
            creator_id,
            next(m.id for m in reversed(situation.messages) if m.sender is Sender.FAN),
            sentiment=analysis.sentiment,
            intent=analysis.intent,
            language=analysis.language,
        )
        if care is not None:
            await threads.note_care(connection, creator_id, conversation.id, care, now)
        if care is not None and begins(conversation.care, care):
            await care_begins(parts, connection, creator_id, conversation.id, care, now)
            await audit.record(
                connection,
                AuditEntry(
                    creator_id=creator_id,
                    actor_id=None,
                    action=AuditAction.CARE_CHANGED,
                    subject_type="conversation",
                    subject_id=str(conversation.id),
                    at=now,
                    details={"care": care.value, "seen_by": analysis.model},
                ),
            )
        await limits.settle(connection, holding, analysis.usage.total, cost)
