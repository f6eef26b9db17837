"""Affinda's usage API, simulated: daily credits, and the lists of what can be queried."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Final

from exporter.days import days_between
from exporter.demo.messages import SimulatedResponse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.demo.accounts import Accounts, Organization, Scope
    from exporter.demo.messages import Request

_PATHS: Final = frozenset(
    f"/v3/{name}" for name in ("usage", "organizations", "workspaces", "document_types")
)
_TRACKED_SINCE: Final = date(2023, 7, 27)  # workspaces and document types have no usage before
_DEFAULT_DAYS: Final = 365


class _ApiError(Exception):
    """A request that is answered with an error document."""

    def __init__(self, status: int, attr: str | None, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        kind = "client_error" if status in {401, 403, 404, 405} else "validation_error"
        errors = [{"attr": attr, "code": code, "detail": detail}]
        self.body = json.dumps({"type": kind, "errors": errors}).encode()


def respond(accounts: Accounts, request: Request) -> SimulatedResponse:
    """The response to any request."""
    try:
        return SimulatedResponse(body=json.dumps(_document(accounts, request)).encode())
    except _ApiError as error:
        return SimulatedResponse(error.status, body=error.body)


def account(accounts: Accounts, request: Request) -> str:
    """The first organization of the request's key; empty for an unknown key."""
    organizations = accounts.organizations_by_key.get(_key(request), ())
    return organizations[0].identifier if organizations else ""


def _document(accounts: Accounts, request: Request) -> object:
    if request.path not in _PATHS:
        raise _ApiError(404, None, "not_found", "Not found.")
    if request.method != "GET":
        detail = f'Method "{request.method}" not allowed.'
        raise _ApiError(405, None, "method_not_allowed", detail)
    organizations, query = _authenticate(accounts, request), request.query
    if request.path == "/v3/usage":
        return _usage(accounts, _organization(organizations, query), query)
    if request.path == "/v3/organizations":
        return [_organization_document(each) for each in organizations]
    if request.path == "/v3/workspaces":
        return _workspaces(_organization(organizations, query))
    if query.get("organization"):
        organizations = [_organization(organizations, query)]
    return _document_types(organizations)


def _key(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key if scheme.lower() == "bearer" else ""


def _authenticate(accounts: Accounts, request: Request) -> Sequence[Organization]:
    if not (key := _key(request)):
        detail = "Authentication credentials were not provided."
        raise _ApiError(401, None, "not_authenticated", detail)
    if key not in accounts.organizations_by_key:
        raise _ApiError(401, None, "authentication_failed", "Invalid token.")
    return accounts.organizations_by_key[key]


def _organization(organizations: Sequence[Organization], query: Mapping[str, str]) -> Organization:
    if not (identifier := query.get("organization")):
        raise _ApiError(400, "organization", "required", "This field is required.")
    for organization in organizations:
        if organization.identifier == identifier:
            return organization
    raise _ApiError(400, "organization", "does_not_exist", "Organization does not exist.")


def _usage(
    accounts: Accounts, organization: Organization, query: Mapping[str, str]
) -> dict[str, object]:
    if not organization.admin:
        detail = "You do not have permission to perform this action."
        raise _ApiError(403, None, "permission_denied", detail)
    now = accounts.now()
    kind, scope = _scope(organization, query)
    since = date.min if scope is organization else _TRACKED_SINCE
    start, end = _window(query, now.date())
    counts = [
        (day, count)
        for day in days_between(max(start, since), min(end, now.date()))
        if (count := accounts.credits(scope.usage, day, now))
    ]
    return {
        "scope": kind,
        "scopeIdentifier": scope.identifier,
        "start": str(start),
        "end": str(end),
        "total": sum(count for _, count in counts),
        "items": [{"date": str(day), "count": count} for day, count in counts],
    }


def _scope(
    organization: Organization, query: Mapping[str, str]
) -> tuple[str, Organization | Scope]:
    """The kind of what usage is requested of, and itself."""
    workspace, document_type = query.get("workspace"), query.get("document_type")
    if workspace and document_type:
        detail = "workspace and document_type cannot be combined."
        raise _ApiError(400, "non_field_errors", "invalid", detail)
    if workspace:
        return "workspace", _find(workspace, organization.workspaces)
    if document_type:
        return "documentType", _find(document_type, organization.document_types)
    return "organization", organization


def _find(identifier: str, scopes: Sequence[Scope]) -> Scope:
    for scope in scopes:
        if scope.identifier == identifier:
            return scope
    raise _ApiError(404, None, "not_found", "Not found.")


def _window(query: Mapping[str, str], today: date) -> tuple[date, date]:
    end = _date(query, "end") or today
    earliest = max(end.toordinal() - _DEFAULT_DAYS, 1)
    start = _date(query, "start") or date.fromordinal(earliest)
    if start > end:
        raise _ApiError(400, "start", "invalid", "start must not be after end.")
    return start, end


def _date(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name)
    if not text:
        return None
    with suppress(ValueError):
        day = date.fromisoformat(text)
        if day.isoformat() == text:  # Python also reads 20250415 and 2025-W16-2
            return day
    detail = "Date has wrong format. Use one of these formats: YYYY-MM-DD."
    raise _ApiError(400, name, "invalid", detail)


def _organization_document(organization: Organization) -> dict[str, object]:
    return {
        "identifier": organization.identifier,
        "name": organization.name,
        "userRole": "admin" if organization.admin else "member",
        "isTrial": False,
    }


def _workspaces(organization: Organization) -> list[dict[str, object]]:
    return [
        {
            "identifier": workspace.identifier,
            "organization": _organization_document(organization),
            "name": workspace.name,
            "visibility": "organization",
        }
        for workspace in organization.workspaces
    ]


def _document_types(organizations: Sequence[Organization]) -> list[dict[str, object]]:
    return [
        {
            "identifier": document_type.identifier,
            "name": document_type.name,
            "organization": organization.identifier,
        }
        for organization in organizations
        for document_type in organization.document_types
    ]
