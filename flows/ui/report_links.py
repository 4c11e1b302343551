"""The pages of a folder of results beside Prefect's web page, which can link to nothing but http addresses."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

FOLDER = "STILLSKY_REPORTS"
"""Environment variable with the folder of results whose reports the server shows; missing: none."""
PAGE = "report.html"
PAGE_POLICY = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)
"""A page may run its own script, but neither ask the server for anything nor pass for a page of the server's own."""


def routes() -> Iterator[Route]:
    """`/reports/NAME` is NAME/report.html in the folder; no other file can be asked for."""
    if name := os.environ.get(FOLDER):
        folder = Path(name)

        async def show(request: Request) -> Response:
            page = folder / request.path_params["name"] / PAGE
            try:
                if page.is_file() and page.resolve().is_relative_to(folder.resolve()):
                    return FileResponse(page, headers={"Content-Security-Policy": PAGE_POLICY})
            except (OSError, ValueError):  # a name too long, or with a null character
                pass
            return PlainTextResponse("there is no such report", 404)

        yield Route("/reports/{name:path}", show)


def address(out: Path) -> str:
    """Where a browser finds the report in a folder of results; empty where no server shows it."""
    folder, api = os.environ.get(FOLDER), os.environ.get("PREFECT_API_URL", "")
    if not folder or not out.absolute().is_relative_to(folder):
        return ""
    return f"{api.removesuffix('/api')}/reports/{quote(os.fsencode(out.absolute().relative_to(folder)))}"
