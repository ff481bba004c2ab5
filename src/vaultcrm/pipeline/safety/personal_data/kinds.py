"""The kinds of personal data, and one sighting of one of them."""

from dataclasses import dataclass

from vaultcrm.domain.safety import Category, FindingTier


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of personal data.

    `categories`: what a finding of it counts as. `placeholder`: what `redact` puts in its place.
    """

    id: str
    categories: tuple[Category, ...]
    tier: FindingTier
    score: float
    reason: str
    placeholder: str


def words(text: str) -> frozenset[str]:
    """The words of a list that is written as text."""
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Sighting:
    """`start:end` are offsets into the view."""

    kind: Kind
    start: int
    end: int


_CONTACT = (Category.PERSONAL_DATA, Category.OFF_PLATFORM_CONTACT)
_PAYMENT = (Category.PERSONAL_DATA, Category.OFF_PLATFORM_PAYMENT)
_PRIVATE = (Category.PERSONAL_DATA,)
_ELSEWHERE = (Category.OFF_PLATFORM_CONTACT,)
_BLOCK, _REVIEW = FindingTier.BLOCK, FindingTier.REVIEW

EMAIL = Kind("email", _CONTACT, _BLOCK, 0.98, "Contains an e-mail address.", "[email]")
SPELLED_EMAIL = Kind(
    "spelled_email",
    _CONTACT,
    _BLOCK,
    0.88,
    "Contains an e-mail address that is partly written in words.",
    "[email]",
)
PHONE = Kind("phone", _CONTACT, _BLOCK, 0.95, "Contains a telephone number.", "[phone]")
SPELLED_PHONE = Kind(
    "spelled_phone",
    _CONTACT,
    _BLOCK,
    0.88,
    "Contains a telephone number that is written in words.",
    "[phone]",
)
LOCAL_PHONE = Kind(
    "local_phone", _CONTACT, _REVIEW, 0.6, "May contain a local telephone number.", "[phone]"
)
MANY_NUMBERS = Kind(
    "many_numbers",
    _PRIVATE,
    _REVIEW,
    0.5,
    "Holds more numbers than can be checked one by one.",
    "[numbers]",
)
CARD = Kind("card", _PRIVATE, _BLOCK, 0.98, "Contains a payment card number.", "[card]")
IBAN = Kind("iban", _PAYMENT, _BLOCK, 0.99, "Contains a bank account number (IBAN).", "[iban]")
CRYPTO = Kind(
    "crypto_address", _PAYMENT, _BLOCK, 0.99, "Contains a cryptocurrency address.", "[crypto]"
)
CRYPTO_UNSURE = Kind(
    "crypto_lookalike",
    _PAYMENT,
    _REVIEW,
    0.8,
    "Contains what looks like a cryptocurrency address, but its checksum is wrong.",
    "[crypto]",
)
SSN = Kind(
    "ssn", _PRIVATE, _BLOCK, 0.95, "Contains what looks like a social security number.", "[ssn]"
)
ADDRESS = Kind(
    "street_address",
    _PRIVATE,
    _REVIEW,
    0.8,
    "Contains what looks like an address.",
    "[address]",
)
LINK = Kind("link", _ELSEWHERE, _REVIEW, 0.8, "Contains a link to another site.", "[link]")
HANDLE = Kind("handle", _CONTACT, _REVIEW, 0.6, "Names an account by its handle.", "[handle]")
ACCOUNT = Kind(
    "account", _CONTACT, _BLOCK, 0.82, "Tells the name of an account elsewhere.", "[handle]"
)

KINDS = (
    EMAIL, SPELLED_EMAIL, PHONE, SPELLED_PHONE, LOCAL_PHONE, MANY_NUMBERS, CARD, IBAN, CRYPTO,
    CRYPTO_UNSURE, SSN, ADDRESS, LINK, HANDLE, ACCOUNT,
)  # fmt: skip
