"""Filters of lists, as query parameters. Ranges are half-open: `.gte` is in, `.lt` is out."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import Depends, Query
from pydantic import AfterValidator
from starlette.requests import Request

from app.api.state import Bank, bank_of
from app.core import clock, dates, errors
from app.core.errors import Detail
from app.core.money import CURRENCIES
from app.models.accounts import AccountStatus
from app.models.cards import CardStatus
from app.models.transfers import TransferKind, TransferStatus
from app.repositories.accounts import AccountFilter
from app.repositories.cards import CardFilter
from app.repositories.transfers import EntryFilter, TransferFilter
from app.schemas.accounts import AccountType
from app.schemas.base import refusal
from app.schemas.statements import Basis, Month
from app.schemas.transfers import ExternalId
from app.services.statements import Period

_UTC: Final = ZoneInfo("UTC")


def _boundary(value: str) -> str:
    try:
        dates.parse_boundary(value, _UTC, is_end=False)
    except ValueError:
        raise refusal("invalid", "An instant with its offset, or a date.") from None
    return value


def _day(value: str) -> str:
    try:
        dates.parse_date(value)
    except ValueError:
        raise refusal("invalid", "This must be a date such as 2026-02-28.") from None
    return value


def _currency(value: str) -> str:
    if value not in CURRENCIES:
        raise refusal("currency_not_supported", "No current ISO 4217 code in capitals.")
    return value


Boundary = Annotated[str, AfterValidator(_boundary)]
Day = Annotated[str, AfterValidator(_day)]
Currency = Annotated[str, AfterValidator(_currency)]
AccountId = Annotated[str | None, Query(description="Only of this account.")]


def _at(request: Request, text: str | None) -> datetime | None:
    """A boundary, where a day is the bank's."""
    if text is None:
        return None
    return _boundary_of(bank_of(request).settings.bank_timezone, text, is_end=False)


def _boundary_of(zone: ZoneInfo, text: str, *, is_end: bool) -> datetime:
    try:
        return dates.parse_boundary(text, zone, is_end=is_end)
    except ValueError:
        # The first or last day there is, in a zone where it begins or ends beyond.
        return datetime.max.replace(tzinfo=UTC) if is_end else dates.parse_boundary(text, _UTC, is_end=False)


def _on(text: str | None) -> date | None:
    return None if text is None else dates.parse_date(text)


async def _account_filter(
    request: Request,
    status: AccountStatus | None = None,
    type: AccountType | None = None,
    currency: Currency | None = None,
    account_holder_id: Annotated[str | None, Query(description="Only of this holder.")] = None,
    created_from: Annotated[Boundary | None, Query(alias="created_at.gte")] = None,
    created_before: Annotated[Boundary | None, Query(alias="created_at.lt")] = None,
) -> AccountFilter:
    return AccountFilter(
        status=status,
        kind=type,
        currency=currency,
        holder_id=account_holder_id,
        created_from=_at(request, created_from),
        created_before=_at(request, created_before),
    )


async def _entry_filter(
    request: Request,
    type: TransferKind | None = None,
    booked_from: Annotated[Boundary | None, Query(alias="booked_at.gte")] = None,
    booked_before: Annotated[Boundary | None, Query(alias="booked_at.lt")] = None,
    value_from: Annotated[Day | None, Query(alias="value_date.gte")] = None,
    value_before: Annotated[Day | None, Query(alias="value_date.lt")] = None,
) -> EntryFilter:
    return EntryFilter(
        kind=type,
        booked_from=_at(request, booked_from),
        booked_before=_at(request, booked_before),
        value_from=_on(value_from),
        value_before=_on(value_before),
    )


async def _transfer_filter(
    request: Request,
    type: TransferKind | None = None,
    status: TransferStatus | None = None,
    external_id: ExternalId | None = None,
    created_from: Annotated[Boundary | None, Query(alias="created_at.gte")] = None,
    created_before: Annotated[Boundary | None, Query(alias="created_at.lt")] = None,
) -> TransferFilter:
    return TransferFilter(
        kind=type,
        status=status,
        external_id=external_id,
        created_from=_at(request, created_from),
        created_before=_at(request, created_before),
    )


async def _card_filter(
    request: Request,
    status: CardStatus | None = None,
    created_from: Annotated[Boundary | None, Query(alias="created_at.gte")] = None,
    created_before: Annotated[Boundary | None, Query(alias="created_at.lt")] = None,
) -> CardFilter:
    return CardFilter(
        day=dates.today(bank_of(request).settings.bank_timezone),
        status=status,
        created_from=_at(request, created_from),
        created_before=_at(request, created_before),
    )


@dataclass(frozen=True, slots=True)
class Within:
    """A half-open range of instants; None is no bound."""

    begin: datetime | None
    end: datetime | None


async def _created_within(
    request: Request,
    created_from: Annotated[Boundary | None, Query(alias="created_at.gte")] = None,
    created_before: Annotated[Boundary | None, Query(alias="created_at.lt")] = None,
) -> Within:
    return Within(_at(request, created_from), _at(request, created_before))


async def _statement_period(
    request: Request,
    start: Annotated[
        Boundary | None, Query(alias="from", description="In. The opening, when left out.")
    ] = None,
    end: Annotated[
        Boundary | None, Query(alias="to", description="Out; a day is in, to its end. Now, when left out.")
    ] = None,
    month: Annotated[Month | None, Query(description="A month of the bank, such as 2026-02.")] = None,
    basis: Annotated[
        Basis, Query(description="`value` orders and adds up by value dates; it takes days, not instants.")
    ] = Basis.BOOKED,
) -> Period:
    by_value = basis is Basis.VALUE
    zone = bank_of(request).settings.bank_timezone
    if month is not None:
        if start is not None or end is not None:
            raise errors.ValidationFailed([Detail("month", "not_allowed", "Either a month, or from and to.")])
        return replace(period_of(month, zone), by_value=by_value)
    instants = [name for name, text in (("from", start), ("to", end)) if text and not dates.is_date(text)]
    if by_value and instants:
        raise errors.ValidationFailed(
            [Detail(name, "not_allowed", "By value date, this is a day.") for name in instants]
        )
    begin = None if start is None else _boundary_of(zone, start, is_end=False)
    finish = None if end is None else _boundary_of(zone, end, is_end=True)
    # The day `to` is in to its end, so a day later would only look like an empty period.
    days = [text for text in (start, end) if text is not None and dates.is_date(text)]
    is_backwards = len(days) == 2 and days[0] > days[1]
    if is_backwards or (begin is not None and begin > (finish or clock.now())):
        raise errors.ValidationFailed([Detail("from", "not_allowed", "This is after `to`.")])
    return Period(begin, finish, zone, by_value=by_value)


def period_of(month: str, zone: ZoneInfo) -> Period:
    """A month of the bank."""
    first = dates.parse_month(month)
    return Period(
        _boundary_of(zone, first.isoformat(), is_end=False), dates.month_over(first, zone), zone, month
    )


def ended_month(month: str, zone: ZoneInfo) -> Period:
    """A month of the bank that is over; 422 for every other."""
    period = period_of(month, zone)
    assert period.end is not None
    if period.end > clock.now():
        raise errors.ValidationFailed([Detail("month", "not_over", "This month is not over.")])
    return period


AccountsWanted = Annotated[AccountFilter, Depends(_account_filter)]
CreatedWithin = Annotated[Within, Depends(_created_within)]
CardsWanted = Annotated[CardFilter, Depends(_card_filter)]
EntriesWanted = Annotated[EntryFilter, Depends(_entry_filter)]
TransfersWanted = Annotated[TransferFilter, Depends(_transfer_filter)]
StatementPeriod = Annotated[Period, Depends(_statement_period)]


def past_instant(bank: Bank, text: str | None) -> datetime | None:
    """The instant, or the last one of a day, that a balance is asked for; 422 when it is yet to come."""
    if text is None:
        return None
    now = clock.now()
    zone = bank.settings.bank_timezone
    instant = _boundary_of(zone, text, is_end=True)
    if dates.is_date(text):
        # What is booked at midnight is the next day's.
        instant -= timedelta(microseconds=1)
    if instant > now and text != now.astimezone(zone).date().isoformat():
        raise errors.ValidationFailed([Detail("at", "in_the_future", "This is yet to come.")])
    return min(instant, now)
