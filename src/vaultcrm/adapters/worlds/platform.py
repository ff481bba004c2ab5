"""The simulator channel of a world: it keeps a log of what it was handed."""

from dataclasses import dataclass
from uuid import UUID

from vaultcrm.adapters.channels.simulator.channel import SimulatorChannel
from vaultcrm.domain.channels import OutboundMessage, SendResult, SendStatus


@dataclass(frozen=True, slots=True)
class Taken:
    """One message that reached a fan. `id` is ours, `external_id` the platform's."""

    id: UUID
    creator_id: UUID
    conversation_id: UUID
    external_id: str
    fan_handle: str
    text: str
    price_minor: int | None


class WorldPlatform(SimulatorChannel):
    """The simulator with a log. Idempotent, as it says: a known id is not logged again, and
    `asked_again` counts how often that happened.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Taken] = []
        self.refused = 0
        self.asked_again = 0
        self._known: set[UUID] = set()

    async def send(self, message: OutboundMessage) -> SendResult:
        """As the simulator answers, and written down once when it is taken."""
        result = await super().send(message)
        if result.status is not SendStatus.SENT:
            self.refused += 1
        elif message.id in self._known:
            self.asked_again += 1
        else:
            self._known.add(message.id)
            self.log.append(
                Taken(
                    message.id,
                    message.creator_id,
                    message.conversation_id,
                    result.message_id,
                    message.fan_handle,
                    message.text,
                    None if message.price is None else message.price.minor,
                )
            )
        return result
