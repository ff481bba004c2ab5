"""What people take out of drafts, and what they put in, against how often chance would do it.

Only drafts count that a person has looked at. One of which less than half is left was written anew,
and says nothing of a single phrase.
"""

from collections.abc import Sequence
from typing import Final

from vaultcrm.domain.learning import PHRASE, Hypothesis, Outcome, Score
from vaultcrm.pipeline.learning.phrases import Finder, runs

LONGEST: Final = 3
"""Words of a phrase that edits are counted of."""


def is_rewritten(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether less than half of the words were kept."""
    words = {word for word in before if word != "|"}
    return len(words & set(after)) * 2 < len(words)


class Edits:
    """Counts over the drafts of one week for some phrases."""

    def __init__(self, phrases: Sequence[str]) -> None:
        self._finder = Finder(phrases)
        size = len(phrases)
        self._lengths = [min(len(phrase.split()), 4) for phrase in phrases]
        self._had = [0] * size
        self._removed = [0] * size
        self._added = [0] * size
        self._runs = [0] * 5
        self._runs_removed = [0] * 5
        self._runs_added = [0] * 5
        self.drafts = 0
        self.modified = 0

    def add(self, before: Sequence[str], after: Sequence[str]) -> None:
        """One draft as it was written and as it was sent, in pieces."""
        changed = before != after
        if changed and is_rewritten(before, after):
            return
        self.drafts += 1
        old = self._finder.in_(before)
        for index in old:
            self._had[index] += 1
        ran = set(runs(before, 1, 4))
        for run in ran:
            self._runs[run.count(" ") + 1] += 1
        if not changed:
            return
        self.modified += 1
        new = self._finder.in_(after)
        for index in old - new:
            self._removed[index] += 1
        for index in new - old:
            self._added[index] += 1
        runs_now = set(runs(after, 1, 4))
        for run in ran - runs_now:
            self._runs_removed[run.count(" ") + 1] += 1
        for run in runs_now - ran:
            self._runs_added[run.count(" ") + 1] += 1

    def scores(self) -> dict[Hypothesis, Score]:
        """How often each phrase was taken out, of the drafts that had it, and put in, of those that
        were changed; against the share of all runs of that length, and the phrase's own share of
        what drafts say.
        """
        found: dict[Hypothesis, Score] = {}
        for index, phrase in enumerate(self._finder.phrases):
            length = self._lengths[index]
            said = self._runs[length]
            if not said or not self.modified:
                continue
            had, arm = self._had[index], PHRASE + phrase
            by_chance = had * self._runs_removed[length] / said
            if had:
                found[Hypothesis(arm, Outcome.REMOVED)] = _score(
                    self._removed[index], by_chance, had, self.drafts - had
                )
            # One more than was seen: what drafts never said has some chance too.
            put_in = self._runs_added[length] * (had + 1) / (said + 1)
            found[Hypothesis(arm, Outcome.ADDED)] = _score(
                self._added[index], put_in, self.modified, self.drafts - self.modified
            )
        return found


def _score(times: int, chance: float, of: int, others: int) -> Score:
    return Score(times - chance, chance, of, times, chance, of, others)
