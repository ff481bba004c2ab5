"""How sure we are of a draft, and whether sending it by itself is covered by a guarantee."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from vaultcrm.domain.approval import ApprovalReason, Decision, PolicyDecision
from vaultcrm.domain.confidence import WHOLE, Missing, Scored
from vaultcrm.domain.draft_options import NO_OPTIONS, DraftOptions
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.situation import Situation
from vaultcrm.pipeline.confidence import Known, guaranteed_from, inputs_of, score_of
from vaultcrm.pipeline.context import last_fan_text
from vaultcrm.pipeline.generation import (
    CheckedCandidate,
    agreement,
    familiarity,
    review_findings,
)
from vaultcrm.workflows.drafted import Chosen, Drafted
from vaultcrm.workflows.open_call import OpenCall
from vaultcrm.workflows.parts import Parts

ELIGIBLE = frozenset(
    {
        ApprovalReason.ROLLOUT_STAGE,
        ApprovalReason.LOW_CONFIDENCE,
        ApprovalReason.NO_GUARANTEE,
        ApprovalReason.TIER_NOT_AUTOMATIC,
    }
)
"""A draft that waits for these alone would leave by itself if it were scored high enough and the
rollout had come to it: people's decisions on such drafts say what automatic ones would be like.
"""


def scored(
    parts: Parts,
    call: OpenCall,
    generation_type: GenerationType,
    drafter: str,
    chosen: Chosen,
    checked: Sequence[CheckedCandidate],
    options: DraftOptions = NO_OPTIONS,
) -> Chosen:
    """What was chosen with its score by the model in force; by the formula where there is none, or
    none that knows this drafter's drafts.
    """
    best = next((one for one in checked if one.candidate.message == chosen.message), None)
    if best is None:
        return chosen
    inputs = _inputs(parts, call.situation, generation_type, chosen, best, checked, options)
    calibration = call.calibration
    if calibration is None or calibration.model is None:
        return replace(chosen, inputs=inputs)
    if drafter not in calibration.model.drafters:
        return replace(chosen, inputs=inputs)
    try:
        score = score_of(calibration.model, inputs)
    except ValueError:
        return replace(chosen, inputs=inputs)
    return replace(
        chosen,
        inputs=inputs,
        confidence=round(score * 100 / WHOLE),
        thousandths=score,
        scored_by=calibration.id,
    )


def _inputs(
    parts: Parts,
    situation: Situation,
    generation_type: GenerationType,
    chosen: Chosen,
    best: CheckedCandidate,
    checked: Sequence[CheckedCandidate],
    options: DraftOptions,
) -> tuple[float, ...]:
    safety = CheckedCandidate(best.candidate, chosen.safety)
    return inputs_of(
        Known(
            formula=chosen.confidence,
            self_rating=best.candidate.self_rating,
            agreement=agreement(best, checked),
            familiarity=familiarity(len(situation.messages)),
            review_findings=review_findings(safety),
            message=best.candidate.message,
            price_minor=None if chosen.price is None else chosen.price.minor,
            generation_type=generation_type.value,
            tier=situation.fan.tier.value,
            foreign_language=not situation.creator.language.startswith("en"),
            at=parts.now(),
            asked_with_wishes=options != NO_OPTIONS,
            from_template=chosen.template_id is not None,
            fan_text=last_fan_text(situation),
        )
    )


def guaranteed(call: OpenCall, chosen: Chosen) -> bool | None:
    """Whether a guarantee lets the draft leave by itself; None where there is no guarantee."""
    if not call.flags.auto_send_guarantee:
        return True
    calibration = call.calibration
    if calibration is None or chosen.thousandths is None or chosen.scored_by != calibration.id:
        return None
    least = guaranteed_from(calibration, call.flags)
    return None if isinstance(least, Missing) else chosen.thousandths >= least


def sampled(drafted: Drafted, call: OpenCall, generation_id: UUID) -> Drafted:
    """The draft as it is kept: one in so many of those that would leave by themselves waits for a
    person instead, drawn by its id, and each one says with what probability a person decides.

    Asked after everything else, so that drawn and sent drafts differ by the lot alone.
    """
    chosen, decision = drafted.chosen, drafted.decision
    if chosen.inputs is None:
        return drafted
    propensity = 1.0 if ELIGIBLE.issuperset(decision.reasons) else None
    if decision.decision is Decision.REJECT:
        propensity = None
    if decision.decision is Decision.AUTO_SEND:
        share = call.flags.auto_send_sample if call.flags.auto_send_guarantee else 0.0
        propensity = share
        if lot(generation_id) < share:
            decision = PolicyDecision(Decision.QUEUE, (ApprovalReason.AUDIT_SAMPLE,))
    known = Scored(chosen.inputs, chosen.scored_by, propensity)
    return replace(drafted, decision=decision, scored=known)


def lot(generation_id: UUID, draw: str = "audit") -> float:
    """A number of 0 to 1 that a draft's id alone decides, another one for each `draw`."""
    drawn = hashlib.sha256(draw.encode() + generation_id.bytes).digest()[:8]
    return int.from_bytes(drawn) / 2**64
