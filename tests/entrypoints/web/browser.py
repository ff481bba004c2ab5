"""A person at the console, without a screen: pages are read, links followed, forms sent.

jo = await sign_in(app, Role.CHATTER, name="Jo")
page = await jo.open("/queue")
page = await jo.press(page, "Approve and next")

A form is sent as the page has it, hidden fields and all, so what works here works in a browser
that runs no script.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx2

from tests.support.app import RunningApp
from tests.support.world import SignedIn
from tests.support.world import sign_in as add_person
from vaultcrm.domain.people import Role
from vaultcrm.workflows import manage_people

VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})
INLINE = frozenset({"a", "b", "bdi", "code", "i", "mark", "span", "textarea", "time"})


@dataclass
class Button:
    label: str
    name: str
    value: str


@dataclass
class Form:
    """`fields` are what is sent if nobody types anything."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[Button] = field(default_factory=list)


@dataclass
class Page:
    """An answer as a person and a screen reader get it. `text` has single spaces throughout."""

    status: int
    path: str
    headers: httpx2.Headers
    html: str
    text: str
    forms: list[Form]
    links: dict[str, str]
    marks: list[tuple[str, str]]
    elements: list[tuple[str, dict[str, str]]]

    @property
    def labels(self) -> list[str]:
        """The labels of all buttons."""
        return [button.label for form in self.forms for button in form.buttons]

    def form(self, label: str) -> tuple[Form, Button]:
        """The form with a button of that label."""
        for form in self.forms:
            for button in form.buttons:
                if button.label == label:
                    return form, button
        raise AssertionError(f"no button {label!r} among {self.labels}")

    def link(self, text: str) -> str:
        """Where the link leads whose text begins so."""
        for label, target in self.links.items():
            if label.startswith(text):
                return target
        raise AssertionError(f"no link {text!r} among {list(self.links)}")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.marks: list[tuple[str, str]] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[tuple[str, dict[str, str], int]] = []
        self.select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        if tag not in VOID:
            self.open.append((tag, given, len(self.words)))
        if tag == "form":
            self.forms.append(Form(given.get("method", "get"), given.get("action", "")))
        elif tag == "select":
            self.select = given["name"]
        elif tag == "input" and self._in("form") and "name" in given:
            # A box that is not ticked is not sent.
            if given.get("type") not in {"checkbox", "radio"} or "checked" in given:
                self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "option":
            fields = self.forms[-1].fields
            if self.select not in fields or "selected" in given:
                fields[self.select] = given["value"]

    def handle_endtag(self, tag: str) -> None:
        name, given, start = self.open.pop()
        assert name == tag, f"</{tag}> closes <{name}>"
        said = "".join(self.words[start:])
        if tag == "button" and self._in("form"):
            button = Button(_plain(said), given.get("name", ""), given.get("value", ""))
            self.forms[-1].buttons.append(button)
        elif tag == "textarea" and self._in("form"):
            self.forms[-1].fields[given["name"]] = said.removeprefix("\n")
        elif tag == "a":
            self.links.setdefault(_plain(said), given["href"])
        elif tag == "mark":
            self.marks.append((said, given["title"]))
        if tag not in INLINE:
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        # Keys stand on buttons for the eye; a label is what a button says without them.
        if not self._in("kbd"):
            self.words.append(data)

    def _in(self, tag: str) -> bool:
        return any(name == tag for name, _, _ in self.open)


def _plain(text: str) -> str:
    return " ".join(text.split())


def read(response: httpx2.Response) -> Page:
    """The page in an answer."""
    reader = _Reader()
    if response.headers.get("content-type", "").startswith("text/html"):
        reader.feed(response.text)
        reader.close()
    return Page(
        status=response.status_code,
        path=response.url.raw_path.decode(),
        headers=response.headers,
        html=response.text,
        text=_plain("".join(reader.words)),
        forms=reader.forms,
        links=reader.links,
        marks=reader.marks,
        elements=reader.elements,
    )


class Browser:
    """One person's browser, with its own cookies. Redirects are followed unless told otherwise."""

    def __init__(self, app: RunningApp, *, raises: bool = True) -> None:
        self.app = app
        transport = httpx2.ASGITransport(app=app.app, raise_app_exceptions=raises)
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://vaultcrm.test")

    async def open(self, path: str, *, follow: bool = True) -> Page:
        target = urljoin("http://vaultcrm.test/", path)
        return read(await self.client.get(target, follow_redirects=follow))

    async def send(
        self,
        path: str,
        fields: Mapping[str, str | Sequence[str]],
        *,
        follow: bool = True,
        headers: dict[str, str] | None = None,
    ) -> Page:
        """Send a form, with the headers that a browser adds to one of our own pages'."""
        sent = {"Origin": "http://vaultcrm.test", "Sec-Fetch-Site": "same-origin"}
        sent |= headers or {}
        return read(
            await self.client.post(path, data=fields, headers=sent, follow_redirects=follow)
        )

    async def press(self, page: Page, label: str, **typed: str) -> Page:
        """Press a button of the page after typing into its form's fields."""
        form, button = page.form(label)
        assert form.method == "post", form
        assert set(typed) <= set(form.fields), f"{set(typed)} is not in {set(form.fields)}"
        fields = {**form.fields, **typed}
        if button.name:
            fields[button.name] = button.value
        return await self.send(urlsplit(form.action).path, fields)


class Person(Browser):
    """A browser that somebody has signed in with; `api` is the same person with a token."""

    def __init__(self, app: RunningApp, api: SignedIn, name: str) -> None:
        super().__init__(app)
        self.api = api
        self.name = name


async def sign_in(
    app: RunningApp, role: Role, *, name: str, creators: Sequence[str] | None = None
) -> Person:
    """A new person who has followed their sign-in link; `creators` None means all."""
    person = Person(app, await add_person(app, role, creators=creators, name=name), name)
    page = await person.open(await sign_in_path(app, name))
    assert page.status == 200, page.text
    return person


async def sign_in_path(app: RunningApp, name: str) -> str:
    """Path and query of the link that signs a person in."""
    email = f"{name.lower().replace(' ', '.')}@example.com"
    parts = app.parts
    link = await manage_people.sign_in_link(parts.pool, parts.settings, email, parts.now())
    address = urlsplit(link)
    return f"{address.path}?{address.query}"
