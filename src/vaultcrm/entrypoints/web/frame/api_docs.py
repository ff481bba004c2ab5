"""`/api/docs`: the JSON API with forms to try it. What it needs comes from here, nothing from
elsewhere: a script of somebody else's could act as whoever is signed in.
"""

from fastapi import FastAPI, Request
from fastapi.responses import Response

from vaultcrm.entrypoints.web.frame.pages import HEADERS, page

PATH = "/api/docs"
_POLICY = HEADERS["Content-Security-Policy"].replace(
    # Swagger UI writes styles into its elements.
    "style-src 'self'",
    "style-src 'self' 'unsafe-inline'",
)


async def docs(request: Request) -> Response:
    return page("frame/api_docs.html", headers={"Content-Security-Policy": _POLICY})


def install(app: FastAPI) -> None:
    """Add the page. It is open to everybody, as the document that it shows is."""
    app.add_route(PATH, docs, include_in_schema=False)
