"""The pages of a folder of results beside Prefect's web page, which can link to nothing but http addresses."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from storage.results.published import SKY_THUMB, STACK_THUMB

FOLDER = "STILLSKY_REPORTS"
"""Environment variable with the folder of results whose reports the server shows; missing: none."""
PAGE, GALLERY = "report.html", "index.html"
FILES = (PAGE, GALLERY, STACK_THUMB, SKY_THUMB, "sky.png")
"""What can be asked for: the pages, and the pictures that a gallery shows."""
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
                    return FileResponse(place, headers=HEADERS)
            except (OSError, ValueError):  # a name too long, or with a null character
                pass
            return PlainTextResponse("there is no such report", 404)

        yield Route("/reports/{name:path}", show)


def address(out: Path) -> str:
    """Where a browser finds the report in a folder of results; empty where no server shows it."""
    folder, api = os.environ.get(FOLDER), os.environ.get("PREFECT_API_URL", "")
    if not folder or not out.absolute().is_relative_to(folder):
        return ""
    inside = quote(os.fsencode(out.absolute().relative_to(folder)))
    return f"{api.removesuffix('/api')}/reports/{'' if inside == '.' else inside}"


def _is_shown(file: Path, folder: Path) -> bool:
    return file.is_file() and file.resolve().is_relative_to(folder.resolve())
