"""A world without pipeline: how well confidence and a plain learner do at high speed.

The learner is a yardstick and no more: it counts. What the product learns with is measured by the
evaluations in `evals/`, which may use the same worlds (`vaultcrm.adapters.worlds.arrays`).
"""

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from vaultcrm.adapters.worlds.arrays import (
    ArrayWorld,
    Floats,
    Messages,
    Policy,
    approval_chances,
    arrays_of,
    draw_messages,
    oracle_policy,
    reply_chances,
    starting_policy,
    value,
)
from vaultcrm.adapters.worlds.people import build_world
from vaultcrm.adapters.worlds.presets import WorldSpec
from vaultcrm.entrypoints.cli.simulation.figures import could_send, reliability

Figures = dict[str, Any]

PER_CREATOR_AND_WEEK = 250
"""Messages: 5,000 a week with 20 creators."""
EXPLORES = 0.1
"""The share of messages in which the learner tries any tone, phrase and question."""
PRIOR = 20.0
"""So many messages of the creator's mean stand behind each choice before any was made."""


@dataclass(slots=True)
class _Counts:
    """Replies and messages by creator and choice."""

    tones: tuple[Floats, Floats]
    phrases: tuple[Floats, Floats]
    asks: tuple[Floats, Floats]


def learn_in_world(spec: WorldSpec) -> tuple[Figures, Figures]:
    """Figures, the same for the same spec, and what it took on this machine."""
    began = perf_counter()
    world = arrays_of(build_world(spec))
    rng = np.random.default_rng(spec.seed)
    start = policy = starting_policy(world)
    counts = _empty(world)
    count = PER_CREATOR_AND_WEEK * spec.creators
    weeks: list[Figures] = []
    confidences: list[tuple[int, float, bool | None]] = []
    chances: list[float] = []
    changed = 0.0
    for week in range(max(1, -(-spec.days // 7))):
        sent = draw_messages(world, policy, count, week=week, rng=rng)
        replied = rng.random(count) < reply_chances(world, sent)
        true = approval_chances(world, sent)
        approved = rng.random(count) < true
        read = approval_chances(world, sent, if_read=True)
        confidences += [
            (int(rating), float(chance), bool(kept))
            for rating, chance, kept in zip(sent.rating, true, approved, strict=True)
        ]
        chances += [float(chance) for chance in read]
        changed += float((1 - true).sum())
        oracle = oracle_policy(world, week)
        weeks.append(
            {
                "week": week,
                "messages": count,
                "replies": int(replied.sum()),
                "replyChance": {
                    "asItBegan": _mean(value(world, start, week)),
                    "learned": _mean(value(world, policy, week)),
                    "oracle": _mean(value(world, oracle, week)),
                },
            }
        )
        _count(counts, sent, replied.astype(float))
        policy = _learned(counts)
    total = len(chances)
    last = weeks[-1]["replyChance"]
    gap = last["oracle"] - last["asItBegan"]
    possible = could_send(chances)
    figures = {
        "world": {
            "preset": spec.preset.value,
            "summary": world.world.preset.summary,
            "creators": spec.creators,
            "fans": spec.fans,
            "days": spec.days,
            "seed": spec.seed,
        },
        "weeks": weeks,
        "gapClosed": round((last["learned"] - last["asItBegan"]) / gap, 4) if gap > 1e-9 else None,
        "reliability": reliability(confidences),
        "approvals": {
            "drafts": total,
            "wouldBeChangedShare": round(changed / total, 4),
            "oracleCouldSend": possible,
            "oracleShare": round(possible / total, 4),
        },
    }
    seconds = perf_counter() - began
    return figures, {
        "seconds": round(seconds, 3),
        "decisions": total,
        "decisionsPerSecond": round(total / seconds, 1),
    }


def _empty(world: ArrayWorld) -> _Counts:
    creators, tones = world.voice.shape
    phrases = world.phrases.shape[1] + 1

    def pair(places: int) -> tuple[Floats, Floats]:
        return np.zeros((creators, places)), np.zeros((creators, places))

    return _Counts(pair(tones), pair(phrases), pair(2))


def _count(counts: _Counts, sent: Messages, replied: Floats) -> None:
    for (replies, messages), choice in (
        (counts.tones, sent.tone),
        (counts.phrases, sent.phrase),
        (counts.asks, sent.asks.astype(np.int64)),
    ):
        np.add.at(replies, (sent.creator, choice), replied)
        np.add.at(messages, (sent.creator, choice), 1.0)


def _learned(counts: _Counts) -> Policy:
    """What was answered most, nine times of ten; any choice else."""
    asks = _best(counts.asks)
    return Policy(_best(counts.tones), _best(counts.phrases), asks[:, 1])


def _best(counted: tuple[Floats, Floats]) -> Floats:
    replies, messages = counted
    mean = replies.sum(axis=1, keepdims=True) / messages.sum(axis=1, keepdims=True)
    rates = (replies + PRIOR * mean) / (messages + PRIOR)
    places = rates.shape[1]
    chosen: Floats = (1 - EXPLORES) * np.eye(places)[rates.argmax(axis=1)] + EXPLORES / places
    return chosen


def _mean(values: Floats) -> float:
    return round(float(values.mean()), 5)
