"""Account holders: who the bank's customers are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from app.core import clock, errors, ids
from app.core.access import READERS, may_read
from app.core.caller import Caller
from app.core.errors import Detail
from app.models import AccountHolder
from app.repositories.audit import AuditLog
from app.repositories.holders import Holders

ME = "me"
_CUSTOMERS_FIELDS = frozenset({"address", "phone"})


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a person."""

    full_name: str
    date_of_birth: date
    address: str | None
    phone: str | None


def create_holder(session: Session, *, caller: Caller, profile: Profile) -> AccountHolder:
    """Makes the caller an account holder; staff make holders of people without a login here.

    Raises HolderExists when the caller is one.
    """
    holder = AccountHolder(
        id=ids.new_id(ids.HOLDER),
        user_id=None if caller.is_staff else caller.id,
        full_name=profile.full_name,
        date_of_birth=profile.date_of_birth,
        address=profile.address,
        phone=profile.phone,
        version=1,
        created_at=clock.now(),
    )
    if not Holders(session).add(holder):
        raise errors.HolderExists()
    AuditLog(session).record("holder.create", actor=caller.id, origin=caller.origin, object_id=holder.id)
    return holder


def get_holder(session: Session, *, caller: Caller, holder_id: str) -> AccountHolder:
    """One holder; `me` is the caller's own. NotFound for unknown and for other people's."""
    return _visible(caller, Holders(session).get(_resolve(session, caller, holder_id)))


def list_holders(
    session: Session, *, caller: Caller, after: list[str] | None, limit: int
) -> Sequence[AccountHolder]:
    """The caller's own holder, or every holder for staff; newest first."""
    return Holders(session).page(
        user_id=None if caller.role in READERS else caller.id,
        before_id=after[0] if after else None,
        limit=limit,
    )


def change_holder(
    session: Session,
    *,
    caller: Caller,
    holder_id: str,
    changes: dict[str, object],
    versions: frozenset[int] | None,
) -> AccountHolder:
    """Changes some of the profile. `versions` are those the client accepts, None for any.

    Customers change their address and phone; a teller everything. Raises PreconditionFailed when
    somebody else was faster.
    """
    holder = _visible(caller, Holders(session).lock(_resolve(session, caller, holder_id)))
    reserved = [] if caller.is_staff else sorted(changes.keys() - _CUSTOMERS_FIELDS)
    if reserved:
        raise errors.ValidationFailed(
            [Detail(name, "not_allowed", "The bank's staff change this.") for name in reserved]
        )
    errors.PreconditionFailed.check(versions, holder.version)
    if not changes:
        return holder
    for name, value in changes.items():
        setattr(holder, name, value)
    holder.version += 1
    AuditLog(session).record(
        "holder.change",
        actor=caller.id,
        origin=caller.origin,
        object_id=holder.id,
        reason=f"fields {', '.join(sorted(changes))}",
    )
    return holder


def _resolve(session: Session, caller: Caller, holder_id: str) -> str:
    if holder_id == ME:
        own = Holders(session).of_user(caller.id)
        return own.id if own else ""
    return holder_id if ids.is_id(ids.HOLDER, holder_id) else ""


def _visible(caller: Caller, holder: AccountHolder | None) -> AccountHolder:
    if holder is None or not may_read(caller, holder.user_id):
        raise errors.NotFound.at("holder_id")
    return holder
