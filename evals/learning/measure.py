"""How much of the way to the best policy is gone, and whether anything is proposed for nothing."""

from dataclasses import dataclass, replace

import numpy as np

from evals.learning.world import (
    CREATORS,
    OFFER_SHARE,
    Floats,
    a_week,
    best_policy,
    policy_of,
    starting_voice,
    truth_of,
    value,
)
from vaultcrm.domain.learning import Hypothesis, Score
from vaultcrm.pipeline.learning.deciding import findings_for, pooled, together
from vaultcrm.pipeline.learning.proposing import changed, suggestions

REPLY_MINOR = 100
"""What a reply counts as where replies and revenue are put together: one dollar."""


@dataclass(frozen=True)
class Week:
    """Shares of the gap between the starting voice and the best policy that are closed."""

    replies: float
    revenue: float
    both: float
    proposals: int


def learn(seed: int, *, weeks: int = 8, creators: int = CREATORS, alike: bool = True) -> list[Week]:
    """A standard world with every proposal applied at the end of its week. Not `alike`: creators'
    fans have nothing in common, so that nothing can be learned from all together.
    """
    random = np.random.default_rng(seed)
    truths = [truth_of(random, matters=True, alike=alike) for _ in range(creators)]
    voices = [starting_voice(number) for number in range(creators)]
    start = _values([value(policy_of(v), t) for v, t in zip(voices, truths, strict=True)])
    best = _values([value(best_policy(t), t) for t in truths])
    sums: list[dict[Hypothesis, Score]] = [{} for _ in voices]
    found = []
    for _ in range(weeks):
        for place, (voice, truth) in enumerate(zip(voices, truths, strict=True)):
            sums[place] = together(sums[place], a_week(random, policy_of(voice), truth))
        pool = pooled(sums)
        proposals = 0
        for place, voice in enumerate(voices):
            findings, _ = findings_for(sums[place], pool, creators)
            fields = changed(voice, suggestions(voice, findings))
            proposals += bool(fields)
            voices[place] = replace(voice, **fields)
        now = _values([value(policy_of(v), t) for v, t in zip(voices, truths, strict=True)])
        closed = (now - start) / (best - start)
        replies, revenue, both = (float(each) for each in closed)
        found.append(Week(replies, revenue, both, proposals))
    return found


def _values(each: list[tuple[float, float]]) -> Floats:
    replies, brings = np.mean(each, axis=0)
    return np.array([replies, brings, REPLY_MINOR * replies + OFFER_SHARE * brings])


def proposes_anything(seed: int, *, weeks: int = 8, creators: int = CREATORS) -> bool:
    """Whether anything at all is ever proposed for anybody in a world where nothing matters."""
    random = np.random.default_rng(seed)
    truth = truth_of(random, matters=False)
    voice = starting_voice(0)
    policy = policy_of(voice)
    sums: list[dict[Hypothesis, Score]] = [{} for _ in range(creators)]
    for _ in range(weeks):
        sums = [together(each, a_week(random, policy, truth)) for each in sums]
        pool = pooled(sums)
        for each in sums:
            findings, _ = findings_for(each, pool, creators)
            if suggestions(voice, findings):
                return True
    return False
