"""Who people are to us: tiers of fans, roles of our own."""

from collections.abc import Mapping

from vaultcrm.domain.people import Role, Tier

TIERS: Mapping[Tier, str] = {
    Tier.WHALE: "Whale",
    Tier.HIGH: "High",
    Tier.MEDIUM: "Medium",
    Tier.LOW: "Low",
}

ROLES: Mapping[Role, str] = {
    Role.CHATTER: "chatter",
    Role.MANAGER: "manager",
    Role.ADMIN: "admin",
    Role.SERVICE: "program",
}


def tier_title(tier: Tier) -> str:
    """A tier where it stands for the fan: `whale`, `high tier`."""
    return "whale" if tier is Tier.WHALE else f"{tier.value} tier"


def initials(name: str) -> str:
    """Up to two letters that stand for a name; a dot when it has none."""
    letters = [next((sign for sign in word if sign.isalnum()), "") for word in name.split()]
    found = [letter for letter in letters if letter]
    return "".join(found[:1] + found[1:][-1:]).upper() or "·"
