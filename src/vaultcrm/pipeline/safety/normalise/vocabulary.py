"""The words that runs of pulled-apart letters are read with."""

import re
from collections.abc import Iterable

from ahocorasick_rs import AhoCorasick

from vaultcrm.pipeline.safety.normalise.leet import LEET_LETTERS, strokes

SHORTEST_WORD = 2
"""So many letters a word has that is read within a run; shorter ones are read by themselves."""

Words = tuple[tuple[int, int], ...]
"""Words of a run: the first of their letters, and the one after the last."""


class Vocabulary:
    """The words that rules look for, to read runs of pulled-apart letters with."""

    def __init__(self, words: Iterable[str]) -> None:
        """`words` are folded; those of one letter are left out."""
        forms = sorted({strokes(word) for word in words if len(word) >= SHORTEST_WORD})
        self._search = AhoCorasick(forms).find_matches_as_indexes if forms else None

    def reading(self, letters: str) -> Words:
        """The words of a run that cover the most of it, long ones before many short ones.

        The sum of the squares of their lengths is greatest. Letters that are in no word are left
        over, and do not keep the words beside them from being read.
        """
        if self._search is None:
            return ()
        folded = strokes(letters.translate(LEET_LETTERS))
        ending: dict[int, list[int]] = {}
        for _, start, end in self._search(folded, overlapping=True):
            ending.setdefault(end, []).append(start)
        for number in _NUMBER.finditer(letters):
            ending.setdefault(number.end(), []).append(number.start())
        best = [0] * (len(letters) + 1)
        begins: list[int | None] = [None] * (len(letters) + 1)
        for end in range(1, len(letters) + 1):
            best[end] = best[end - 1]
            for start in ending.get(end, ()):
                worth = best[start] + (end - start) ** 2
                if worth > best[end]:
                    best[end], begins[end] = worth, start
        words: list[tuple[int, int]] = []
        end = len(letters)
        while end > 0:
            start_or_none = begins[end]
            if start_or_none is None:
                end -= 1
            else:
                words.append((start_or_none, end))
                end = start_or_none
        return tuple(reversed(words))

    def covers(self, letters: str) -> bool:
        """Whether a run can be read in words with nothing but words of one letter left over."""
        left, at = "", 0
        for start, end in self.reading(letters):
            left, at = left + letters[at:start], end
        return _WORDS_OF_ONE_LETTER.issuperset(left + letters[at:])


_NUMBER = re.compile(r"[0-9]{2,}")
# As they are written in chats: "i c u", "r u ok", "x o x".
_WORDS_OF_ONE_LETTER = frozenset("aiurxoycnk")
NO_WORDS = Vocabulary(())
