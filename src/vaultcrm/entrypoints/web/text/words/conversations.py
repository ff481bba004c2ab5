"""Conversations: what AI does in them, what care they need, who wrote a message."""

from collections.abc import Mapping

from vaultcrm.domain.conversation import Author, Care, Mode
from vaultcrm.domain.spending import Cap

MODES: Mapping[Mode, str] = {
    Mode.AUTO: "Automatic",
    Mode.DRAFT_ONLY: "Drafts only",
    Mode.OFF: "Off",
}

CARES: Mapping[Care, str] = {
    Care.DISTRESS: "The fan may be in distress",
    Care.POSSIBLE_MINOR: "The fan may be under 18",
}

HOLDS: Mapping[Cap, str] = {
    Cap.OFFERS_PER_DAY: "they have had as many in 24 hours as they may",
    Cap.SPEND_PER_WEEK: "they have spent what they may in 7 days",
    Cap.COOLING_OFF: "they are cooling off",
}

AUTHORS: Mapping[Author, str] = {
    Author.FAN: "",
    Author.CHATTER: "written by a person",
    Author.AI_APPROVED: "AI, approved",
    Author.AI_AUTOMATIC: "AI, sent automatically",
    Author.DISCLOSURE: "AI disclosure",
    Author.IMPORTED: "imported",
}


def byline(author: Author, user_name: str | None) -> str:
    """Who really wrote a message of the creator's: `AI, approved by Jo`; of the fan's, nothing."""
    if user_name and author is Author.CHATTER:
        return f"written by {user_name}"
    if user_name and author is Author.AI_APPROVED:
        return f"{AUTHORS[author]} by {user_name}"
    return AUTHORS[author]
