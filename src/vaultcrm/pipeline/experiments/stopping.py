"""Which variants are taken out of a running test, and how that is told."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from vaultcrm.domain.experiments import Guardrail
from vaultcrm.pipeline.experiments.comparing import Worse, worse_than_allowed
from vaultcrm.pipeline.experiments.counted import Counted, Test, active_variants

GUARDRAIL_WORDS = {
    Guardrail.FILTER_HITS: "drafts in which the filter found something",
    Guardrail.REJECTIONS: "drafts that people rejected",
    Guardrail.COMPLAINTS: "messages that the fan answered with a complaint",
}
GONE = "its template was archived"


def variants_to_stop(
    test: Test, counted: Counted, gone: Collection[str], now: datetime
) -> dict[str, dict[str, Any]]:
    """The variants that are gone or worse than they may be, with when and why."""
    active = active_variants(test)
    stopped: dict[str, dict[str, Any]] = {
        name: {"at": now.isoformat(), "why": GONE} for name in gone if name in active
    }
    limits = {Guardrail(name): limit for name, limit in test["limits"].items()}
    sums = {one: counted.by_variant(one, active) for one in limits}
    for worse in worse_than_allowed(sums, limits):
        # Of two that are both too bad the first is taken out; the other is compared anew without.
        if len(active) - len(stopped) > 1:
            stopped.setdefault(worse.variant, _stopped_by(worse, now))
    return stopped


def _stopped_by(worse: Worse, now: datetime) -> dict[str, Any]:
    what = GUARDRAIL_WORDS[worse.guardrail]
    return {
        "at": now.isoformat(),
        "why": f"{worse.value:.1%} {what}, against {worse.others:.1%} of the others: worse by at "
        f"least {worse.at_least * 100:.1f} points",
        "guardrail": worse.guardrail.value,
    }


def told_of(test: Test, stopped: Mapping[str, Mapping[str, Any]], left: Sequence[str]) -> str:
    """What people are told when variants were stopped; `left` are those that go on."""
    reasons = "; ".join(f"{name} ({why['why']})" for name, why in stopped.items())
    then = (
        f"Fans get {' or '.join(left)} from now on."
        if len(left) > 1
        else "The test has ended: there is nothing left to compare."
    )
    return f"In the A/B test “{test['test_name']}” a variant was stopped: {reasons}. {then}"
