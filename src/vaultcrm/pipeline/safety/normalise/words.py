"""Words that are written so that a list of words misses them, each read as the word it is.

Works word by word against the words that rules look for, so that whole phrases and patterns are
found with any of their words disguised. What a word is read as:

| disguise     | written               | how it is read                                            |
|--------------|-----------------------|-----------------------------------------------------------|
| `LEET`       | `v3nm0`, `sn@pch4t`   | a digit or symbol as any letter that it is drawn like     |
| `LOOKALIKE`  | `teIegram`, `vvire`   | capital I for l, `rn` for m, `vv` for w, signs in words   |
| `STRETCHED`  | `venmooo`, `vennmo`   | letters repeated more often than in the word              |
| `MASKED`     | `v*nmo`, `c_sh`       | up to two letters of five left out, marks in their place  |
| `SEPARATED`  | `ve nmo`, `ve♥nmo`    | parts that are no words of their own, joined              |
| `MISSPELLED` | `vemno`, `telegrm`    | two neighbours swapped; in a long word one letter wrong   |

Only the last is a guess. A word that people also write for itself (`innocent_words.txt`) is never
read as another.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from vaultcrm.pipeline.safety.normalise.leet import strokes
from vaultcrm.pipeline.safety.normalise.signs import LETTERS
from vaultcrm.pipeline.safety.normalise.view import Disguise, View, ViewName

WAYS = 6
"""In so many ways a text is reread, where a disguised word may be either of several."""

_LONGEST = 32
_SHORTEST_SWAP = 4
_SHORTEST_DOUBLED = 3
_SHORTEST_MISSPELLING = 6
_SHORTEST_PARTED = 5
_LONG_PARTED = 7
_REMEMBERED = 50_000

_LEET = {
    "0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "gb", "7": "tl", "8": "b",
    "9": "gq", "@": "a", "$": "s", "!": "il", "|": "il", "+": "t", "(": "c", "<": "c", "[": "c",
    "{": "c", "^": "a", "&": "e", "%": "", "#": "", "?": "", "*": "", "_": "", "~": "", ".": "",
    "-": "", "=": "", "\\": "", "/": "", ":": "", ";": "", ",": "", '"': "",
}  # fmt: skip
_FIRST_LETTER = str.maketrans({sign: letters[0] for sign, letters in _LEET.items() if letters})
_MASKS = frozenset("*#_?%^&~•·×●■█✱✳")
_TRIMMED = re.compile(
    r"^(?:[^\w@$(<|+\u00a3\u20ac\u00a2]|_)+|(?:[^\w@$|+\u00a3\u20ac\u00a2]|_)+$"
    r"|^[(<|+](?=[a-z]+[)>|+]?$)"
)
_PIECES = re.compile(r"[^\s,;:!?()/\"'\[\]{}<>=.\-\u2026\u201c\u201d]+")
_RUNS = re.compile(r"(.)\1+")
_LONG_RUNS = re.compile(r"(.)\1{2,}")


@dataclass(frozen=True, slots=True)
class Reading:
    """`start:end` of a word as typed is read as `words`, likeliest first."""

    start: int
    end: int
    words: tuple[str, ...]
    disguise: Disguise


@cache
def innocent_words() -> frozenset[str]:
    """Words of daily use that differ from a word of a rule as a disguise of it would."""
    file = resources.files("vaultcrm.pipeline.safety.normalise") / "innocent_words.txt"
    lines = file.read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def _squeezed(word: str) -> str:
    return _RUNS.sub(r"\1", word)


def _run_lengths(word: str) -> list[int]:
    return [len(run[0]) for run in re.finditer(r"(.)\1*", word)]


def _deletions(word: str) -> set[str]:
    return {word[:at] + word[at + 1 :] for at in range(len(word))}


def _is_swap(typed: str, word: str) -> bool:
    """Whether two words differ in two neighbouring letters that changed places."""
    if len(typed) != len(word):
        return False
    wrong = [at for at, letter in enumerate(word) if typed[at] != letter]
    if len(wrong) != 2 or wrong[1] != wrong[0] + 1:
        return False
    first, second = wrong
    return typed[first] == word[second] and typed[second] == word[first]


class WordReader:
    """Reads disguised words. Remembers what it has read; may be used from any thread."""

    def __init__(self, words: Iterable[str], phrases: Iterable[str]) -> None:
        """`words` are the folded words that rules look for; `phrases` is what they look for whole.

        A phrase of one word is enough for a finding, so that it is also found where it is short.
        """
        run_together = {"".join(filter(str.isalnum, phrase)) for phrase in phrases}
        self._alone = frozenset(word for word in run_together if word.isascii() and word.isalpha())
        single = {word for word in words if word.isascii()}
        self._words = single | self._alone
        self._innocent = innocent_words()
        self._squeezed: dict[str, list[str]] = defaultdict(list)
        self._by_letter: dict[tuple[int, int, str], list[str]] = defaultdict(list)
        self._deletions: dict[str, list[str]] = defaultdict(list)
        # Words that are enough for a finding come first where several would fit.
        for word in sorted(self._words, key=lambda word: (word not in self._alone, word)):
            self._squeezed[_squeezed(strokes(word))].append(word)
            if len(word) < 3 or len(word) > _LONGEST:
                continue
            for at, letter in enumerate(word):
                self._by_letter[len(word), at, letter].append(word)
            if len(word) >= _SHORTEST_SWAP or word in self._alone:
                for shorter in _deletions(word):
                    self._deletions[shorter].append(word)
        self._tails: dict[str, set[str]] = defaultdict(set)
        for word in single:
            if len(word) >= _SHORTEST_PARTED:
                for at in range(1, len(word)):
                    if self._is_parted((word[:at], word[at:])):
                        self._tails[word[:at]].add(word[at:])
        self._heads = frozenset(self._tails)
        self._plain: set[str] = set()
        self._read: dict[str, tuple[Reading, ...]] = {}

    def reread(self, view: View) -> Iterator[View]:
        """The view with its disguised words as the words that they are; none if it has none."""
        text = view.text
        tokens = view.tokens
        disguised = False
        if not self._plain.issuperset(tokens):
            for token in set(tokens).difference(self._plain):
                disguised |= bool(self._readings(token))
        parted = [] if self._heads.isdisjoint(tokens) else self._parted(tokens)
        if not disguised and not parted:
            return
        readings = sorted(self._placed(text, parted), key=lambda r: (r.start, -r.end))
        for way in range(min(WAYS, max(len(reading.words) for reading in readings))):
            yield _rewritten(view, readings, way)

    def _placed(self, text: str, parted: Sequence[tuple[int, int, str]]) -> Iterator[Reading]:
        tokens = list(_TOKEN.finditer(text))
        for first, last, word in parted:
            end = tokens[last].start() + len(tokens[last][0].rstrip(_END_MARKS))
            yield Reading(tokens[first].start(), end, (word,), Disguise.SEPARATED)
        for token in tokens:
            if token[0] not in self._plain:
                at = token.start()
                for reading in self._readings(token[0]):
                    yield Reading(
                        reading.start + at, reading.end + at, reading.words, reading.disguise
                    )

    def _readings(self, token: str) -> tuple[Reading, ...]:
        known = self._read.get(token)
        if known is not None:
            return known
        readings = self._read_token(token)
        if len(token) <= 2 * _LONGEST:
            if len(self._plain) + len(self._read) >= _REMEMBERED:
                self._plain, self._read = set(), {}
            if readings:
                self._read[token] = readings
            else:
                self._plain.add(token)
        return readings

    def _read_token(self, token: str) -> tuple[Reading, ...]:
        if reading := self._read_word(token, 0):
            return (reading,)
        pieces = [(piece.start(), piece[0]) for piece in _PIECES.finditer(token)]
        if len(pieces) < 2 and (not pieces or pieces[0][1] == token):
            return ()
        found = (self._read_word(piece, at) for at, piece in pieces)
        return tuple(reading for reading in found if reading)

    def _read_word(self, typed: str, at: int) -> Reading | None:
        """What stands for itself, or for nothing that is looked for, is read as None."""
        trimmed = _TRIMMED.sub("", typed)
        start = at + typed.find(trimmed)
        if not trimmed or trimmed in self._words or trimmed in self._innocent:
            return None
        # A mark at the end may stand for a letter; a full stop there is a full stop.
        marked = typed.rstrip(_END_MARKS_BUT_MASKS).lstrip(_START_MARKS)
        for core, first in ((trimmed, start), (marked, at + typed.find(marked))):
            if found := self._match(core):
                words, disguise = found
                return Reading(first, first + len(core), words, disguise)
            if core == marked:
                break
        return None

    def _match(self, core: str) -> tuple[tuple[str, ...], Disguise] | None:
        if core.isdecimal():
            return None
        short = _LONG_RUNS.sub(r"\1\1\1", core) if len(core) > _LONGEST else core
        if not 2 <= len(short) <= _LONGEST:
            return None
        if short.isascii() and short.isalpha():
            return self._as_letters(short)
        return self._as_signs(short)

    def _as_letters(self, core: str) -> tuple[tuple[str, ...], Disguise] | None:
        if found := self._stretched(core):
            return found
        for pair, letter in (("rn", "m"), ("vv", "w"), ("cl", "d"), ("nn", "m")):
            if pair in core and (word := core.replace(pair, letter)) in self._words:
                return (word,), Disguise.LOOKALIKE
        return self._misspelled(core)

    def _stretched(self, core: str) -> tuple[tuple[str, ...], Disguise] | None:
        runs = _run_lengths(core)
        words = []
        disguise = Disguise.LOOKALIKE
        for word in self._squeezed.get(_squeezed(strokes(core)), ()):
            own = _run_lengths(strokes(word))
            typed = runs if len(own) == len(runs) else _run_lengths(strokes(core))
            if any(run < least for run, least in zip(typed, own, strict=True)):
                continue
            is_long = any(run > 2 and run > least for run, least in zip(typed, own, strict=True))
            if typed == own:
                if len(word) < _SHORTEST_SWAP and word not in self._alone:
                    continue
            elif is_long or len(word) >= _SHORTEST_DOUBLED:
                disguise = Disguise.STRETCHED
            else:
                continue
            words.append(word)
        return (tuple(words), disguise) if words else None

    def _as_signs(self, core: str) -> tuple[tuple[str, ...], Disguise] | None:
        letters_only = "".join(char for char in core if char.isalnum())
        parted: tuple[str, ...] = ()
        if letters_only != _JOINERS.sub("", core) and letters_only.isascii():
            is_inside = core[0].isalnum() and core[-1].isalnum()
            if is_inside and len(letters_only) >= 3 and letters_only in self._words:
                parted = (letters_only,)
        if found := self._by_position(core):
            return (*found[0], *parted), found[1]
        if parted:
            return parted, Disguise.SEPARATED
        translated = core.translate(_FIRST_LETTER)
        has_letters = any(char.isalpha() for char in core) and 5 * len(letters_only) >= 2 * len(
            core
        )
        if has_letters and translated.isascii() and translated.isalpha():
            found = self._stretched(translated)
        return (found[0], Disguise.LEET) if found else None

    def _by_position(self, core: str) -> tuple[tuple[str, ...], Disguise] | None:
        """Words of the same length whose letters the signs of `core` may stand for."""
        choices = [_choices(char) for char in core]
        known = [at for at, letters in enumerate(choices) if len(letters) == 1]
        masks = choices.count("")
        length = len(core)
        if length < 3 or not known or masks > max(1, length * 2 // 5):
            return None
        if not any(char.isalpha() for char in core):
            return None
        marks = [at for at, letters in enumerate(choices) if not letters]
        # Other marks are punctuation where they end a word or stand in a short one.
        is_loose = marks and (length < _SHORTEST_SWAP or marks[0] == 0 or marks[-1] == length - 1)
        if is_loose and not _MASKS.issuperset(core[at] for at in marks):
            return None
        words = [
            word
            for word in self._by_letter.get((length, known[0], choices[known[0]]), ())
            if (length >= _SHORTEST_SWAP or word in self._alone or not masks)
            and all(
                not letters or letter in letters
                for letter, letters in zip(word, choices, strict=True)
            )
        ]
        if not words:
            return None
        if masks:
            return tuple(words), Disguise.MASKED
        is_ascii = core.isascii()
        return tuple(words), Disguise.LEET if is_ascii else Disguise.LOOKALIKE

    def _misspelled(self, core: str) -> tuple[tuple[str, ...], Disguise] | None:
        if len(core) < 3:
            return None
        shorter = _deletions(core)
        near = {word for form in shorter for word in self._deletions.get(form, ())}
        swapped = [word for word in near if _is_swap(core, word)]
        if swapped:
            return self._likeliest(swapped), Disguise.MISSPELLED
        if len(core) < _SHORTEST_MISSPELLING - 1:
            return None
        near.update(self._deletions.get(core, ()))
        near.update(form for form in shorter if form in self._words)
        wrong = [
            word
            for word in near
            if len(word) >= _SHORTEST_MISSPELLING
            and word[0] == core[0]
            and _is_one_letter_off(core, word)
        ]
        return (self._likeliest(wrong), Disguise.MISSPELLED) if wrong else None

    def _likeliest(self, words: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(words, key=lambda word: (word not in self._alone, word)))

    def _parted(self, tokens: Sequence[str]) -> list[tuple[int, int, str]]:
        """The first and last of two or three tokens that are the parts of one word, and the word.

        At least one of the parts is no word of its own.
        """
        tails, heads = self._tails, self._heads
        found = []
        for at in [at for at, token in enumerate(tokens[:-1]) if token in heads]:
            first, second = tokens[at], tokens[at + 1]
            last = second.rstrip(_END_MARKS)
            if last in tails[first]:
                found.append((at, at + 1, first + last))
            elif first + second in tails and at + 2 < len(tokens):
                last = tokens[at + 2].rstrip(_END_MARKS)
                if last in tails[first + second]:
                    found.append((at, at + 2, first + second + last))
        return found

    def _is_parted(self, parts: tuple[str, str]) -> bool:
        if parts[0] in _OFTEN_ALONE or "+".join(parts) in self._innocent:
            return False
        if sum(map(len, parts)) >= _LONG_PARTED and "".join(parts) in self._alone:
            return True
        return any(part not in self._words and part not in self._innocent for part in parts)


_OFTEN_ALONE = frozenset("aiurxoy")
_JOINERS = re.compile(r"[\-']")
_START_MARKS = ".,;:?\"'~-"
_END_MARKS_BUT_MASKS = ".,;:!?()\"'[]{}<>-~%&^"
_END_MARKS = ".,;:!?)\"'*~ "
_TOKEN = re.compile(r"\S+")


def _choices(char: str) -> str:
    """The letters that a character may stand for; none if it may stand for any."""
    if char.isascii():
        return char if char.isalpha() else _LEET.get(char, "")
    return LETTERS.get(char, "")


def _is_one_letter_off(typed: str, word: str) -> bool:
    """Whether one letter more, less or other makes one word of the other."""
    if abs(len(typed) - len(word)) > 1:
        return False
    if len(typed) > len(word):
        typed, word = word, typed
    at = next((at for at, letter in enumerate(typed) if letter != word[at]), len(typed))
    rest = typed[at + 1 :] if len(typed) == len(word) else typed[at:]
    return rest == word[at + 1 :]


def _rewritten(view: View, readings: Sequence[Reading], way: int) -> View:
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    marks: list[tuple[int, int, Disguise]] = []
    at = 0
    for reading in readings:
        if reading.start < at:
            continue
        out.append(view.text[at : reading.start])
        starts.extend(range(at, reading.start))
        ends.extend(range(at + 1, reading.start + 1))
        word = reading.words[min(way, len(reading.words) - 1)]
        marks.append((len(starts), len(starts) + len(word), reading.disguise))
        out.append(word)
        starts.extend([reading.start] * len(word))
        ends.extend([reading.end] * len(word))
        at = reading.end
    out.append(view.text[at:])
    starts.extend(range(at, len(view.text)))
    ends.extend(range(at + 1, len(view.text) + 1))
    return View(
        ViewName.REREAD,
        "".join(out),
        view.original,
        view,
        starts,
        ends=ends,
        rewritten=tuple(marks),
    )
