"""The `joined` views: letters that were pulled apart, put together again."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from vaultcrm.pipeline.safety.normalise.folding import REPLACEMENT
from vaultcrm.pipeline.safety.normalise.view import View, ViewName
from vaultcrm.pipeline.safety.normalise.vocabulary import Vocabulary, Words
from vaultcrm.pipeline.safety.patterns import Pattern

SHORTEST_RUN = 3
"""So many letters one by one are a run that is joined; fewer are words of one letter."""

REACH = 256
"""So many characters on both sides of a run are read with its words; more than a rule spans."""

_LETTER = r"(?:[^\W_]|[@$])"
_SPELLED = re.compile(
    rf"(?<![^\W_])(?<![@$]){_LETTER}(?:(?:[^\w@$]|_){{1,3}}{_LETTER}(?![^\W_])){{2,}}"
)
_INNER_PUNCTUATION = r"(?<=[^\W_])[.\-_*~|/\\,:;+=^\"\u00b7\u2022]{1,3}(?=[^\W_])"
_WIDE_SPACE = r"\s{2,}|[\t\n\r\f\v]"
_LOOSE = re.compile(rf"{_INNER_PUNCTUATION}|{_WIDE_SPACE}")
# Beside words that were found, a hyphen may belong to a word that was not pulled apart.
_LOOSE_BUT_HYPHENS = re.compile(rf"(?!-){_INNER_PUNCTUATION}|{_WIDE_SPACE}")
# Whether `_LOOSE` or `_SPELLED` would find something.
_NEEDS_JOINING = Pattern(
    r"[\pL\pN][.\-_*~|/\\,:;+=^\"\x{b7}\x{2022}]{1,3}[\pL\pN]|\s{2}|[\t\n\r\f\v]|"
    r"(?:^|[^\pL\pN])[\pL\pN@$](?:[^\pL\pN@$]{1,3}[\pL\pN@$]){2}(?:[^\pL\pN]|$)"
)


def joined_views(plain: View, vocabulary: Vocabulary) -> Iterator[View]:
    """The text with its pulled-apart letters joined: whole runs first, then words of them."""
    text = plain.text
    if not _NEEDS_JOINING.is_in(text):
        return
    runs = [_letters_of(run) for run in _SPELLED.finditer(text)]
    at_once = _joined_as(plain, runs, [((0, len(run)),) for run in runs], len(text), _LOOSE)
    yield at_once
    if not runs:
        return
    best = [vocabulary.reading("".join(text[index] for index in run)) for run in runs]
    as_set_apart = [_set_apart(text, run) for run in runs]
    seen = {text, at_once.text}
    for readings in (best, as_set_apart):
        in_words = _joined_as(plain, runs, readings, REACH, _LOOSE_BUT_HYPHENS)
        if in_words.text not in seen:
            seen.add(in_words.text)
            yield in_words


def _set_apart(text: str, letters: list[int]) -> Words:
    """The words of a run by its gaps, where some are wider than others or only some are space."""
    gaps = [text[one + 1 : other] for one, other in pairwise(letters)]
    spaces = [any(char.isspace() for char in gap) for gap in gaps]
    if all(spaces):
        narrowest = min(map(len, gaps))
        spaces = [len(gap) > narrowest for gap in gaps]
    bounds = [0, *(at for at, space in enumerate(spaces, 1) if space), len(letters)]
    return tuple(pairwise(bounds))


def _joined_as(
    plain: View,
    runs: list[list[int]],
    readings: Sequence[Words],
    reach: int,
    loose: re.Pattern[str],
) -> View:
    """Each run, given as the offsets of its letters, with the words of its reading joined.

    What is farther than `reach` from the runs beside it is left out, as is `loose` of the rest.
    """
    text = plain.text
    copy = _Copy(text, loose)
    at = 0
    for letters, words in zip(runs, readings, strict=True):
        copy.loosen_near(at, letters[0], reach)
        copy.join_words(letters, words)
        at = letters[-1] + 1
    copy.loosen_near(at, len(text), reach)
    return View(
        ViewName.JOINED,
        "".join(copy.out),
        plain.original,
        plain,
        copy.positions,
        tuple(copy.joined),
    )


class _Copy:
    """A text as it is copied: in pieces, where each character stood, and where runs were joined."""

    def __init__(self, text: str, loose: re.Pattern[str]) -> None:
        self.out: list[str] = []
        self.positions: list[int] = []
        self.joined: list[tuple[int, int]] = []
        self._text = text
        self._loose = loose

    def loosen_near(self, start: int, end: int, reach: int) -> None:
        """Copy `start:end`, but of its middle, farther than `reach` from both, only a mark."""
        if end - start > 2 * reach:
            self._loosen(start, start + reach)
            self.out.append(REPLACEMENT)
            self.positions.append(start + reach)
            start = end - reach
        self._loosen(start, end)

    def _loosen(self, start: int, end: int) -> None:
        """Copy `start:end` without punctuation inside words and with single spaces."""
        at = start
        # One character more: punctuation at the end is inside a word if the next is a letter.
        for gap in self._loose.finditer(self._text, start, end + 1):
            if gap.start() >= end:
                break
            self._take(at, gap.start())
            if gap[0].isspace():
                self.out.append(" ")
                self.positions.append(gap.start())
            at = gap.end()
        self._take(at, end)

    def _take(self, start: int, end: int) -> None:
        self.out.append(self._text[start:end])
        self.positions.extend(range(start, end))

    def join_words(self, letters: list[int], words: Words) -> None:
        """Copy a run with its words joined and set apart.

        What is in none of the words is copied as if there were no run.
        """
        at = 0
        for start, end in (*words, (len(letters), len(letters))):
            for first, last, is_word in ((at, start, False), (start, end, True)):
                if first == last:
                    continue
                if first:
                    self.out.append(" ")
                    self.positions.append(letters[first] - 1)
                if is_word:
                    joined = letters[first:last]
                    begins = len(self.positions)
                    self.joined.append((begins, begins + len(joined)))
                    self.out += [self._text[index] for index in joined]
                    self.positions += joined
                else:
                    self._loosen(letters[first], letters[last - 1] + 1)
            at = end


def _letters_of(run: re.Match[str]) -> list[int]:
    return [
        index for index, char in enumerate(run[0], run.start()) if char.isalnum() or char in "@$"
    ]
