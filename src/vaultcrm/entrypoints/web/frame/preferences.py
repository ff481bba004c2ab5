"""What a browser tells in cookies: its time zone, and the theme that was chosen in it."""

from datetime import UTC, tzinfo
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Request

THEMES = ("light", "dark")


def zone_of(request: Request) -> tzinfo:
    """UTC when the browser tells none, or one that is not known here."""
    try:
        return ZoneInfo(unquote(request.cookies.get("zone", "UTC")))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def theme_of(request: Request) -> str:
    """The theme that was chosen, or nothing, which is as the system has it."""
    theme = request.cookies.get("theme", "")
    return theme if theme in THEMES else ""
