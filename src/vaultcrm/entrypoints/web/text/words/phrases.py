"""Numbers, money and sentences, as they stand in any text."""

from vaultcrm.db.queries.cards import MOST_COUNTED
from vaultcrm.domain.money import Money, minor_per_major


def whole_price(major: float, currency: str) -> str:
    """`$50`, `$49.50`, `1,500 JPY`: cents only where there are any."""
    money = str(Money(round(major * minor_per_major(currency)), currency))
    amount, _, rest = money.partition(" ")
    if set(amount.partition(".")[2]) == {"0"}:
        amount = amount.partition(".")[0]
    return f"{amount} {rest}".strip()


def money(minor: int, currency: str) -> str:
    """An amount in minor units as people read it."""
    return str(Money(minor, currency))


def sentence(phrase: str) -> str:
    """A phrase as it stands by itself: with a capital."""
    return phrase[:1].upper() + phrase[1:]


def counted(number: int) -> str:
    """A number that was counted up to `MOST_COUNTED` only: from there on it is `99+`."""
    return f"{MOST_COUNTED - 1}+" if number >= MOST_COUNTED else str(number)


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 finding`, `2 findings`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
