"""Interactive documentation at `/docs`, from files of our own, for where no CDN can be reached.

The files are Swagger UI 5.35.0, Apache License 2.0, as its authors publish them.
"""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bulkhead</title>
<link rel="stylesheet" href="/docs/static/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/static/swagger-ui-bundle.js"></script>
<script src="/docs/static/start.js"></script>
</body>
</html>
"""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home() -> RedirectResponse:
    """Lead to the documentation."""
    return RedirectResponse("/docs")


@router.get("/docs")
async def page() -> HTMLResponse:
    """Show the interface's description."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": POLICY})


def add_documentation(app: FastAPI) -> None:
    """Serve the page and its files."""
    app.include_router(router)
    app.mount("/docs/static", StaticFiles(directory=STATIC))
