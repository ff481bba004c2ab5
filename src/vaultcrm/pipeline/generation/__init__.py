"""From candidates to one draft: which is chosen, and how sure we are of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from vaultcrm.domain.drafting import Candidate
from vaultcrm.domain.generation import SIMPLE_REPLY_MAX_CHARACTERS
from vaultcrm.domain.safety import FindingTier, SafetyReport, Verdict

_STRICTNESS = {Verdict.ALLOW: 0, Verdict.REVIEW: 1, Verdict.BLOCK: 2}

FAMILIAR_MESSAGES = 10
FINDING_PENALTY = 15
LONG_PENALTY = 10
PRICE_PENALTY = 5


@dataclass(frozen=True, slots=True)
class CheckedCandidate:
    """A candidate and what the content filter says about it."""

    candidate: Candidate
    safety: SafetyReport


def choose(checked: Sequence[CheckedCandidate]) -> CheckedCandidate:
    """The candidate with the mildest verdict; among equals the one that the model rates highest.

    `checked` has at least one item; the earlier one wins a tie.
    """
    return min(
        checked, key=lambda item: (_STRICTNESS[item.safety.verdict], -item.candidate.self_rating)
    )


def confidence(
    chosen: CheckedCandidate, all_checked: Sequence[CheckedCandidate], known_messages: int
) -> int:
    """How sure we are that a person would send the draft unchanged, 0-100.

        0.7 · self-rating + 15 · agreement + 15 · familiarity
          − 15 a finding for review − 10 when over 400 characters − 5 when it carries a price

    Agreement is the mean share of words (Jaccard) that the chosen text has in common with the
    other candidates, doubled and cut at 1, since even like-minded texts differ in wording; with no
    other candidate it is 0.5. Familiarity is the number of known messages over ten, cut at 1. This
    is a stated formula; where enough was decided, `pipeline.confidence` makes a calibrated
    probability of it and of other things.
    """
    score = 0.7 * chosen.candidate.self_rating
    score += 15 * agreement(chosen, all_checked) + 15 * familiarity(known_messages)
    score -= FINDING_PENALTY * review_findings(chosen)
    if len(chosen.candidate.message) > SIMPLE_REPLY_MAX_CHARACTERS:
        score -= LONG_PENALTY
    if chosen.candidate.suggested_price_minor is not None:
        score -= PRICE_PENALTY
    return max(0, min(100, round(score)))


def agreement(chosen: CheckedCandidate, all_checked: Sequence[CheckedCandidate]) -> float:
    """How alike the chosen text and the others are, 0-1; 0.5 where there is no other."""
    others = [item.candidate.message for item in all_checked if item is not chosen]
    if not others:
        return 0.5
    words = _words(chosen.candidate.message)
    shares = [_jaccard(words, _words(other)) for other in others]
    return min(1.0, 2 * sum(shares) / len(shares))


def familiarity(known_messages: int) -> float:
    """How well the conversation is known, 0-1."""
    return min(1.0, known_messages / FAMILIAR_MESSAGES)


def review_findings(chosen: CheckedCandidate) -> int:
    """How many findings ask for a person's look."""
    return sum(finding.tier is FindingTier.REVIEW for finding in chosen.safety.findings)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.casefold().split())


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    union = len(one | other)
    return len(one & other) / union if union else 1.0
