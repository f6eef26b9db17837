"""Affinda's usage API, simulated: daily credits, and the lists that name their scopes."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.demo.accounts import whole
from exporter.demo.messages import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from exporter.demo.accounts import Accounts, DocumentType, Organization, Usage, Workspace
    from exporter.demo.messages import Request

_TRACKED_SINCE: Final = date(2023, 7, 27)  # workspaces and document types have no usage before
_DEFAULT_DAYS: Final = 365


class _Refused(Exception):  # noqa: N818  a refusal is an answer of the vendor, no error of ours
    """A question that the vendor answers with an error body."""

    def __init__(self, status: int, attr: str | None, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        kind = "client_error" if status in {401, 403, 404, 405} else "validation_error"
        errors = [{"attr": attr, "code": code, "detail": detail}]
        self.body = json.dumps({"type": kind, "errors": errors}).encode()


class _Scope(NamedTuple):
    kind: str
    identifier: str
    usage: Usage
    since: date


def respond(accounts: Accounts, request: Request) -> Reply:
    """Affinda's answer to any request."""
    try:
        return Reply(body=_answer(accounts, request).encode())
    except _Refused as refused:
        return Reply(refused.status, body=refused.body)


def _answer(accounts: Accounts, request: Request) -> str:
    if request.path not in _ANSWERS:
        raise _Refused(404, None, "not_found", "Not found.")
    if request.method != "GET":
        raise _Refused(405, None, "method_not_allowed", f'Method "{request.method}" not allowed.')
    mine = _organizations_of(accounts, request)
    return _ANSWERS[request.path](accounts, mine, request.query)


def account(accounts: Accounts, request: Request) -> str:
    """The first organization of the request's key; empty when the key is refused."""
    found = accounts.organizations_by_key.get(_key(request), ())
    return found[0].identifier if found else ""


def _key(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key if scheme.lower() == "bearer" else ""


def _organizations_of(accounts: Accounts, request: Request) -> Sequence[Organization]:
    if not (key := _key(request)):
        raise _Refused(
            401, None, "not_authenticated", "Authentication credentials were not provided."
        )
    if key not in accounts.organizations_by_key:
        raise _Refused(401, None, "authentication_failed", "Invalid token.")
    return accounts.organizations_by_key[key]


def _usage(accounts: Accounts, mine: Sequence[Organization], query: Mapping[str, str]) -> str:
    moment = accounts.now()
    organization = _organization(mine, query)
    if not organization.admin:
        raise _Refused(
            403, None, "permission_denied", "You do not have permission to perform this action."
        )
    scope = _scope(organization, query)
    start, end = _window(query, moment.date())
    items, total = _items(accounts, scope, start, end, moment)
    return (
        f'{{"scope":"{scope.kind}","scopeIdentifier":{json.dumps(scope.identifier)},'
        f'"start":"{start}","end":"{end}","total":{total},"items":[{items}]}}'
    )


def _organization(mine: Sequence[Organization], query: Mapping[str, str]) -> Organization:
    if not (identifier := query.get("organization")):
        raise _Refused(400, "organization", "required", "This field is required.")
    for organization in mine:
        if organization.identifier == identifier:
            return organization
    raise _Refused(400, "organization", "does_not_exist", "Organization does not exist.")


def _scope(organization: Organization, query: Mapping[str, str]) -> _Scope:
    workspace, document_type = query.get("workspace"), query.get("document_type")
    if workspace and document_type:
        raise _Refused(
            400,
            "non_field_errors",
            "invalid",
            "workspace and document_type cannot be combined.",
        )
    if workspace:
        return _part("workspace", workspace, organization.workspaces)
    if document_type:
        return _part("documentType", document_type, organization.document_types)
    return _Scope("organization", organization.identifier, organization.usage, date.min)


def _part(kind: str, identifier: str, parts: Sequence[Workspace | DocumentType]) -> _Scope:
    for part in parts:
        if part.identifier == identifier:
            return _Scope(kind, identifier, part.usage, _TRACKED_SINCE)
    raise _Refused(404, None, "not_found", "Not found.")


def _window(query: Mapping[str, str], today: date) -> tuple[date, date]:
    end = _date(query, "end") or today
    earliest = max(end.toordinal() - _DEFAULT_DAYS, 1)
    start = _date(query, "start") or date.fromordinal(earliest)
    if start > end:
        raise _Refused(400, "start", "invalid", "start must not be after end.")
    return start, end


def _date(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # Python also reads 20250415 and 2025-W16-2
        raise _Refused(
            400, name, "invalid", "Date has wrong format. Use one of these formats: YYYY-MM-DD."
        )
    return day


def _items(
    accounts: Accounts, scope: _Scope, start: date, end: date, moment: datetime
) -> tuple[str, int]:
    """The items' JSON and their sum: complete days, which do not change, then the current one."""
    today = moment.date()
    since = max(start, scope.since)
    items, total = _complete_days(accounts, scope.usage, since, min(end, today - timedelta(days=1)))
    if since <= today <= end and (count := accounts.credits(scope.usage, today, moment)):
        items += f'{"," if items else ""}{{"date":"{today}","count":{count}}}'
        total += count
    return items, total


def _complete_days(accounts: Accounts, usage: Usage, start: date, end: date) -> tuple[str, int]:
    """As `_items`; kept for as long as the same days of the same function are asked for."""
    if not callable(usage):
        return _written(usage, start, end)
    kept = accounts.memo.get(usage)
    if kept is None or kept[:2] != (start, end):
        kept = accounts.memo[usage] = (start, end, *_written(usage, start, end))
    return kept[2:]


def _written(usage: Usage, start: date, end: date) -> tuple[str, int]:
    days = map(date.fromordinal, range(start.toordinal(), end.toordinal() + 1))
    counts = [(day, count) for day in days if (count := whole(usage, day))]
    items = ",".join(f'{{"date":"{day}","count":{count}}}' for day, count in counts)
    return items, sum(count for _, count in counts)


def _organizations(
    _accounts: Accounts, mine: Sequence[Organization], _query: Mapping[str, str]
) -> str:
    return json.dumps([_described(organization) for organization in mine])


def _described(organization: Organization) -> dict[str, object]:
    return {
        "identifier": organization.identifier,
        "name": organization.name,
        "userRole": "admin" if organization.admin else "member",
        "isTrial": False,
    }


def _workspaces(_accounts: Accounts, mine: Sequence[Organization], query: Mapping[str, str]) -> str:
    organization = _organization(mine, query)
    return json.dumps(
        [
            {
                "identifier": workspace.identifier,
                "organization": _described(organization),
                "name": workspace.name,
                "visibility": "organization",
            }
            for workspace in organization.workspaces
        ]
    )


def _document_types(
    _accounts: Accounts, mine: Sequence[Organization], query: Mapping[str, str]
) -> str:
    asked = [_organization(mine, query)] if query.get("organization") else mine
    return json.dumps(
        [
            {
                "identifier": document_type.identifier,
                "name": document_type.name,
                "organization": organization.identifier,
            }
            for organization in asked
            for document_type in organization.document_types
        ]
    )


_ANSWERS: Final[
    Mapping[str, Callable[[Accounts, Sequence[Organization], Mapping[str, str]], str]]
] = {
    "/v3/usage": _usage,
    "/v3/organizations": _organizations,
    "/v3/workspaces": _workspaces,
    "/v3/document_types": _document_types,
}
