"""Telephone numbers, in digits and in words.

What is a number of which country is asked of the `phonenumbers` metadata. A run of digits is only
a telephone number if something says so: a country code, a word such as "call", the way its digits
are grouped. Dates, counts, prices, and numbers of orders are none.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

import phonenumbers

from vaultcrm.pipeline.safety.patterns import Pattern
from vaultcrm.pipeline.safety.personal_data.accounts import is_card
from vaultcrm.pipeline.safety.personal_data.kinds import (
    CARD,
    LOCAL_PHONE,
    MANY_NUMBERS,
    PHONE,
    SPELLED_PHONE,
    Sighting,
)

MAX_NUMBERS = 48
"""So many runs of digits are tried as telephone numbers; a text with more goes to a person."""

_GAP = r"[ ().\-/\t\n\x{b7}_*~|\x{2022}]{0,3}"
_NANP = Pattern(
    r"(?:\+?\b(?:00)?1[ .\-]?)?(?:\(\d{3}\)[ .\-]?|\b\d{3}[ .\-]{1,2})\d{3}[ .\-]{1,2}\d{4}"
    r"(?:,? ?(?:x|ext\.?|extension) ?\d{1,5})?\b"
)
_LETTERS_AMONG_DIGITS = Pattern(r"\d[oil]|[oil]\d")
_DIGITS_MEANT = str.maketrans("oil", "011")
_DIGITS_SEEN = 6
"""So many real digits there are in a number of which some are written as letters."""

_NUMBER = Pattern(rf"\+?\(?\d(?:{_GAP}\d){{6,23}}")
_LOCAL = re.compile(r"[2-9]\d{2}[-.]\d{4}")
_DAY_TO_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:19|20)\d{2}"
_DATES = Pattern(
    rf"\b(?:{_YEAR}[\-/.](?:0?[1-9]|1[0-2])[\-/.]{_DAY_TO_DAY}"
    rf"|{_DAY_TO_DAY}[\-/. ]{_DAY_TO_DAY}[\-/. ](?:{_YEAR})"
    rf"|{_YEAR} ?- ?{_YEAR}"
    rf"|{_DAY_TO_DAY}[/.]{_DAY_TO_DAY}[/.]\d{{2}})\b"
)
_ADDRESS_OF_MACHINE = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_THOUSANDS = re.compile(r"\d{1,3}(?:([. ])\d{3})(?:\1\d{3})*")
_DECIMAL = re.compile(r"\d+\.\d+")
_BOOK = re.compile(r"97[89]\d{10}")
_DIGITS = re.compile(r"\d+")
_NOT_DIGITS = re.compile(r"\D+")

CUE_REACH = 40
"""So many characters before a number are read for what it is."""

_CUE = re.compile(
    r"(?:\b(?:call|calls|text|txt|ring|phone|tel|telephone|mobile|mob|cell|number|num|whatsapp|wa"
    r"|sms|dial|reach|hmu|digits|contact|fax|facetime|imessage|signal|telegram|viber|phone no"
    r"|llama(?:me)?|telefono|movil|celular|cel|numero|zap|zapzap|whats|ligue|liga|me liga|telefone"
    r"|telemovel|fone|appelle(?:-moi)?|portable|ruf|anrufen|handy|nummer|telefon|telefonnummer"
    r"|handynummer|handynr|escribeme|chama|message|msg|zelle|bizum|pix|mbway)\b|\bt:|\bm:)"
    r"[^\d]{0,24}$"
)
_CUE_AFTER = re.compile(
    r"\W{0,3}(?:is (?:my|the|his|her) (?:number|cell|phone|mobile|digits)|(?:call|text|ring) me\b"
    r"|whats(?:app)?\b|zap\b|es mi (?:numero|movil|cel))"
)
_NOT_A_PHONE = re.compile(
    r"(?:\b(?:orders?|tickets?|tracking|invoices?|ref|reference|serial|isbn|ean|upc|item|model|sku"
    r"|part|confirmation|case|flight|lot|batch|account|acct|member|membership|room|licen[sc]e"
    r"|episode|booking|reservation|pin|code|codes|id|version|build|transaction|receipt|parcel"
    r"|package|raffle|lottery|barcode|patent|seed|timestamp|bestell\w*|pedido|commande|encomenda"
    r"|rechnung\w*|sendung\w*|factura|facture|colis|paquete|rastreio|seguimiento|kundennummer"
    r"|population|about|roughly|around|nearly|almost|over|total|pi|score|scored)\b"
    r"(?: ?(?:number|numbers|numero|nummer|no|nr|num|n|id|code|is|was|es|ist|est|e|of|to|for))*"
    r"[\s:#.\-=]{0,4}|[#$\x24\u20ac\u00a3\u00a5v]\s?|\d,)$"
)
_COUNTED = re.compile(
    r"\s?(?:followers?|views|likes|subs|subscribers|steps|people|points|pts|xp|coins|dollars|usd"
    r"|eur|euros?|bucks|calories|kcal|streams|plays|votes|tokens|users|years|seconds|meters|metres"
    r"|km|miles|bytes|pixels|px|rpm|hz|pasos|personas|schritte|abonnes|vues|vistas|seguidores|%"
    r"|\u20ac|\$|\u00a3|,\d{3})(?!\w)"
)
# Countries whose national numbers begin with 0, which no count does.
_LEADING_ZERO = ("GB", "DE", "FR", "AU", "NL", "AT", "BE", "CH", "SE", "BR", "IE", "NZ", "JP", "IN")


def phones(text: str, region: str, *, most: int = MAX_NUMBERS) -> Iterator[Sighting]:
    """Telephone numbers in digits; what is no digit of one has been blanked out of `text`.

    After `most` candidates the rest of the text is one sighting of `MANY_NUMBERS`.
    """
    text = without(text, _dates(text))
    formatted = list(_formatted(text))
    if not formatted and _LETTERS_AMONG_DIGITS.is_in(text):
        formatted = [
            (start, end)
            for start, end in _formatted(text.translate(_DIGITS_MEANT))
            if sum(char.isdigit() for char in text[start:end]) >= _DIGITS_SEEN
        ]
    for start, end in formatted:
        yield Sighting(PHONE, start, end)
    text = without(text, formatted)
    for tried, (start, end) in enumerate(_NUMBER.spans(text)):
        if tried == most:
            yield Sighting(MANY_NUMBERS, start, len(text))
            return
        yield from _within(text, start, end, region)


def _dates(text: str) -> Iterator[tuple[int, int]]:
    for start, end in _DATES.spans(text):
        if text[end : end + 1] not in {".", "/", "-"} or not text[end + 1 : end + 2].isdigit():
            yield start, end


def _formatted(text: str) -> Iterator[tuple[int, int]]:
    """Numbers grouped as in North America, which nothing but a telephone number is."""
    for start, end in _NANP.spans(text):
        before = text[max(0, start - CUE_REACH) : start]
        ordinary = before.endswith(("$", "#", ".")) or _is_row_of_counts(text[start:end])
        if not ordinary or _CUE.search(before):
            yield start, end


def _is_row_of_counts(candidate: str) -> bool:
    """Whether three numbers with only spaces between them may be weights or prices."""
    groups = _DIGITS.findall(candidate)
    bare = len(groups) == 3 and not set(_NOT_DIGITS.findall(candidate)) - {" ", "  "}
    return bare and (
        all(int(group) % 5 == 0 for group in groups) or groups[0] < "2" or groups[1] < "2"
    )


def without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with a letter in the place of each character of these spans, which may overlap."""
    kept: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if end > at:
            kept += [text[at : max(at, start)], "x" * (end - max(at, start))]
            at = end
    return "".join([*kept, text[at:]]) if kept else text


def _within(text: str, start: int, end: int, region: str) -> Iterator[Sighting]:
    """The telephone number in a run of digits, which may have other numbers around it."""
    if end < len(text) and text[end].isdigit():
        return
    before = text[max(0, start - CUE_REACH) : start]
    if _NOT_A_PHONE.search(before) and text[start] != "+":
        return
    cued = bool(_CUE.search(before) or _CUE_AFTER.match(text, end))
    after_counts = bool(_COUNTED.match(text, end))
    groups = [match.span() for match in _DIGITS.finditer(text, start, end)]
    if _BOOK.fullmatch(_NOT_DIGITS.sub("", text[start:end])):
        return
    # A row of short numbers is read whole: any part of it may look like a number by chance.
    row = all(stop - begin < 3 for begin, stop in groups)
    for first, last in [(0, len(groups))] if row else _windows(len(groups)):
        if any(stop - begin > _BESIDE for begin, stop in (*groups[:first], *groups[last:])):
            continue
        at = start if first == 0 else groups[first][0]
        until = groups[last - 1][1]
        candidate = text[at:until]
        if after_counts and last == len(groups) and not candidate.startswith("+"):
            continue
        sizes = [stop - begin for begin, stop in groups[first:last]]
        if sum(sizes) < 7:
            continue
        if _is_phone(candidate, sizes, region, cued=cued):
            yield Sighting(PHONE, at, until)
            return
        if _LOCAL.fullmatch(candidate):
            yield Sighting(PHONE if cued else LOCAL_PHONE, at, until)
            return


_BESIDE = 3
"""A number of more digits than this beside a telephone number would be part of it."""


def _windows(groups: int) -> Iterator[tuple[int, int]]:
    """The whole run first, then with up to two of its groups left out on either side."""
    for dropped in range(4):
        for first in range(min(dropped, 2), -1, -1):
            last = groups - (dropped - first)
            if dropped - first <= 2 and last > first:
                yield first, last


def _is_phone(candidate: str, sizes: list[int], region: str, *, cued: bool) -> bool:
    digits = _NOT_DIGITS.sub("", candidate)
    groups = _DIGITS.findall(candidate)
    abroad = candidate.startswith("+") or digits.startswith("00")
    if len(digits) > 15 or len(set(digits)) < 2 or _counts(groups):
        return False
    if abroad:
        number = _parsed("+" + digits.removeprefix("00"), None)
        return number is not None and phonenumbers.is_possible_number(number)
    if _ADDRESS_OF_MACHINE.fullmatch(candidate):
        return False
    if cued:
        number = _parsed(digits, region)
        possible = number is not None and phonenumbers.is_possible_number(number)
        return possible or 9 <= len(digits) <= 13
    if _DECIMAL.fullmatch(candidate) or not _is_grouped_as_phone(candidate, sizes, groups):
        return False
    if phonenumbers.country_code_for_region(region) == 1 and not _is_shaped_as_nanp(sizes):
        return digits.startswith("0") and len(sizes) > 1 and _is_european(digits)
    if digits.startswith("0") and len(sizes) > 1:
        return _is_european(digits) or (9 <= len(digits) <= 12 and _is_possible(digits, region))
    if len(sizes) == 1 and (len(digits) < 9 or digits.endswith("00000")):
        return False
    if len(sizes) == 1 and _needs_zero(region):
        return digits[0] == "0" != digits[1] and len(digits) > 9 and _is_possible(digits, region)
    number = _parsed(digits, region)
    return number is not None and phonenumbers.is_valid_number(number)


# How North Americans group the digits of a number, with and without the 1 before it.
_NANP_SHAPES = frozenset(
    {
        (10,),
        (11,),
        (3, 7),
        (6, 4),
        (3, 3, 4),
        (1, 10),
        (1, 3, 7),
        (1, 3, 3, 4),
        (1,) * 10,
        (1,) * 11,
    }
)


def _is_shaped_as_nanp(sizes: list[int]) -> bool:
    return tuple(sizes) in _NANP_SHAPES or sizes == [3, 3, 2, 2]


def _is_european(digits: str) -> bool:
    """Whether digits that begin with 0 can be a number of a country where national ones do."""
    return 9 <= len(digits) <= 12 and any(
        _is_possible(digits, country) for country in _LEADING_ZERO
    )


def _is_grouped_as_phone(candidate: str, sizes: list[int], groups: list[str]) -> bool:
    """Whether groups of these sizes are how people write a telephone number."""
    if len(sizes) == 1:
        return True
    separators = set(_NOT_DIGITS.findall(candidate))
    if set(sizes) == {1}:
        return len(separators) == 1
    if candidate.startswith("0"):
        return len(sizes) == 5 if set(sizes) == {2} else len(sizes) < 6
    if len(sizes) > 5 or 1 in sizes[1:] or set(sizes) == {2}:
        return False
    if all(int(group) % 5 == 0 for group in groups):
        return False
    thousands = _THOUSANDS.fullmatch(candidate)
    return not thousands or (thousands[1] == " " and len(groups[0]) == 3)


def _counts(groups: list[str]) -> bool:
    """Whether numbers go up or down by one, as in "1 2 3 4 5 6 7 8 9 10"."""
    numbers = [int(group) for group in groups]
    steps = {later - earlier for earlier, later in pairwise(numbers)}
    return len(numbers) > 4 and steps in ({1}, {-1})


def _parsed(digits: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None


def _is_possible(digits: str, region: str) -> bool:
    number = _parsed(digits, region)
    return number is not None and phonenumbers.is_possible_number(number)


def _needs_zero(region: str) -> bool:
    return region != "BR" and phonenumbers.ndd_prefix_for_region(region, True) == "0"


# ---- in words

_ENGLISH = "zero one two three four five six seven eight nine"
_SPANISH = "cero uno dos tres cuatro cinco seis siete ocho nueve"
_PORTUGUESE = "zero um dois tres quatro cinco seis sete oito nove"
_FRENCH = "zero un deux trois quatre cinq six sept huit neuf"
_GERMAN = "null eins zwei drei vier fuenf sechs sieben acht neun"
_WORDS = {
    word: str(value)
    for language in (_ENGLISH, _SPANISH, _PORTUGUESE, _FRENCH, _GERMAN)
    for value, word in enumerate(language.split())
} | {"oh": "0", "niner": "9", "funf": "5", "zwo": "2", "meia": "6", "nought": "0"}
_TIMES = {"double": 2, "triple": 3, "doble": 2, "triplo": 3, "doppel": 2}
_WORD = "|".join(sorted(_WORDS, key=len, reverse=True))
_SPELLED = Pattern(
    rf"\b(?:(?:{'|'.join(_TIMES)}|{_WORD}|\d{{1,4}})[ ,.\-/\n()]{{0,3}}(?:and )?){{4,}}"
    rf"(?:{_WORD}|\d{{1,4}})\b"
)
SPELLED_TRIGGER = rf"\b(?:{_WORD})[ ,.\-/\n()]{{0,3}}(?:{_WORD}|double|triple|\d)"
"""RE2; every number in words has a place that this matches."""

_TOKEN = re.compile(rf"and|{'|'.join(_TIMES)}|{_WORD}|\d+")
_LONGEST = 19


def spelled_numbers(text: str) -> Iterator[Sighting]:
    """Telephone and card numbers of which at least three digits are words."""
    for start, end in _SPELLED.spans(text):
        tokens = [match for match in _TOKEN.finditer(text, start, end) if match[0] != "and"]
        if sum(token[0] in _WORDS for token in tokens) < 3:
            continue
        digits, times = "", 1
        for token in tokens:
            if token[0] in _TIMES:
                times = _TIMES[token[0]]
                continue
            digits += _WORDS.get(token[0], token[0]) * times
            times = 1
        if len(digits) > 12 and is_card(digits):
            yield Sighting(CARD, start, end)
            continue
        if len(digits) < 7 or _is_counting(digits):
            continue
        cued = bool(_CUE.search(text, max(0, start - CUE_REACH), start))
        if len(digits) < 9 and not cued:
            yield Sighting(LOCAL_PHONE, start, end)
        elif len(digits) <= _LONGEST:
            yield Sighting(SPELLED_PHONE, start, end)


def _is_counting(digits: str) -> bool:
    """Whether the digits are counts up or down, as trainers and musicians call them out."""
    if len(set(digits)) < 3:
        return True
    for step in (1, -1):
        runs = [digits[0]]
        for earlier, later in pairwise(digits):
            if int(later) - int(earlier) == step:
                runs[-1] += later
            else:
                runs.append(later)
        if all(len(run) > 2 or run == "12" for run in runs):
            return True
    return False
