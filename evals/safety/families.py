"""The ways to disguise a word. Each takes the word, in lower case, and a source of chance."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

Disguiser = Callable[[str, Random], str]

_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e"
_MARKS = "\u0300\u0301\u0302\u0303\u0304\u0308\u030a\u0323\u0330\u0335\u0336\u0338"
_LOOKALIKES = {
    "a": "аα\u0251ạå", "b": "Ььвƅ", "c": "сϲⅽç", "d": "ԁⅾđ", "e": "еҽєê", "g": "ɡցğ",
    "h": "һհ", "i": "іιıⅰ", "j": "јϳ", "k": "κкⲕ", "l": "ⅼӏł", "m": "мⅿ", "n": "ոη",
    "o": "оοօ\u00f8", "p": "рρ", "q": "ԛզ", "r": "гᴦ", "s": "ѕꜱ", "t": "тτ", "u": "υսц",
    "v": "ѵν", "w": "ѡԝ", "x": "хχ", "y": "уγу", "z": "ᴢʐ",
}  # fmt: skip
_LEET = {
    "a": "4@", "b": "8", "e": "3", "g": "69", "i": "1!", "l": "1|", "o": "0", "s": "5$",
    "t": "7+", "z": "2", "c": "(",
}  # fmt: skip
_MASKS = "*#_•%"
_MATHEMATICAL = (0x1D41A, 0x1D44E, 0x1D482, 0x1D4D0 + 26, 0x1D51E, 0x1D552, 0x1D5BA, 0x1D5EE,
                 0x1D622, 0x1D656, 0x1D68A)  # fmt: skip
_NOT_ASSIGNED = {0x1D455}


def zero_width(word: str, chance: Random) -> str:
    """A character that shows nothing after each letter but the last."""
    return "".join(letter + chance.choice(_ZERO_WIDTH) for letter in word[:-1]) + word[-1:]


def combining_marks(word: str, chance: Random) -> str:
    return "".join(letter + "".join(chance.sample(_MARKS, chance.randint(1, 2))) for letter in word)


def lookalikes(word: str, chance: Random) -> str:
    """About half of the letters, and at least one, from other alphabets."""
    sure = chance.randrange(len(word))
    return "".join(
        chance.choice(_LOOKALIKES.get(letter, letter))
        if at == sure or chance.random() < 0.5
        else letter
        for at, letter in enumerate(word)
    )


def fullwidth(word: str, chance: Random) -> str:
    base = chance.choice((0xFF21, 0xFF41))
    return _shifted(word, base)


def mathematical(word: str, chance: Random) -> str:
    return _shifted(word, chance.choice(_MATHEMATICAL))


def emoji_letters(word: str, chance: Random) -> str:
    """Squared, circled and flag letters; flags apart, so that no two make a flag."""
    base, gap = chance.choice(((0x1F170, ""), (0x1F150, ""), (0x24D0, ""), (0x1F1E6, "\u200b")))
    return gap.join(_shifted(letter, base) for letter in word)


def _shifted(word: str, base: int) -> str:
    return "".join(
        chr(base + ord(letter) - 97)
        if "a" <= letter <= "z" and base + ord(letter) - 97 not in _NOT_ASSIGNED
        else letter
        for letter in word
    )


def leet(word: str, chance: Random) -> str:
    """Digits and symbols for most of the letters that have one, but never for every letter."""
    places = [at for at, letter in enumerate(word) if letter in _LEET]
    if len(places) == len(word):
        places = places[1:]
    chosen = {at for at in places if chance.random() < 0.7} or set(places[:1])
    return "".join(
        chance.choice(_LEET[letter]) if at in chosen else letter for at, letter in enumerate(word)
    )


def spaced(word: str, _: Random) -> str:
    return " ".join(word)


def dotted(word: str, chance: Random) -> str:
    return chance.choice((".", ". ", "·", "•")).join(word)


def dashed(word: str, chance: Random) -> str:
    return chance.choice(("-", "_", " - ", "/", "~")).join(word)


def repeated_letters(word: str, chance: Random) -> str:
    """One to three letters two to five times."""
    places = set(chance.sample(range(len(word)), min(len(word), chance.randint(1, 3))))
    return "".join(
        letter * chance.randint(2, 5) if at in places else letter for at, letter in enumerate(word)
    )


def masked(word: str, chance: Random) -> str:
    """One letter inside the word as a mark."""
    at = chance.randrange(1, len(word) - 1)
    return word[:at] + chance.choice(_MASKS) + word[at + 1 :]


def swapped(word: str, chance: Random) -> str:
    """Two different neighbours inside the word in each other's place."""
    places = [at for at in range(1, len(word) - 1) if word[at] != word[at + 1]]
    at = chance.choice(places or [0])
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


@dataclass(frozen=True, slots=True)
class Family:
    """`shortest`: words of fewer letters are not disguised so, as nobody could read them."""

    name: str
    disguise: Disguiser
    shortest: int = 2
    is_guess: bool = False


FAMILIES = (
    Family("zero_width", zero_width),
    Family("combining_marks", combining_marks),
    Family("lookalikes", lookalikes),
    Family("fullwidth", fullwidth),
    Family("mathematical", mathematical),
    Family("emoji_letters", emoji_letters, 3),
    Family("leet", leet),
    Family("spaced", spaced, 3),
    Family("dotted", dotted, 3),
    Family("dashed", dashed, 3),
    Family("repeated_letters", repeated_letters, 3),
    Family("masked", masked, 4),
    Family("swapped", swapped, 4, is_guess=True),
)
