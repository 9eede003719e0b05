"""Tokens for schemathesis, which loads this module into its own process (SCHEMATHESIS_HOOKS).

Operations that end sessions get a new login of a second user for each request; with the token of
the others, everything after them would be refused.
"""

import os
from typing import Any

import httpx
import schemathesis

ENDS_SESSIONS = r"^/v1/auth/(logout|logout-all|password|sessions/)"


class _Token:
    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.auth(refresh_interval=None).apply_to(path_regex=ENDS_SESSIONS)
class NewLogin(_Token):
    """A token that has not been used."""

    def get(self, case: Any, context: Any) -> str:
        login = {"email": os.environ["SPARE_EMAIL"], "password": os.environ["SPARE_PASSWORD"]}
        answer = httpx.post(
            f"{case.operation.base_url.rstrip('/')}/v1/auth/login", json=login, trust_env=False
        )
        return str(answer.raise_for_status().json()["access_token"])


@schemathesis.auth(refresh_interval=None).skip_for(path_regex=ENDS_SESSIONS)
class SameLogin(_Token):
    """The token of the user whom everything else is asked as."""

    def get(self, case: Any, context: Any) -> str:
        return os.environ["TOKEN"]
