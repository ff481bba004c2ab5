"""A team's desk: a creator whose account is connected, and what goes in and out over it."""

from dataclasses import dataclass
from typing import Any

import httpx2

from tests.entrypoints.channels.platforms import NOW, Json, Platform
from tests.support.app import RunningApp
from tests.support.worker import run_jobs, time_has_come
from tests.support.world import SignedIn, rows, sign_in
from vaultcrm.domain.people import Role


@dataclass(frozen=True)
class Desk:
    app: RunningApp
    manager: SignedIn
    creator_id: str
    platform: Platform

    async def connect(self, **changes: Any) -> Json:
        """Connect the account, or connect it anew."""
        body = {
            "creatorId": self.creator_id,
            "channel": self.platform.name,
            "settings": self.platform.settings | changes,
        }
        made: Json = await self.manager.made("/api/channels", body)
        return made

    async def hears(
        self, event: Json, *, secret: str = "", age: Any = NOW, changed: bytes = b""
    ) -> httpx2.Response:
        """The platform tells of something; `changed` is another body under the same signature."""
        body, headers = self.platform.told(event, secret=secret, age=age)
        path = f"/api/webhooks/{self.platform.name}/mia"
        return await self.app.client.post(path, content=changed or body, headers=headers)

    async def works_through(self, *events: Json) -> None:
        """Each event comes in, and a worker does all that there is to do about it."""
        for event in events:
            response = await self.hears(event)
            assert response.status_code == 202, response.text
            await run_jobs(self.app)

    async def waiting(self) -> list[Json]:
        """The drafts that wait for a person."""
        items: list[Json] = (await self.manager.found("/api/ai/queue"))["items"]
        return items

    async def drafted(self, said: str = "Hey, how are you?") -> Json:
        """The draft that answers a message of the fan."""
        await self.works_through(self.platform.says(said))
        [draft] = await self.waiting()
        return draft

    async def is_told(self) -> None:
        """The fan knows of the AI, so that nothing goes before what is sent to them."""
        await rows(self.app, "UPDATE fans SET disclosed_at = now() WHERE disclosed_at IS NULL")

    async def approve(self, draft: Json, **more: Any) -> None:
        await self.is_told()
        body = {"generationId": draft["generationId"], "action": "approve", **more}
        await self.manager.made("/api/ai/approve", body)

    async def write(self, text: str, **more: Any) -> httpx2.Response:
        """Send a message of the manager's own in the one conversation."""
        [talk] = await rows(self.app, "SELECT id FROM conversations")
        body = {"creatorId": self.creator_id, "text": text, **more}
        return await self.manager.post(f"/api/conversations/{talk['id']}/send", body)

    async def wrote(self, text: str, **more: Any) -> None:
        response = await self.write(text, **more)
        assert response.status_code == 200, response.text

    async def deliver(self) -> None:
        """A worker sends what may leave now, whatever it waited for."""
        await time_has_come(self.app)
        await run_jobs(self.app)

    async def thread(self) -> list[tuple[str, str]]:
        """Author and text of each message, oldest first."""
        found = await rows(self.app, "SELECT author, text FROM messages ORDER BY sent_at, id")
        return [(row["author"], row["text"]) for row in found]

    async def deliveries(self) -> list[Json]:
        """What was to leave, the first decided first."""
        items: list[Json] = (await self.manager.found("/api/deliveries"))["items"]
        return sorted(items, key=lambda item: str(item["createdAt"]))

    async def settle(self, delivery: Json, resolution: str) -> httpx2.Response:
        body = {"creatorId": self.creator_id, "resolution": resolution}
        return await self.manager.post(f"/api/deliveries/{delivery['id']}", body)

    async def alerts(self) -> list[str]:
        """Kinds of the alerts that are open."""
        found = await self.manager.found("/api/alerts", open="true")
        return [alert["kind"] for alert in found["items"]]

    async def kept(self) -> int:
        """How many events are kept."""
        return len(await rows(self.app, "SELECT 1 FROM inbound_events"))


async def open_desk(app: RunningApp, platform: Platform) -> Desk:
    """The creator mia, with an account on the platform."""
    manager = await sign_in(app, Role.MANAGER)
    made = await manager.made("/api/creators", {"handle": "mia", "displayName": "Mia"})
    desk = Desk(app, manager, made["id"], platform)
    await desk.connect()
    return desk
