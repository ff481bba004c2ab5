"""E-mail by SMTP, one mail a connection, with the standard library in a thread: alerts are few."""

import asyncio
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from ipaddress import ip_address
from typing import Final, Literal

from pydantic import SecretStr

from vaultcrm.domain.mail import MailNotSent
from vaultcrm.settings import Settings

TIMEOUT_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class SmtpMailer:
    """A `Mailer` over one mail server. Nothing is sent in the clear to another machine."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    sender: str
    user: str | None = None
    password: SecretStr | None = None

    async def send(self, to: str, subject: str, text: str) -> None:
        """Hand one mail over. Raises MailNotSent, which says what the server said."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, to, " ".join(subject.split())
        mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=self._domain)
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        await asyncio.to_thread(self._hand_over, mail)

    @property
    def _domain(self) -> str:
        return self.sender.rpartition("@")[2] or "localhost"

    def _hand_over(self, mail: EmailMessage) -> None:
        try:
            with self._connection() as server:
                server.send_message(mail)
        except smtplib.SMTPResponseException as error:
            # What it says may name who was to get it; its code says enough.
            raise MailNotSent(f"The mail server answered {error.smtp_code}.") from error
        except smtplib.SMTPRecipientsRefused as error:
            raise MailNotSent("The mail server does not take mail for this address.") from error
        except (smtplib.SMTPException, OSError) as error:
            raise MailNotSent(
                f"The mail server at {self.host}, port {self.port}, could not be used: "
                f"{type(error).__name__}. Check SMTP_HOST, SMTP_PORT and SMTP_SECURITY."
            ) from error

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        if self.security == "none" and not _is_this_machine(self.host):
            raise MailNotSent("SMTP_SECURITY=none is for a mail server on this machine only.")
        context = ssl.create_default_context()
        if self.security == "tls":
            opened: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=TIMEOUT_SECONDS, context=context
            )
        else:
            opened = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
        with opened as server:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.user is not None:
                server.login(self.user, self.password.get_secret_value() if self.password else "")
            yield server


def build_mailer(settings: Settings) -> SmtpMailer | None:
    """The mailer that the settings name, None where they name none."""
    if settings.smtp_host is None:
        return None
    return SmtpMailer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        sender=settings.smtp_from or f"vaultcrm@{settings.smtp_host}",
        user=settings.smtp_user,
        password=settings.smtp_password,
    )


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
