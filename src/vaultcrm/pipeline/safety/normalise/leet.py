"""The `leet` views: digits and symbols as the letters that they stand for."""

import re

from vaultcrm.pipeline.safety.normalise.view import View, ViewName
from vaultcrm.pipeline.safety.patterns import Pattern

LEET_LETTERS = str.maketrans(
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
    return body.translate(LEET_LETTERS) + token[len(body) :]


# Times, sizes and amounts, which are what digits beside letters mostly are.
_MEASURE = re.compile(
    r"[$\u20ac\u00a3+]*[0-9]+(?:am|pm|st|nd|rd|th|k|x|h|hr|hrs|min|mins|m|s|km|kg|g|lb|lbs|cm|mm|ft|in|d)"
)


def leet_view(parent: View, name: ViewName) -> View | None:
    """With digits and symbols read as letters; None where that changes nothing."""
    if not _NEEDS_LEET.is_in(parent.text):
        return None
    text = _LEET_TOKEN.sub(_leet_token, parent.text)
    if text == parent.text:
        return None
    return View(name, text, parent.original, parent, runs=parent.runs)
