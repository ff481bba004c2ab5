"""Data that identifies or reaches a person: what has a checksum or a grammar, not a word list.

| module      | holds                                                                          |
|-------------|--------------------------------------------------------------------------------|
| `scan`      | `sightings`: everything in one view of a text                                  |
| `redaction` | `redact`: a text with placeholders for what was found                          |
| `kinds`     | the kinds, with tier, score, reason and placeholder                            |
| `contacts`  | e-mail addresses, links, names of accounts, also spelled out                   |
| `phones`    | telephone numbers in digits and in words                                       |
| `accounts`  | cards, bank accounts, wallets, social security numbers                         |
| `addresses` | streets with numbers, postal codes with towns                                  |
| `checksums` | Luhn, mod 97, Base58Check, Bech32, EIP-55                                      |

Everything runs over the `plain` view, so that full-width or Arabic digits are read too.
"""

from vaultcrm.pipeline.safety.personal_data.kinds import KINDS, Kind, Sighting
from vaultcrm.pipeline.safety.personal_data.redaction import redact
from vaultcrm.pipeline.safety.personal_data.scan import sightings

__all__ = ["KINDS", "Kind", "Sighting", "redact", "sightings"]
