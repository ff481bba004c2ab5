"""Times as people read them, in the zone of `now`, which is that of their browser."""

from datetime import UTC, datetime, timedelta

LATE_AFTER = timedelta(minutes=15)
"""A fan who has waited longer is shown as late."""


def age(since: datetime, now: datetime) -> str:
    """How long ago, in the largest whole unit: `now`, `6 min`, `3 h`, `2 d`."""
    minutes = int((now - since).total_seconds() // 60)
    if minutes < 1:
        return "now"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} d"


def ago(since: datetime, now: datetime) -> str:
    """`age` as a part of a sentence."""
    told = age(since, now)
    return "just now" if told == "now" else f"{told} ago"


def is_late(since: datetime, now: datetime) -> bool:
    return now - since > LATE_AFTER


def clock(moment: datetime, now: datetime) -> str:
    """`12:02` for today, `yesterday 21:14`, `18 Nov 21:14`, and with the year when it differs."""
    moment = moment.astimezone(now.tzinfo)
    days = (now.date() - moment.date()).days
    if days == 0:
        return f"{moment:%H:%M}"
    if days == 1:
        return f"yesterday {moment:%H:%M}"
    return f"{date(moment, now)} {moment:%H:%M}"


def date(moment: datetime, now: datetime) -> str:
    """`18 Nov`, and with the year when it is another one."""
    moment = moment.astimezone(now.tzinfo)
    told = f"{moment.day} {moment:%b}"
    return told if moment.year == now.year else f"{told} {moment.year}"


def day(moment: datetime, now: datetime) -> str:
    """`Today`, `Yesterday`, `18 Nov`, and with the year when it is another one."""
    days = (now.date() - moment.astimezone(now.tzinfo).date()).days
    return {0: "Today", 1: "Yesterday"}.get(days) or date(moment, now)


def hour(moment: datetime, now: datetime) -> str:
    """`12:02`."""
    return f"{moment.astimezone(now.tzinfo):%H:%M}"


def left(until: datetime, now: datetime) -> str:
    """How long from now, as a countdown has it: `4:31`."""
    seconds = max(0, int((until - now).total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02}"


def exact(moment: datetime) -> str:
    """`2026-11-18 21:14:05 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def until(moment: datetime, now: datetime) -> str:
    """What is left, as `4:31`; `0:00` when it is past."""
    seconds = max(0, round((moment - now).total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02d}"
