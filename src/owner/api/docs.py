"""The API's page at `/docs`, from files that come along: it works without the internet."""

import asyncio
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

STATIC: Final = Path(__file__).with_name("static") / "swagger-ui"
PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Owner: the REST API</title>
<link rel="icon" href="docs-static/favicon-32x32.png">
<link rel="stylesheet" href="docs-static/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs-static/swagger-ui-bundle.js"></script>
<script src="docs-static/start.js"></script>
</body>
</html>
"""

# Swagger UI writes styles into its elements and draws its icons from data URLs; it runs no script but the files here.
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Cache-Control": "no-cache",
}


class _Files(StaticFiles):
    """Kept by browsers, which ask each time whether they are still the same."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        response = super().file_response(*args, **options)
        response.headers["Cache-Control"] = HEADERS["Cache-Control"]
        return response


def install(app: FastAPI) -> None:
    app.mount("/docs-static", _Files(directory=STATIC), name="docs-static")
    app.add_api_route("/openapi.json", show_description, include_in_schema=False)
    app.add_api_route("/docs", show_docs, include_in_schema=False, response_class=HTMLResponse)


async def show_description(request: Request) -> JSONResponse:
    return JSONResponse(await asyncio.to_thread(request.app.openapi))


async def show_docs() -> HTMLResponse:
    return HTMLResponse(PAGE, headers=HEADERS)
