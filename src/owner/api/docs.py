"""The API's page at `/docs`, from files that come along: it works without the internet."""

from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
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


def install(app: FastAPI) -> None:
    app.mount("/docs-static", StaticFiles(directory=STATIC), name="docs-static")
    app.add_api_route("/docs", show_docs, include_in_schema=False, response_class=HTMLResponse)


async def show_docs() -> str:
    return PAGE
