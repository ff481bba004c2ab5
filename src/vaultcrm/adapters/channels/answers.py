"""What a platform answers to a message: as far as it matters, and how long it asks to wait."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


async def read_some(parts: AsyncIterator[bytes], most: int) -> bytes:
    """The bytes of an answer; b"" when there are more than `most`, which are not waited for."""
    read = bytearray()
    async for part in parts:
        read += part
        if len(read) > most:
            return b""
    return bytes(read)


def retry_after_seconds(header: str) -> float | None:
    """Seconds of a Retry-After header, which holds a count or an HTTP date (RFC 9110, 10.2.3)."""
    value = header.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
