"""Chance that depends on names, not on the order of calls, and the logistic function."""

import hashlib
import math
from random import Random


def chance(*names: object) -> Random:
    """A generator that depends on all names, on no process and on no version of `hash`."""
    key = "\x1f".join(str(name) for name in names).encode("utf-8", "backslashreplace")
    return Random(int.from_bytes(hashlib.sha256(key).digest()[:8], "big"))  # noqa: S311 - a model, no secret


def share(*names: object) -> float:
    """One number in [0, 1) that depends on all names."""
    key = "\x1f".join(str(name) for name in names).encode("utf-8", "backslashreplace")
    return (int.from_bytes(hashlib.sha256(key).digest()[:8], "big") >> 11) * 2.0**-53


def logistic(x: float) -> float:
    """1 / (1 + exp(-x)), without overflow."""
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    grown = math.exp(x)
    return grown / (1.0 + grown)
