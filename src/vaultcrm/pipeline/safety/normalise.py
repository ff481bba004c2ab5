"""Views of a text: the same text as different readers see it, each with a map back to it.

A rule never sees what a person typed but a *view* of it, so that one rule covers all its
disguises. Every view maps its offsets back to the text, so that findings point at what was typed.

| view           | what it undoes                                                              |
|----------------|-----------------------------------------------------------------------------|
| `plain`        | case, compatibility forms (NFKC), accents, invisible characters, lookalikes |
| `leet`         | digits and symbols that stand for letters: `v3nm0`                           |
| `joined`       | letters that were pulled apart: `v.e.n.m.o`, `v e n m o`, `ven-mo`           |
| `joined_leet`  | both                                                                         |
| `signs`        | signs drawn like letters (`normalise_signs`), as in `ᗷᎥ丅`                    |
| `reread`       | words disguised in any other way (`normalise_words`): `v*nmo`, `venmooo`     |

`views_of` makes only the views that differ from `plain`, so that ordinary text costs one.

Where letters were pulled apart, nothing says where one word ends and the next begins: in
`k i k u r` the last two may be "you are". Terms are therefore found anywhere within a run of such
letters, and the joined view is also made with only the words of a `Vocabulary` joined, for
patterns and phrases, which need to see where a word ends. Where the letters of a word stand closer
together than its words do (`v.e.n.m.o m.e`, `v e n m o  m e`), it is also read as they stand.
"""

import re
import sys
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise

from ahocorasick_rs import AhoCorasick
from anyascii import anyascii
from confusable_homoglyphs import confusables

from vaultcrm.pipeline.safety.normalise_signs import SIGNS
from vaultcrm.pipeline.safety.patterns import Pattern

REPLACEMENT = "\ufffd"

SHORTEST_RUN = 3
"""So many letters one by one are a run that is joined; fewer are words of one letter."""

REACH = 256
"""So many characters on both sides of a run are read with its words; more than a rule spans."""

SHORTEST_WORD = 2
"""So many letters a word has that is read within a run; shorter ones are read by themselves."""


class ViewName(StrEnum):
    PLAIN = "plain"
    LEET = "leet"
    JOINED = "joined"
    JOINED_LEET = "joined_leet"
    SIGNS = "signs"
    REREAD = "reread"


class Disguise(StrEnum):
    """How a matched span hides what it says."""

    LOOKALIKE = "lookalike"
    LEET = "leet"
    SEPARATED = "separated"
    STRETCHED = "stretched"
    MASKED = "masked"
    MISSPELLED = "misspelled"


# Marks that decorate letters of alphabets whose bare letter reads the same. Vowel signs of Indic
# and South-East Asian scripts are marks too, but dropping them would change the word.
_DECORATION = (
    (0x0300, 0x036F),
    (0x0483, 0x0489),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE00, 0xFE0F),
    (0xFE20, 0xFE2F),
    (0xE0100, 0xE01EF),
)
# Code points that show nothing though Unicode does not call them format characters.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0")
_TYPOGRAPHY = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u02b9\u00b4`\uff07", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-"),
    **dict.fromkeys("\u2028\u2029\u0085", "\n"),
}
_TAGS = range(0xE0020, 0xE007F)


def _is_decoration(char: str) -> bool:
    point = ord(char)
    return any(low <= point <= high for low, high in _DECORATION)


# Alphabets whose small letters are drawn as small capitals: their table entry is the capital's.
_SMALL_CAPITALS = tuple(
    chr(point)
    for point in (*range(0x03B1, 0x03CA), *range(0x0430, 0x0460), *range(0x2C81, 0x2CB2, 2))
)


def _lookalikes() -> dict[str, str]:
    """Characters that look like one ASCII letter or digit, by Unicode's table of confusables."""
    table: dict[str, str] = {}
    for char, alternatives in confusables.confusables_data.items():
        if len(char) != 1 or char.isascii():
            continue
        for alternative in alternatives:
            ascii_form: str = alternative["c"]
            if len(ascii_form) == 1 and ascii_form.isascii() and ascii_form.isalnum():
                table[char] = ascii_form.lower()
                break
    # Unicode puts every bare vertical stroke with `l`. These two are the letter I in their own
    # alphabets, and their small form is a dotted i. Small eta looks like n, its capital like H.
    table["\u0406"] = table["\u0399"] = "i"
    table["\u03b7"] = "n"
    table["\u04c0"] = table["\u04cf"] = "l"
    table["\u01b2"] = table["\u028b"] = "v"
    for char in _SMALL_CAPITALS:
        if char not in table and char.upper() in table:
            table[char] = table[char.upper()]
    return table


def _fold_character(char: str, lookalikes: dict[str, str]) -> str:
    """What one character reads as: lower-case ASCII where it can, "" where it shows nothing."""
    point = ord(char)
    if char in _TYPOGRAPHY:
        return _TYPOGRAPHY[char]
    if point in _TAGS:
        return chr(point - 0xE0000).lower()
    category = unicodedata.category(char)
    if category == "Cs":
        return REPLACEMENT
    if category == "Cf" or char in _BLANK or _is_decoration(char):
        return ""
    if category in {"Zs", "Zl", "Zp"}:
        return " "
    if category == "Nd":
        return str(unicodedata.digit(char))
    compatible = unicodedata.normalize("NFKC", char)
    if len(compatible) == 1 and compatible.isascii() and compatible.isalpha():
        return compatible.lower()
    # Before case folding: capital lookalikes fold to small letters that look like another letter.
    if char in lookalikes:
        return lookalikes[char]
    if len(compatible) == 3 and compatible[0] == "(" and compatible[1].isalpha():
        compatible = compatible[1]
    return "".join(_fold_part(part, lookalikes) for part in compatible)


def _fold_part(part: str, lookalikes: dict[str, str]) -> str:
    decomposed = unicodedata.normalize("NFD", part)
    if all(_is_decoration(mark) for mark in decomposed[1:]):
        part = decomposed[0]
    if _is_decoration(part):
        return ""
    folded = "".join(lookalikes.get(char, char) for char in lookalikes.get(part, part).casefold())
    if folded.isascii():
        return folded
    name = unicodedata.name(part, "")
    if name.startswith(("LATIN ", "NEGATIVE CIRCLED LATIN ", "NEGATIVE SQUARED LATIN ")):
        return str(anyascii(part)).lower() or folded
    return folded


class _FoldTable(dict[int, str]):
    """A table for `str.translate` that works out each character the first time it is met."""

    def __init__(self) -> None:
        super().__init__({point: chr(point).lower() for point in range(128)})
        self[ord("`")] = "'"
        self._lookalikes = _lookalikes()

    def __missing__(self, point: int) -> str:
        folded = _fold_character(chr(point), self._lookalikes)
        if len(self) < _FOLD_TABLE_SIZE:
            self[point] = folded
        return folded


# Room for the alphabets in daily use; a text of rare characters must not fill the memory.
_FOLD_TABLE_SIZE = 16_384
_FOLD = _FoldTable()


_NOT_PLAIN = re.compile(r"([^\x00-\x5f\x61-\x7f]+)")


def fold(text: str) -> str:
    """The `plain` view's text. Works character by character, so it commutes with slicing."""
    if text.isascii() and "`" not in text:
        return text.lower()
    # Looking up each character costs ten times what `lower` does; most of a text is plain.
    parts = _NOT_PLAIN.split(text)
    parts[::2] = [part.lower() for part in parts[::2]]
    parts[1::2] = [part.translate(_FOLD) for part in parts[1::2]]
    return "".join(parts)


def _is_accented(char: str) -> bool:
    """Whether it is a letter with an accent, as European languages are written with."""
    return 0xC0 <= ord(char) <= 0x17F


def is_lookalike(char: str) -> bool:
    """True for a character that is read as ASCII letters or digits, or not at all, but is not."""
    if char.isascii() or _is_accented(char):
        return False
    folded = char.translate(_FOLD)
    return (not folded and not _is_decoration(char)) or (folded.isascii() and folded.isalnum())


@dataclass(frozen=True)
class View:
    """One reading of `original`. Offsets are code points.

    `parent` is the view that this one was made from, None for `plain`, and `positions[i]` is the
    offset in the parent of character `i`; None when every character stands where it stood. `ends`,
    where given, says where the character ends in the parent: after one character if not.
    `runs` are the spans of letters that had been spelled out; a word may begin or end anywhere
    within them. `rewritten` are the spans of words that were read as others, and why.
    """

    name: ViewName
    text: str
    original: str
    parent: "View | None" = None
    positions: Sequence[int] | None = None
    runs: tuple[tuple[int, int], ...] = ()
    ends: Sequence[int] | None = None
    rewritten: tuple[tuple[int, int, Disguise], ...] = ()

    @property
    def is_leet(self) -> bool:
        return self.name is ViewName.LEET or self.name is ViewName.JOINED_LEET

    @cached_property
    def tokens(self) -> list[str]:
        """What stands between white space."""
        return self.text.split()

    @cached_property
    def _plain_positions(self) -> Sequence[int] | None:
        if self.original.isascii():
            return None
        if len(self.text) == len(self.original) and all(
            len(char.translate(_FOLD)) == 1 for char in set(self.original)
        ):
            return None
        return [
            index for index, char in enumerate(self.original) for _ in range(len(_FOLD[ord(char)]))
        ]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that `start:end` of this view was read from; end > start."""
        if self.parent:
            return self.parent.span(*self._parent_span(start, end))
        positions = self._plain_positions
        return (start, end) if positions is None else (positions[start], positions[end - 1] + 1)

    def _parent_span(self, start: int, end: int) -> tuple[int, int]:
        if self.positions is None:
            return start, end
        last = self.ends[end - 1] if self.ends else self.positions[end - 1] + 1
        return self.positions[start], last

    def _rewritten_in(self, start: int, end: int) -> Iterator[Disguise]:
        # By place: to skip up to it would cost a long text its length for every match.
        at = max(bisect_right(self.rewritten, (start, sys.maxsize)) - 1, 0)
        for place in range(at, len(self.rewritten)):
            first, last, disguise = self.rewritten[place]
            if first >= end:
                return
            if last > start:
                yield disguise

    def disguises(self, start: int, end: int) -> frozenset[Disguise]:
        """What had to be undone to read `start:end`. Empty if it stands there for all to see."""
        found: set[Disguise] = set()
        if self.parent is None:
            if not self.original.isascii():
                first, last = self.span(start, end)
                if any(is_lookalike(char) for char in self.original[first:last]):
                    found.add(Disguise.LOOKALIKE)
            return frozenset(found)
        first, last = self._parent_span(start, end)
        if self.name is ViewName.REREAD:
            found.update(self._rewritten_in(start, end))
        elif self.name is ViewName.SIGNS:
            if self.parent.text[first:last] != self.text[start:end]:
                found.add(Disguise.LOOKALIKE)
        elif self.is_leet:
            before, after = self.parent.text[first:last], self.text[start:end]
            if any(
                not old.isalpha() and new.isalpha() for old, new in zip(before, after, strict=True)
            ):
                found.add(Disguise.LEET)
        elif self.touches_run(start, end) or not _only_spacing(
            self.parent.text[first:last], self.text[start:end]
        ):
            found.add(Disguise.SEPARATED)
        return frozenset(found) | self.parent.disguises(first, last)

    def differs(self, start: int, end: int) -> bool:
        """False when the parent reads the same in this span, so that its own match will do."""
        if self.parent is None:
            return True
        if self.name is ViewName.REREAD:
            return any(self._rewritten_in(start, end))
        first, last = self._parent_span(start, end)
        if self.is_leet:
            return Disguise.LEET in self.disguises(start, end)
        return self.parent.text[first:last] != self.text[start:end]

    def touches_run(self, start: int, end: int) -> bool:
        """Whether any of `start:end` was spelled out letter by letter."""
        at = bisect_right(self.runs, (end - 1, len(self.text))) - 1
        return at >= 0 and self.runs[at][1] > start

    def beside_in_run(self, start: int, end: int) -> tuple[str, str]:
        """The letters that were spelled out in one run with `start:end`, before and after it."""
        at = bisect_right(self.runs, (end - 1, len(self.text))) - 1
        if at < 0 or self.runs[at][1] <= start:
            return "", ""
        first, last = self.runs[at]
        return self.text[first:start], self.text[end:last]

    def in_run(self, offset: int) -> bool:
        """Whether both neighbours of `offset` belong to one spelled-out run."""
        at = bisect_right(self.runs, (offset, 0)) - 1
        return at >= 0 and self.runs[at][0] < offset < self.runs[at][1]


def _only_spacing(before: str, after: str) -> bool:
    """Whether two readings differ in nothing but white space and hyphens, as `cash-app` does."""
    return _SPACING.sub("", before) == _SPACING.sub("", after)


_SPACING = re.compile(r"[\s\-]+")

_LETTER = r"(?:[^\W_]|[@$])"
_SPELLED = re.compile(
    rf"(?<![^\W_])(?<![@$]){_LETTER}(?:(?:[^\w@$]|_){{1,3}}{_LETTER}(?![^\W_])){{2,}}"
)
_INNER_PUNCTUATION = r"(?<=[^\W_])[.\-_*~|/\\,:;+=^\"\u00b7\u2022]{1,3}(?=[^\W_])"
_WIDE_SPACE = r"\s{2,}|[\t\n\r\f\v]"
_LOOSE = re.compile(rf"{_INNER_PUNCTUATION}|{_WIDE_SPACE}")
# Beside words that were found, a hyphen may belong to a word that was not pulled apart.
_LOOSE_BUT_HYPHENS = re.compile(rf"(?!-){_INNER_PUNCTUATION}|{_WIDE_SPACE}")
_Words = tuple[tuple[int, int], ...]
# Whether `_LOOSE` or `_SPELLED` would find something.
_NEEDS_JOINING = Pattern(
    r"[\pL\pN][.\-_*~|/\\,:;+=^\"\x{b7}\x{2022}]{1,3}[\pL\pN]|\s{2}|[\t\n\r\f\v]|"
    r"(?:^|[^\pL\pN])[\pL\pN@$](?:[^\pL\pN@$]{1,3}[\pL\pN@$]){2}(?:[^\pL\pN]|$)"
)

_LEET_LETTERS = str.maketrans(
    {
        "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "6": "g", "7": "t", "8": "b", "9": "g",
        "@": "a", "$": "s", "!": "i", "|": "i", "+": "t", "\u20ac": "e", "\u00a3": "l",
    }
)  # fmt: skip
_LEET_TOKEN = re.compile(
    r"(?<![a-z0-9@$!|+\u20ac\u00a3])[a-z]*[0-9@$!|+\u20ac\u00a3][a-z0-9@$!|+\u20ac\u00a3]*"
)
_NEEDS_LEET = Pattern(r"[0-9@$!|+\x{20ac}\x{a3}][a-z]|[a-z][0-9@$\x{20ac}\x{a3}]")


def strokes(text: str) -> str:
    """With `l` written as `i`: in a leet view the same stroke may stand for either."""
    return text.replace("l", "i")


def _leet_token(match: re.Match[str]) -> str:
    token = match[0]
    # A closing mark is punctuation, not the letter i; a bare number is a number.
    body = token.rstrip("!|+")
    if body.isalpha() or not any(char.isalpha() for char in body):
        return token
    if _MEASURE.fullmatch(body):
        return token
    return body.translate(_LEET_LETTERS) + token[len(body) :]


# Times, sizes and amounts, which are what digits beside letters mostly are.
_MEASURE = re.compile(
    r"[$\u20ac\u00a3+]*[0-9]+(?:am|pm|st|nd|rd|th|k|x|h|hr|hrs|min|mins|m|s|km|kg|g|lb|lbs|cm|mm|ft|in|d)"
)


def _leet(parent: View, name: ViewName) -> View | None:
    if not _NEEDS_LEET.is_in(parent.text):
        return None
    text = _LEET_TOKEN.sub(_leet_token, parent.text)
    if text == parent.text:
        return None
    return View(name, text, parent.original, parent, runs=parent.runs)


def _joined(plain: View, vocabulary: "Vocabulary") -> Iterator[View]:
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


def _set_apart(text: str, letters: list[int]) -> _Words:
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
    readings: Sequence[_Words],
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
    """A text as it is copied: characters, where each stood, and where runs were joined."""

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
        self.out.extend(self._text[start:end])
        self.positions.extend(range(start, end))

    def join_words(self, letters: list[int], words: _Words) -> None:
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
                    self.joined.append((len(self.out), len(self.out) + last - first))
                    self.out.extend(self._text[index] for index in letters[first:last])
                    self.positions.extend(letters[first:last])
                else:
                    self._loosen(letters[first], letters[last - 1] + 1)
            at = end


def _letters_of(run: re.Match[str]) -> list[int]:
    return [
        index for index, char in enumerate(run[0], run.start()) if char.isalnum() or char in "@$"
    ]


class Vocabulary:
    """The words that rules look for, to read runs of pulled-apart letters with."""

    def __init__(self, words: Iterable[str]) -> None:
        """`words` are folded; those of one letter are left out."""
        forms = sorted({strokes(word) for word in words if len(word) >= SHORTEST_WORD})
        self._search = AhoCorasick(forms).find_matches_as_indexes if forms else None

    def reading(self, letters: str) -> _Words:
        """The words of a run that cover the most of it, long ones before many short ones.

        The sum of the squares of their lengths is greatest. Letters that are in no word are left
        over, and do not keep the words beside them from being read.
        """
        if self._search is None:
            return ()
        folded = strokes(letters.translate(_LEET_LETTERS))
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


_SIGN_CHARACTERS = frozenset(map(chr, SIGNS))
_SIGN = "[" + re.escape("".join(map(chr, SIGNS))) + "]"
_NEEDS_SIGNS = re.compile(rf"[a-z]{_SIGN}|{_SIGN}[a-z]|(?:{_SIGN}\W?){{3}}")


def _signs(plain: View) -> View | None:
    if plain.original.isascii() or _SIGN_CHARACTERS.isdisjoint(plain.text):
        return None
    if not _NEEDS_SIGNS.search(plain.text):
        return None
    return View(ViewName.SIGNS, plain.text.translate(SIGNS), plain.original, plain)


def plain_view(text: str) -> View:
    """The first of the views alone, for what needs no other."""
    return View(ViewName.PLAIN, fold(text), text)


def views_of(text: str, vocabulary: Vocabulary = NO_WORDS) -> tuple[View, ...]:
    """`plain`, then every other view that reads differently. Time and space linear in the text.

    There are several `joined` views where letters that were pulled apart can be read in words of
    the `vocabulary`; the first joins them all. `reread` is not among them: it needs a `WordReader`.
    """
    plain = plain_view(text)
    views = [plain]
    if signs := _signs(plain):
        views.append(signs)
    clearest = views[-1]
    if leet := _leet(clearest, ViewName.LEET):
        views.append(leet)
    for joined in _joined(clearest, vocabulary):
        views.append(joined)
        if joined_leet := _leet(joined, ViewName.JOINED_LEET):
            views.append(joined_leet)
    return tuple(views)
