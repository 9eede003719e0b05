"""Account holders: SQL in, rows out."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.locks import locked
from app.db.statements import insert_or_ignore
from app.models import AccountHolder


class Holders:
    """The table `account_holders`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, holder: AccountHolder) -> bool:
        """Inserts the holder; False when their user is one already, also in a race."""
        values = {c.key: getattr(holder, c.key) for c in AccountHolder.__table__.columns}
        return insert_or_ignore(self._session, AccountHolder, values)

    def get(self, holder_id: str) -> AccountHolder | None:
        return self._session.get(AccountHolder, holder_id)

    def lock(self, holder_id: str) -> AccountHolder | None:
        """The holder, whom nobody else changes until the commit."""
        return self._session.scalar(locked(select(AccountHolder).where(AccountHolder.id == holder_id)))

    def of_user(self, user_id: str) -> AccountHolder | None:
        return self._session.scalar(select(AccountHolder).where(AccountHolder.user_id == user_id))

    def page(self, *, user_id: str | None, before_id: str | None, limit: int) -> Sequence[AccountHolder]:
        """Holders, newest first: a user's, or everybody's when `user_id` is None."""
        query = select(AccountHolder)
        if user_id is not None:
            query = query.where(AccountHolder.user_id == user_id)
        if before_id is not None:
            query = query.where(AccountHolder.id < before_id)
        return self._session.scalars(query.order_by(AccountHolder.id.desc()).limit(limit)).all()
