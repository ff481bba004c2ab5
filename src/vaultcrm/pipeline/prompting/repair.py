"""The prompt that asks once more after a draft was stopped, with what was found as feedback."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vaultcrm.domain.drafting import Prompt
from vaultcrm.domain.safety import Category, Finding, FindingTier
from vaultcrm.pipeline.prompting import as_line, environment

UNQUOTED = frozenset(
    {
        Category.PERSONAL_DATA,
        Category.OFF_PLATFORM_CONTACT,
        Category.OFF_PLATFORM_PAYMENT,
        Category.MINORS,
    }
)
"""What was found there may be somebody's data, or is not to be repeated: its kind says enough."""

_MOST_FINDINGS = 6
_MOST_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class _Told:
    category: str
    reason: str
    quote: str


def build_repair_prompt(first: Prompt, findings: Sequence[Finding], *, candidates: int) -> Prompt:
    """The first prompt again, its prefix unchanged so that it is read from the cache, and below it
    what was found in the first answer. What blocked comes before what was to be looked at.
    """
    worst_first = sorted(findings, key=lambda finding: finding.tier is not FindingTier.BLOCK)
    turn = (
        environment()
        .get_template("repair.jinja")
        .render(
            findings=[_told(finding) for finding in worst_first[:_MOST_FINDINGS]],
            candidates=candidates,
        )
    )
    return replace(first, turn=f"{first.turn}\n\n{turn}")


def _told(finding: Finding) -> _Told:
    quote = "" if finding.category in UNQUOTED else finding.matched
    # What a judge gives as its reason was written by a model that had read the draft.
    reason = as_line(finding.reason)[: 2 * _MOST_CHARACTERS]
    return _Told(finding.category.value, reason, as_line(quote)[:_MOST_CHARACTERS])
