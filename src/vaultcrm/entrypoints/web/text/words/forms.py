"""Forms: what a page says after one, and what was wrong with one."""

import re
from collections.abc import Mapping

from vaultcrm.domain.errors import InvalidInput
from vaultcrm.domain.money import Money
from vaultcrm.entrypoints.web.text.words import phrases

DONE: Mapping[str, str] = {
    "calibrating": "A worker calibrates now. Come back in a minute.",
    "fan_erased": "Erased. Nothing leaves for them any more; the rest is emptied now.",
    "approve": "Approved. The message is on its way.",
    "modify": "Your version is approved and on its way.",
    "reject": "Rejected. Nothing was sent.",
    "snoozed": "Snoozed. It comes back by itself.",
    "woken": "It waits again.",
    "undone": "Taken back. Nothing was sent.",
    "disclosed": "Noted that the fan was told that AI helps to write.",
    "told": "The disclosure is on its way.",
    "worded": "Saved. Fans read it from the next disclosure on.",
    "mode": "Changed what AI does in this conversation.",
    "flag": "The flag is changed, from the next draft on.",
    "budget": "The budget is set, from the next draft on.",
    "budget_cleared": "The budget is taken away.",
    "ai_off": "AI is off for everybody. Drafts that wait are kept and out of sight.",
    "stage_on": "Moved on by one stage, from the next draft on.",
    "stage_back": "Moved back by one stage. What may not leave by itself any more waits.",
    "stage_follows": "They follow the installation again.",
    "complaint": "Marked as a complaint. It counts against the stage on the rollout page.",
    "no_complaint": "No longer marked as a complaint.",
    "ai_on": "AI is on again, except for creators who have it off themselves.",
    "drafted": "The draft is below.",
    "care_cool_off": "They cool off: no offers go to them.",
    "care_end": "They cool off no longer. The caps go on holding.",
    "care_lift": "The caps are lifted for this fan.",
    "care_restore": "The caps hold for this fan again.",
    "care_guidance": "Saved. Chatters see it from now on.",
    "written": "On its way.",
}
"""What a page says after a form has done its work."""

_FIELDS: Mapping[str, str] = {
    "modifiedMessage": "Your text",
    "modifiedPrice": "The price",
    "price": "The price",
    "action": "This draft",
    "value": "The value",
    "reason": "The reason",
    "amount": "The amount",
    "hours": "The hours",
}


def price_field(price: Money | None) -> str:
    """A price as it stands in a form: `25.00`, without a sign for the currency."""
    return "" if price is None else str(price).replace(",", "").strip("$").split()[0]


def setting(name: str) -> str:
    """A setting's name as a label: `apiAccessToken` is `Api access token`."""
    return phrases.sentence(re.sub(r"(?=[A-Z])", " ", name).lower()).rstrip(".")


def problems(error: InvalidInput) -> list[str]:
    """Each thing that is wrong with a form, field first."""
    return [f"{_FIELDS.get(p.field, p.field)}: {p.reason}" for p in error.problems]
