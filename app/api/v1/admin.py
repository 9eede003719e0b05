"""What only staff see: the whole bank."""

from fastapi import APIRouter

from app.api.deps import BookKeeper, Db
from app.api.reading import look
from app.api.routing import ApiRoute
from app.schemas.admin import TrialBalanceOut
from app.services import integrity

router = APIRouter(prefix="/v1/admin", tags=["admin"], route_class=ApiRoute)


@router.get("/trial-balance")
async def get_trial_balance(user: BookKeeper, db: Db) -> TrialBalanceOut:
    """Every kind of account in every currency, as debit and credit."""
    rows = await look(db, user, "trial_balance.read", integrity.trial_balance)
    return TrialBalanceOut.of(rows)
