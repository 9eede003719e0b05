"""The interactive documentation, from files of this installation: it works without a network."""

from pathlib import Path
from typing import Final

import fastapi_offline
from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html, get_swagger_ui_oauth2_redirect_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)

_ASSETS: Final = "/docs/assets"
# The page starts itself with an inline script and styles; nothing comes from elsewhere.
_POLICY: Final = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src 'self' data:; "
    "script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
}

assets: Final = StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static")


@router.get("/docs")
async def docs() -> HTMLResponse:
    """The interactive page, with files of this server."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="banking-service",
        oauth2_redirect_url="/docs/oauth2-redirect",
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon.png",
        # The page would show a badge that a foreign host draws.
        swagger_ui_parameters={"validatorUrl": None},
    )
    page.headers.update(_POLICY)
    return page


@router.get("/docs/oauth2-redirect")
async def oauth2_redirect() -> HTMLResponse:
    """Where the page's Authorize button comes back to."""
    page = get_swagger_ui_oauth2_redirect_html()
    page.headers.update(_POLICY)
    return page
