"""What is kept of a test: figures, differences, the verdict, and what else would have been."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from vaultcrm.domain.experiments import Metric
from vaultcrm.domain.people import Tier
from vaultcrm.pipeline.experiments.comparing import MEASURED, Sums, differences, interval
from vaultcrm.pipeline.experiments.counted import Counted, Test, active_variants, day_of
from vaultcrm.pipeline.experiments.policies import Group, NoAnswer, policy_value
from vaultcrm.pipeline.experiments.ratio import shared_out_wrong
from vaultcrm.pipeline.experiments.verdict import Figures, judge

MOST_DAYS_KEPT = 400
WRONG_SHARES = (
    "Something is wrong with the assignment: fans are not shared out as they were meant to be. Do "
    "not trust these figures. End the test, find out why, and begin a new one."
)


def results_of(test: Test, counted: Counted, now: datetime) -> dict[str, Any]:
    """What is kept: the specification's `results`, by the names that the API shows."""
    names = [one["name"] for one in test["variants"]]
    metric = Metric(test["metric"])
    active = active_variants(test) or names
    compared = counted.by_variant(metric, active)
    baseline = active[0]
    mixed = metric is Metric.REVENUE and len(counted.currencies) > 1
    wrong = _ratio_wrong(test, counted)
    found = () if mixed else differences(metric, compared, baseline, len(names) - 1)
    days = ((test["ended_at"] or now) - test["started_at"]) / timedelta(days=1)
    mistrust = WRONG_SHARES if wrong else _mixed(counted) if mixed else ""
    judged = judge(
        Figures(
            metric=metric,
            effect=test["smallest_effect"],
            baseline=baseline,
            sums=list(compared.items()),
            differences=found,
            days=days,
            currency=counted.currencies[0] if counted.currencies else "USD",
            mistrust=mistrust,
        )
    )
    told = [{key: _number(value) for key, value in asdict(one).items()} for one in found]
    return {
        "at": now.isoformat(),
        "days": round(days, 2),
        "baseline": baseline,
        "variants": {name: _of_variant(counted, name) for name in names},
        "differences": told,
        "verdict": {
            "outcome": judged.outcome.value,
            "sentence": judged.sentence,
            "winner": judged.winner,
            "days": judged.days,
            "mayStop": judged.may_stop,
        },
        "ratioWrong": wrong,
        "currencies": list(counted.currencies),
        "whatIf": [] if mixed or wrong else _what_if(test, counted, metric, active),
        "notes": _notes(counted, names),
        "series": _series(test, told, now),
        "sharedOn": test["results"].get("sharedOn"),
    }


def _mixed(counted: Counted) -> str:
    return (
        f"The fans of this test pay in {' and '.join(counted.currencies)}. Amounts in different "
        "currencies are never added up, so revenue cannot be compared. End the test, and choose "
        "another metric for the next one."
    )


def _of_variant(counted: Counted, name: str) -> dict[str, Any]:
    groups = [one for one in counted.groups if one.variant == name]
    measures = {}
    for measured in MEASURED:
        sums = counted.by_variant(measured, [name])[name]
        reach = interval(sums)
        measures[measured.value] = {
            "n": round(sums.n),
            "y": _number(sums.y),
            "value": _number(sums.value),
            "low": _number(reach[0]) if reach else None,
            "high": _number(reach[1]) if reach else None,
        }
    return {
        "generations": sum(one.drafts for one in groups),
        "fans": sum(one.fans for one in groups),
        "notApplied": sum(one.not_applied for one in groups),
        "measures": measures,
    }


def _notes(counted: Counted, names: Sequence[str]) -> list[str]:
    """Where a variant could not be used, which counts against it all the same."""
    found = []
    for name in names:
        many = sum(one.not_applied for one in counted.groups if one.variant == name)
        if many:
            found.append(
                f"{many:,} drafts of {name} were made without it, because it could not be used. "
                "They count for it all the same."
            )
    return found


def _ratio_wrong(test: Test, counted: Counted) -> bool:
    fans: dict[int, dict[str, int]] = {}
    for one in counted.groups:
        epoch = fans.setdefault(one.epoch, {})
        epoch[one.variant] = epoch.get(one.variant, 0) + one.fans
    return shared_out_wrong(
        (shares, fans.get(number, {})) for number, shares in enumerate(test["epochs"], start=1)
    )


def _what_if(
    test: Test, counted: Counted, metric: Metric, active: Sequence[str]
) -> list[dict[str, Any]]:
    """What a message would have brought, had every fan, or every whale, got one variant."""
    groups = [
        Group(one.epoch, one.tier, one.variant, Sums(*one.sums[metric])) for one in counted.groups
    ]
    tiers = sorted({group.tier for group in groups})
    epochs = dict(enumerate(test["epochs"], start=1))
    policies = [(f"Every fan gets {name}", dict.fromkeys(tiers, name)) for name in active]
    if Tier.WHALE.value in tiers and len(tiers) > 1:
        policies += [
            (
                f"Whales get {name}, all others {active[0]}",
                dict.fromkeys(tiers, active[0]) | {Tier.WHALE.value: name},
            )
            for name in active[1:]
        ]
    found = []
    for told, policy in policies:
        entry: dict[str, Any] = {"policy": told}
        for method in ("ips", "dr"):
            value = policy_value(groups, policy, epochs, method)
            entry[method] = (
                {"reason": value.reason}
                if isinstance(value, NoAnswer)
                else {
                    "estimate": _number(value.estimate),
                    "low": _number(value.low),
                    "high": _number(value.high),
                    "fans": value.support,
                }
            )
        found.append(entry)
    return found


def _series(test: Test, told: Sequence[Mapping[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """A point for each day (UTC) on which there was something to compare; today's is replaced."""
    before: list[dict[str, Any]] = test["results"].get("series", [])
    if not told:
        return before
    today = day_of(now)
    point = {
        "day": today,
        "differences": {one["variant"]: [one["estimate"], one["low"], one["high"]] for one in told},
    }
    return [*(one for one in before if one["day"] != today), point][-MOST_DAYS_KEPT:]


def _number(value: Any) -> Any:
    """Numbers of floating point as they are worth keeping; anything else as it is."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
