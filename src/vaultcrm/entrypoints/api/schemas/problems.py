"""Errors, as RFC 9457 has them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from vaultcrm.domain.conversation import Author, Sender
from vaultcrm.entrypoints.api.fields import Schema


class FieldProblemOut(Schema):
    field: str
    reason: str


class NewMessageOut(Schema):
    id: UUID
    sender: Annotated[Sender, Field(alias="from")]
    author: Author
    text: str
    sent_at: datetime


class Problem(Schema):
    """RFC 9457. Members that do not apply are left out.

    `requestId` is the answer's `X-Request-Id`, which the log has too. `errors` names each field at
    fault, `limit` the limit that is reached; `currentStatus` and the two after it say who was first
    and when, `newMessages` what was said in the meantime.
    """

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None = None
    errors: list[FieldProblemOut] | None = None
    limit: str | None = None
    current_status: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    new_messages: list[NewMessageOut] | None = None
