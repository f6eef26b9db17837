"""Xtracta's billing and group API, simulated: XML, with HTTP status 200 even for errors."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Final

from exporter.demo.messages import SimulatedResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.demo.accounts import Accounts, Group, Plan
    from exporter.demo.messages import Request

_XML: Final = "text/xml; charset=UTF-8"
_ROOTS: Final = {
    "/v1/billings/usage": "billings_response",
    "/v1/billings/history": "billings_response",
    "/v1/group/list": "group_response",
}
_SUCCESS: Final = "The request has been successfully processed"


class _ApiError(Exception):
    """A request that is answered with only a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def respond(accounts: Accounts, request: Request) -> SimulatedResponse:
    """The response to any request."""
    if request.path not in _ROOTS:
        return SimulatedResponse(404, body=b"Not Found", content_type="text/plain")
    if request.method != "POST":
        return SimulatedResponse(405, {"allow": "POST"}, b"Method Not Allowed", "text/plain")
    root = _ROOTS[request.path]
    try:
        content = _children(status=200, message=_SUCCESS) + _content(accounts, request)
    except _ApiError as error:
        content = _children(status=error.status, message=error.message)
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>\n{content}</{root}>\n'
    return SimulatedResponse(body=document.encode(), content_type=_XML)


def account(accounts: Accounts, request: Request) -> str:
    """The id of the key's own group; empty for an unknown key."""
    group = accounts.groups_by_key.get(request.form.get("api_key", ""))
    return str(group.id) if group else ""


def _content(accounts: Accounts, request: Request) -> str:
    group, now = _group(accounts, request), accounts.now()
    if request.path == "/v1/billings/usage":
        return _usage(group, now)
    if request.path == "/v1/billings/history":
        return _history(group, request.form, now)
    return _group_element("group", group, accounts.parents.get(group.id, 0))


def _group(accounts: Accounts, request: Request) -> Group:
    """The requested group: the key's own, or one below it."""
    own = accounts.groups_by_key.get(request.form.get("api_key", ""))
    if own is None:
        raise _ApiError(401, "The API key is missing or invalid")
    if not request.form.get("group_id"):
        return own
    identifier = _integer(request.form, "group_id")
    for group in own.tree():
        if group.id == identifier:
            return group
    raise _ApiError(403, "The group does not exist or is not accessible")


def _integer(form: Mapping[str, str], name: str) -> int:
    text = form.get(name, "")
    if not (text.isascii() and text.isdigit()):
        raise _ApiError(400, f"The parameter {name} is missing or invalid")
    return int(text)


def _usage(group: Group, now: datetime) -> str:
    plans = [_plan("plan", plan, group, now) for plan in group.plans]
    packs = [_plan("pack", pack, group, now) for pack in group.packs]
    return "".join(plans + packs)


def _plan(element: str, plan: Plan, group: Group, now: datetime) -> str:
    used = plan.used_at(now)
    return _element(
        element,
        id=plan.id,
        plan_name=plan.name,
        price=plan.price,
        price_currency=plan.currency,
        allowed_documents=plan.allowed,
        used_documents=used,
        available_documents=max(plan.allowed - used, 0),
        start_date=f"{plan.start.astimezone(UTC):%Y-%m-%d %H:%M:%S} (GMT)",
        expiry_date=f"{plan.expiry.astimezone(UTC):%Y-%m-%d %H:%M:%S} (GMT)",
        group_id=group.id,
    )


def _group_element(element: str, group: Group, parent: int) -> str:
    own = _children(Id=group.id, ParentId=parent, Name=group.name)
    below = "".join(_group_element("Subgroup", subgroup, group.id) for subgroup in group.subgroups)
    return f"<{element}>\n{own}{below}</{element}>\n"


def _history(group: Group, form: Mapping[str, str], now: datetime) -> str:
    first, last = _integer(form, "billing_from"), _integer(form, "billing_to")
    activities = "".join(
        _activity(kind, plan, group, now)
        for kind, plan in _periods(group)
        if plan.start.timestamp() <= last and plan.expiry.timestamp() >= first
    )
    return f"<plans>\n{activities}</plans>\n"


def _periods(group: Group) -> Iterator[tuple[str, Plan]]:
    """Every period of every plan and pack, earlier ones first."""
    for kind, plans in (("plan", group.plans), ("pack", group.packs)):
        for plan in plans:
            yield from ((kind, period) for period in (*plan.history, plan))


def _activity(kind: str, plan: Plan, group: Group, now: datetime) -> str:
    return _element(
        "activity",
        id=plan.id,
        plan=plan.name,
        plan_type=kind,
        price=plan.price,
        credit_amount=0,
        price_currency=plan.currency,
        allowed_documents=plan.allowed,
        used_documents=plan.used_at(min(now, plan.expiry)),
        plan_activity="active" if now < plan.expiry else "expired",
        start_date=plan.start.isoformat(timespec="seconds"),
        expiry_date=plan.expiry.isoformat(timespec="seconds"),
        group_name=group.name,
        group_id=group.id,
    )


def _element(element: str, **children: object) -> str:
    return f"<{element}>\n{_children(**children)}</{element}>\n"


def _children(**children: object) -> str:
    return "".join(
        f"<{name}>{escape(str(value), quote=False)}</{name}>\n" for name, value in children.items()
    )
