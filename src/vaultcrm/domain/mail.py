"""E-mail that the installation sends: the port `Mailer`."""

from typing import Protocol

from vaultcrm.domain.errors import VaultError


class MailNotSent(VaultError):
    """The mail server did not take a mail. The text says why, and names no password."""

    slug = "mail-not-sent"


class Mailer(Protocol):
    """Sends plain text to one address."""

    async def send(self, to: str, subject: str, text: str) -> None:
        """Hand one mail over. Raises MailNotSent; then it may be tried again."""
