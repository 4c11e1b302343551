"""The pages of a folder of results beside Prefect's web page, which can link to nothing but http addresses."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from flows.server.access import SERVER_VARIABLE, picture_key
from storage.results.published import SKY_THUMB, STACK_THUMB

FOLDER = "STILLSKY_REPORTS"
"""Environment variable with the folder of results whose reports the server shows; missing: none."""
PAGE, GALLERY = "report.html", "index.html"
FILES = (PAGE, GALLERY, STACK_THUMB, SKY_THUMB, "sky.png")
"""What can be asked for: the pages, and the pictures that a gallery shows."""
PICTURE = re.compile(r'src="[^"?]*\.png')
HEADERS = {
    "Content-Security-Policy": (
        "sandbox allow-scripts; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'"
    ),
    "X-Content-Type-Options": "nosniff",
}
"""A page may run its own script and show pictures, but neither ask the server for data nor pass for one of its own."""


def routes() -> Iterator[Route]:
    """`/reports/NAME/FILE` is that file in the folder, `/reports/NAME` its report, `/reports/` the gallery; nothing else."""
    if name := os.environ.get(FOLDER):
        folder = Path(name)

        def show(request: Request) -> Response:
            name = request.path_params["name"]
            place = folder / name
            try:
                if place.name not in FILES:
                    page = PAGE if (place / PAGE).is_file() else GALLERY
                    if _is_shown(place / page, folder):
                        return RedirectResponse("/".join(filter(None, ("/reports", quote(name.strip("/")), page))))
                elif _is_shown(place, folder):
                    return _with_keys(place) if place.name == GALLERY else FileResponse(place, headers=HEADERS)
            except (OSError, ValueError):  # a name too long, or with a null character
                pass
            return PlainTextResponse("there is no such report", 404)

        yield Route("/reports/{name:path}", show)


def _with_keys(page: Path) -> Response:
    """A gallery whose pictures can be asked for without the password, which its browser has given for the page."""
    text = page.read_text(encoding="utf-8", errors="replace")
    if password := os.environ.get(SERVER_VARIABLE):
        text = PICTURE.sub(rf"\g<0>?key={picture_key(password)}", text)
    return HTMLResponse(text, headers=HEADERS)


def address(out: Path) -> str:
    """Where a browser finds the report in a folder of results; empty where no server shows it."""
    folder, api = os.environ.get(FOLDER), os.environ.get("PREFECT_API_URL", "")
    if not folder or not out.absolute().is_relative_to(folder):
        return ""
    inside = quote(os.fsencode(out.absolute().relative_to(folder)))
    return f"{api.removesuffix('/api')}/reports/{'' if inside == '.' else inside}"


def gallery_address() -> str:
    """Where a browser finds the gallery of all results; empty where no server shows it."""
    return address(Path(folder)) if (folder := os.environ.get(FOLDER)) else ""


def _is_shown(file: Path, folder: Path) -> bool:
    return file.is_file() and file.resolve().is_relative_to(folder.resolve())
