"""Every code of the product in plain English, a module a subject.

Where a word depends on more than its code (the price from which an offer waits, the tier of a fan)
there is a function; the tables are complete for their enumerations. Pages say `words.drafts.TYPES`.
"""

from vaultcrm.entrypoints.web.text.words import (
    alerts,
    audit,
    controls,
    conversations,
    deciding,
    drafts,
    filtering,
    forms,
    people,
    phrases,
    voices,
)

__all__ = [
    "alerts",
    "audit",
    "controls",
    "conversations",
    "deciding",
    "drafts",
    "filtering",
    "forms",
    "people",
    "phrases",
    "voices",
]
