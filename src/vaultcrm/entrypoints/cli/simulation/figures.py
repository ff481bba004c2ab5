"""What a run of a world comes to: JSON values, the same for the same world and settings.

What depends on the machine (times) is apart, in `measured`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from vaultcrm.adapters.worlds.people import World, best_phrase, best_tone, taste
from vaultcrm.workflows.check_world import Invariant
from vaultcrm.workflows.simulated_facts import CreatorRun, DraftSeen, Fate, SentSeen

Figures = dict[str, Any]

DAY_MINUTES = 24 * 60
WEEK_MINUTES = 7 * DAY_MINUTES
BINS = 10
GUARANTEED = 0.02
"""The share of automatic messages that a person may have wanted to change, for the oracle."""
DECIDED = (Fate.APPROVED, Fate.MODIFIED, Fate.REJECTED)
MOST_CREATORS = 12


def figures_of(
    world: World,
    runs: Sequence[CreatorRun],
    invariants: Sequence[Invariant],
    drafter: str,
    *,
    guarantee: bool,
) -> Figures:
    """Everything that the report shows but times. Money in cents, cost in millionths of a dollar,
    shares in 0..1, days and weeks counted from 0. `guarantee`: messages left by themselves only
    under the guarantee.
    """
    drafts = [draft for run in runs for draft in run.drafts]
    sent = [one for run in runs for one in run.sent]
    until = max((run.until for run in runs), default=0.0)
    end = float(world.spec.days * DAY_MINUTES)
    return {
        "world": _world(world, drafter),
        "complete": all(run.until >= end for run in runs),
        "daysDone": round(min((run.until for run in runs), default=0.0) / DAY_MINUTES, 2),
        "invariants": [
            {"name": one.name, "holds": one.holds, "lookedAt": one.looked_at}
            | ({"wrong": list(one.wrong[:5])} if one.wrong else {})
            for one in invariants
        ],
        "totals": _totals(runs, drafts, sent),
        "days": _days(runs, sent, world.spec.days),
        "decisions": _decisions(drafts),
        "reliability": reliability(
            (draft.confidence, draft.true_chance, _unchanged(draft)) for draft in drafts
        ),
        "errorLastWeek": reliability(
            (draft.confidence, draft.true_chance, None)
            for draft in drafts
            if draft.minute >= until - WEEK_MINUTES
        )["error"],
        "automatic": {"guarantee": guarantee, **_automatic(drafts)},
        "weeks": _weeks(runs, sent),
        "filter": _filter(drafts),
        "work": _work(runs),
    }


def measured(runs: Sequence[CreatorRun], seconds: float, jobs: int) -> Figures:
    """What the run took on this machine: seconds, messages a second, latency of drafting."""
    times = sorted(draft.seconds for run in runs for draft in run.drafts)
    messages = sum(len(run.log) + len(run.fan_refs) for run in runs)
    return {
        "seconds": round(seconds, 2),
        "jobs": jobs,
        "events": sum(run.events for run in runs),
        "messages": messages,
        "messagesPerSecond": round(messages / seconds, 1) if seconds else None,
        "draftSeconds": {
            name: round(times[min(len(times) - 1, int(share * len(times)))], 4) if times else None
            for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
        },
    }


def reliability(decided: Iterable[tuple[int, float, bool | None]]) -> Figures:
    """Confidence (0-100) against the true probability, and against what people did.

    The third of each is whether it was approved unchanged, None where nobody decided. The error is
    sum over bins of n/N |mean confidence - mean true probability| (expected calibration error, with
    the truth in the place of the observed share), over ten bins of equal width.
    """
    bins: list[list[tuple[int, float, bool | None]]] = [[] for _ in range(BINS)]
    for one in decided:
        bins[min(BINS - 1, one[0] * BINS // 100)].append(one)
    total = sum(len(found) for found in bins)
    rows, error = [], 0.0
    for number, found in enumerate(bins):
        if not found:
            continue
        confidence = sum(one[0] for one in found) / len(found) / 100
        true = sum(one[1] for one in found) / len(found)
        seen = [one[2] for one in found if one[2] is not None]
        error += len(found) / total * abs(confidence - true)
        rows.append(
            {
                "from": number * 100 // BINS,
                "drafts": len(found),
                "confidence": round(confidence, 4),
                "true": round(true, 4),
                "decided": len(seen),
                "approved": round(sum(seen) / len(seen), 4) if seen else None,
            }
        )
    return {"error": round(error, 4) if total else None, "bins": rows}


def could_send(chances: Iterable[float], limit: float = GUARANTEED) -> int:
    """How many drafts one who knows the true probabilities could send by themselves: as many of the
    surest as keep the expected share of those that a person would have changed within `limit`.
    """
    best, risk = 0, 0.0
    for count, chance in enumerate(sorted(chances, reverse=True), start=1):
        risk += 1 - chance
        if risk <= limit * count:
            best = count
    return best


def _world(world: World, drafter: str) -> Figures:
    spec = world.spec
    weeks = spec.days / 7
    shown = []
    for creator in world.creators[:MOST_CREATORS]:
        tone, phrase = best_tone(world.preset, creator, 0), best_phrase(creator)
        shown.append(
            {
                "handle": creator.handle,
                "voice": list(creator.voice),
                "bestTone": tone,
                "bestToneEffect": round(taste(world.preset, creator, tone, 0), 3),
                "bestToneAtEnd": best_tone(world.preset, creator, weeks),
                "bestPhrase": phrase,
                "bestPhraseEffect": round(creator.phrase_effects[phrase], 3) if phrase else 0.0,
                "sloppiness": [round(one.sloppiness, 3) for one in creator.chatters],
                "leniency": [round(one.leniency, 3) for one in creator.chatters],
            }
        )
    return {
        "preset": spec.preset.value,
        "summary": world.preset.summary,
        "creators": spec.creators,
        "fans": spec.fans,
        "days": spec.days,
        "seed": spec.seed,
        "drafter": drafter,
        "people": shown,
    }


def _totals(
    runs: Sequence[CreatorRun], drafts: Sequence[DraftSeen], sent: Sequence[SentSeen]
) -> Figures:
    return {
        "fanMessages": sum(run.done.fan_messages for run in runs),
        "sent": len(sent),
        "drafts": len(drafts),
        "automatic": sum(one.automatic for one in sent),
        "replies": sum(len(run.done.replies) for run in runs),
        "purchases": sum(len(run.done.purchases) for run in runs),
        "revenueMinor": sum(_revenue(run) for run in runs),
        "refunds": sum(len(run.done.refunds) for run in runs),
        "fansGone": sum(run.done.fans_gone for run in runs),
        "costMicroUsd": sum(draft.cost_micro_usd for draft in drafts),
    }


def _revenue(run: CreatorRun, within: Callable[[float], bool] = lambda minute: True) -> int:
    done = run.done
    paid = sum(cents for minute, cents in (*done.purchases, *done.tips) if within(minute))
    return paid - sum(cents for minute, cents in done.refunds if within(minute))


def _days(runs: Sequence[CreatorRun], sent: Sequence[SentSeen], days: int) -> list[Figures]:
    counts: list[Counter[str]] = [Counter() for _ in range(days)]
    for one in sent:
        kind = "automatic" if one.automatic else "approved" if one.drafted else "byHand"
        counts[min(days - 1, int(one.minute // DAY_MINUTES))][kind] += 1
    return [
        {"day": day, **{kind: found[kind] for kind in ("automatic", "approved", "byHand")}}
        for day, found in enumerate(counts)
    ]


def _unchanged(draft: DraftSeen) -> bool | None:
    """Whether a person approved it unchanged; None where nobody decided."""
    return draft.fate is Fate.APPROVED if draft.fate in DECIDED else None


def _decisions(drafts: Sequence[DraftSeen]) -> Figures:
    """What people did, against what their habits make likely."""
    decided = [draft for draft in drafts if draft.fate in DECIDED]
    plain = [draft for draft in decided if not draft.generation_type.sells]
    fates = Counter(draft.fate.value for draft in drafts)
    count = len(plain)
    return {
        "byFate": {fate.value: fates[fate.value] for fate in Fate},
        "decided": len(decided),
        "withoutPrice": count,
        "approvedUnchanged": _share(sum(d.fate is Fate.APPROVED for d in plain), count),
        "approvedUnchangedTrue": _share(sum(d.true_chance for d in plain), count),
        "approvedUnchangedIfRead": _share(sum(d.read_chance for d in plain), count),
        "modified": _share(sum(d.fate is Fate.MODIFIED for d in plain), count),
        "rejected": _share(sum(d.fate is Fate.REJECTED for d in plain), count),
    }


def _automatic(drafts: Sequence[DraftSeen]) -> Figures:
    """What left by itself, how much of it a person would have changed, and what an oracle could
    have sent with at most 2 % of it changed.
    """
    left = [draft for draft in drafts if draft.fate is Fate.AUTOMATIC]
    simple = [d for d in drafts if not d.generation_type.sells and d.read_chance > 0]
    possible = could_send(draft.read_chance for draft in simple)
    return {
        "sent": len(left),
        "ofDrafts": _share(len(left), len(simple)),
        "wouldBeChanged": round(sum(1 - draft.true_chance for draft in left), 2),
        "wouldBeChangedShare": _share(sum(1 - draft.true_chance for draft in left), len(left)),
        "wouldBeChangedIfRead": _share(sum(1 - draft.read_chance for draft in left), len(left)),
        "oracleCouldSend": possible,
        "oracleShare": _share(possible, len(simple)),
    }


def _weeks(runs: Sequence[CreatorRun], sent: Sequence[SentSeen]) -> list[Figures]:
    """Week by week: what happened, and means a message and an offer of what it was worth, what one
    who knows all would have reached, and what writing by hand would have.
    """
    until = max((run.until for run in runs), default=0.0)
    weeks = []
    for week in range(-(-int(until) // WEEK_MINUTES) or 1):
        begins, ends = week * WEEK_MINUTES, (week + 1) * WEEK_MINUTES

        def within(minute: float, begins: int = begins, ends: int = ends) -> bool:
            return begins <= minute < ends

        ours = [one for one in sent if within(one.minute)]
        texts = [one for one in ours if not one.is_offer]
        offers = [one for one in ours if one.is_offer]
        weeks.append(
            {
                "week": week,
                "messages": len(texts),
                "replies": sum(within(at) for run in runs for at in run.done.replies),
                "replyChance": _worth(texts, 1.0),
                "offers": len(offers),
                "revenueMinor": sum(_revenue(run, within) for run in runs),
                "offerWorthMinor": _worth(offers, 1.0),
            }
        )
    return weeks


def _worth(sent: Sequence[SentSeen], scale: float) -> Figures:
    count = len(sent)
    return {
        "asItWent": _share(scale * sum(one.expected for one in sent), count),
        "oracle": _share(scale * sum(one.oracle for one in sent), count),
        "withoutAi": _share(scale * sum(one.plain for one in sent), count),
    }


def _filter(drafts: Sequence[DraftSeen]) -> Figures:
    """Findings against what was put into the texts. A draft that leads off the platform or presses
    the fan is one that something should be found in.
    """
    return {
        "drafts": len(drafts),
        "withFindings": sum(draft.found for draft in drafts),
        "harmful": sum(draft.unsafe for draft in drafts),
        "caught": sum(draft.unsafe and draft.found for draft in drafts),
        "falseAlarms": sum(draft.found and not draft.unsafe for draft in drafts),
        "harmfulSentByThemselves": sum(
            draft.unsafe and not draft.found and draft.fate is Fate.AUTOMATIC for draft in drafts
        ),
    }


def _work(runs: Sequence[CreatorRun]) -> Figures:
    refused: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for run in runs:
        refused.update(run.work.refused)
        left_out.update(run.jobs_left_out)
    return {
        "decisions": sum(run.work.decisions for run in runs),
        "ownMessages": sum(run.work.own_messages for run in runs),
        "minutes": round(sum(run.work.minutes for run in runs), 1),
        "minutesByHand": round(sum(run.work.minutes_by_hand for run in runs), 1),
        "toldTwice": sum(run.done.told_twice for run in runs),
        "deliveriesTwice": sum(run.work.deliveries_twice for run in runs),
        "refused": dict(sorted(refused.items())),
        "jobsLeftOut": dict(sorted(left_out.items())),
    }


def _share(part: float, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
