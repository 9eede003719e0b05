"""Signing up, logging in and sessions, as JSON."""

from pydantic import BaseModel, ConfigDict, Field

from app.core.caller import Role
from app.models import User
from app.schemas.base import (
    AnyPassword,
    AnyText,
    Email,
    Password,
    RequestModel,
    ResponseModel,
    Time,
)


class SignUp(RequestModel):
    """A new customer's login."""

    email: Email
    password: Password


class Login(RequestModel):
    """The address in any spelling that means the same, and the password as it was set."""

    email: AnyText
    password: AnyPassword


class TokenForm(BaseModel):
    """The form of OAuth 2.0's password grant (RFC 6749, section 4.3), as API documentation sends it."""

    model_config = ConfigDict(extra="forbid")

    grant_type: str = Field("password", pattern="^password$")
    # A form has no empty fields: they count as left out.
    username: AnyText = Field(min_length=1)
    password: AnyPassword = Field(min_length=1)
    scope: AnyText = ""
    client_id: AnyText | None = None
    client_secret: AnyText | None = None


class Refresh(RequestModel):
    """The refresh token of the last pair."""

    refresh_token: AnyText


class PasswordChange(RequestModel):
    """The password now, and the one from now on."""

    current_password: AnyPassword
    new_password: Password


class Tokens(ResponseModel):
    """`expires_in` is seconds of life of the access token."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the name of the scheme
    expires_in: int
    refresh_token: str


class UserOut(ResponseModel):
    """`account_holder_id` is null until the user has become an account holder."""

    id: str
    email: str
    role: Role
    account_holder_id: str | None
    created_at: Time

    @classmethod
    def of(cls, user: User, *, holder_id: str | None) -> "UserOut":
        """The user, with the account holder that they are."""
        return cls(
            id=user.id,
            email=user.email,
            role=Role(user.role),
            account_holder_id=holder_id,
            created_at=user.created_at,
        )


class SessionOut(ResponseModel):
    """`current` is the session of the token that asks."""

    id: str
    created_at: Time
    last_used_at: Time
    expires_at: Time
    address: str | None
    user_agent: str | None
    current: bool
