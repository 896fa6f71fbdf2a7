"""Creditors, their API keys and their webhook endpoints.

Run these with the worker's role (or from the command line): the API's role may neither add a creditor nor a key.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.refusals import Refused, not_found
from ledger.sealing import Sealer
from policies.law.packs import PackError, shipped_law
from policies.law.place import CreditorLaw
from policies.manual import Manual
from policies.places import known_zones, zones_of_countries

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{1,40}")
_NAME_MAX = 120
SAID = frozenset(
    """
    short_name team reply_to phone check_url address tax_id permit_number registered_as agency agency_address agency_phone
    collector_name responsible_persons complaints_unit product original_creditor
    """.split()
)
"""What messages may say of a creditor besides its name, and of the agency that collects for it; laws ask for some (F54)."""
SCOPES = ("invoices:read", "invoices:write", "payments:write", "decisions:write", "console:read")


@dataclass(frozen=True)
class NewKey:
    """An API key as it is shown, once: only its hash is kept."""

    id: UUID
    key: str
    prefix: str


def add_creditor(
    session: Session, slug: str, name: str, country: str, zone: str, language: str, manual: Manual, now: datetime,
    *, start: Literal["watch", "approve", "auto", "rehearsal"] = "watch",
) -> UUID:  # fmt: skip
    """Add a creditor with its manual. It begins by watching: nothing is sent before somebody says so.

    In a `rehearsal` everything goes, and nothing stops by itself.

    Raises Refused `creditor-exists` when the slug is taken, or `invalid-creditor`."""
    _check_creditor(slug, name, country, zone, language)
    if find_creditor(session, slug) is not None:
        raise Refused("creditor-exists", f"there is already a creditor {slug!r}: choose another short name")
    creditor_id = uuid4()
    begins = {"default": "auto", "stop": None} if start == "rehearsal" else {"default": start}
    session.execute(
        text(
            "insert into creditor (id, slug, name, country, zone, language, manual_id, settings, created_at) values"
            " (:id, :slug, :name, :country, :zone, :language, :manual, jsonb_build_object('start',"
            " cast(:start as jsonb)), :now)"
        ),
        {
            "id": creditor_id, "slug": slug, "name": name, "country": country, "zone": zone, "language": language,
            "manual": manual.id, "start": json.dumps(begins), "now": now,
        },
    )  # fmt: skip
    keep_manual(session, creditor_id, manual, now)
    return creditor_id


def _check_creditor(slug: str, name: str, country: str, zone: str, language: str) -> None:
    wrong = None
    if not _SLUG.fullmatch(slug):
        wrong = f"the short name {slug!r} needs 2 to 41 small letters, digits or dashes, a letter or digit first"
    elif not name.strip():
        wrong = "the name is empty: it is shown to customers"
    elif not name.isprintable() or len(name) > _NAME_MAX:
        wrong = f"the name has a line break or another control character, or over {_NAME_MAX} letters: it heads every message"
    elif country not in zones_of_countries():
        wrong = f"{country!r} is not an ISO 3166 country code such as CO, MX or ES"
    elif zone not in known_zones():
        wrong = f"{zone!r} is not an IANA time zone such as America/Bogota"
    elif language not in ("es", "pt", "en"):
        wrong = f"the language {language!r} is not es, pt or en"
    if wrong is not None:
        raise Refused("invalid-creditor", wrong, status=422)


def describe_creditor(session: Session, creditor_id: UUID | str, given: Mapping[str, Any], law: Mapping[str, Any]) -> None:
    """Keep what messages say of a creditor (short_name, team, reply_to, address, tax_id, ...) and what law packs need of it.

    Only the keys given change; `law` is part of policies.law.place.CreditorLaw. Raises Refused `invalid-creditor` for a party, a
    key or a pack setting that does not exist.
    """
    unknown = sorted(set(given) - SAID)
    if unknown:
        raise Refused("invalid-creditor", f"{unknown[0]!r} is not said of a creditor: {', '.join(sorted(SAID))} are", status=422)
    row = session.execute(text("select settings from creditor where id = :id for update"), {"id": str(creditor_id)}).one_or_none()
    if row is None:
        raise not_found("creditor", creditor_id)
    before = row.settings.get("law", {})
    choices = {**before.get("settings", {}), **law.get("settings", {})}
    merged = {**before, **law, "settings": choices}
    try:
        shipped_law(CreditorLaw.model_validate(merged).settings)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise Refused("invalid-creditor", wrong, status=422) from None
    except PackError as error:
        raise Refused("invalid-creditor", str(error), status=422) from None
    session.execute(
        text("update creditor set settings = settings || cast(:settings as jsonb) where id = :id"),
        {"settings": json.dumps({**given, "law": merged}), "id": str(creditor_id)},
    )


def find_creditor(session: Session, slug: str) -> UUID | None:
    """The id behind a short name, or None."""
    found: UUID | None = session.execute(text("select id from creditor where slug = :slug"), {"slug": slug}).scalar()
    return found


def keep_manual(session: Session, creditor_id: UUID, manual: Manual, now: datetime) -> str:
    """Store a manual once, by its hash, as one of the creditor's own; returns its id."""
    session.execute(
        text(
            "insert into manual (creditor_id, id, name, content, created_at)"
            " values (:creditor, :id, :name, cast(:content as jsonb), :now) on conflict do nothing"
        ),
        {
            "creditor": creditor_id, "id": manual.id, "name": manual.name, "now": now,
            "content": json.dumps(manual.model_dump(mode="json")),
        },
    )  # fmt: skip
    return manual.id


def use_manual(session: Session, creditor_id: UUID, manual: Manual, now: datetime) -> str:
    """Make a manual the creditor's default for invoices that come from now on; those accepted keep theirs."""
    keep_manual(session, creditor_id, manual, now)
    session.execute(text("update creditor set manual_id = :id where id = :creditor"), {"id": manual.id, "creditor": creditor_id})
    return manual.id


def create_api_key(
    session: Session, creditor_id: UUID, name: str, scopes: Iterable[str], now: datetime, *, expires_at: datetime | None = None
) -> NewKey:
    """A key `pk_<prefix>_<secret>` with 256 bits of its own; raises Refused `unknown-scope`."""
    wanted = list(dict.fromkeys(scopes))
    unknown = sorted(set(wanted) - set(SCOPES))
    if unknown or not wanted:
        raise Refused(
            "unknown-scope", f"a key needs scopes out of {', '.join(SCOPES)}; given: {', '.join(unknown) or 'none'}", status=422
        )
    prefix = secrets.token_hex(5)
    key = f"pk_{prefix}_{secrets.token_urlsafe(32)}"
    key_id = uuid4()
    session.execute(
        text(
            "insert into api_key (id, creditor_id, prefix, secret_hash, name, scopes, created_at, expires_at)"
            " values (:id, :creditor, :prefix, :hash, :name, :scopes, :now, :expires)"
        ),
        {
            "id": key_id, "creditor": creditor_id, "prefix": prefix, "hash": hash_key(key), "name": name, "scopes": wanted,
            "now": now, "expires": expires_at,
        },
    )  # fmt: skip
    return NewKey(key_id, key, prefix)


def rotate_api_key(session: Session, prefix: str, now: datetime, *, overlap: timedelta = timedelta(days=1)) -> NewKey:
    """A new key with the scopes of an old one, which ends after the overlap; raises Refused `not-found`."""
    old = session.execute(
        text(
            "select creditor_id, name, scopes, expires_at from api_key"
            " where prefix = :prefix and revoked_at is null and (expires_at is null or expires_at > :now)"
        ),
        {"prefix": prefix, "now": now},
    ).one_or_none()
    if old is None:
        raise Refused("not-found", f"there is no live key with prefix {prefix!r}", status=404)
    ends = now + overlap if old.expires_at is None else min(now + overlap, old.expires_at)
    session.execute(text("update api_key set expires_at = :ends where prefix = :prefix"), {"ends": ends, "prefix": prefix})
    return create_api_key(session, old.creditor_id, old.name, old.scopes, now)


def revoke_api_key(session: Session, prefix: str, now: datetime) -> None:
    """The key opens nothing from the next request on; raises Refused `not-found`."""
    done = session.execute(
        text("update api_key set revoked_at = coalesce(revoked_at, :now) where prefix = :prefix returning id"),
        {"now": now, "prefix": prefix},
    ).scalar()
    if done is None:
        raise Refused("not-found", f"there is no key with prefix {prefix!r}", status=404)


@dataclass(frozen=True)
class KeyLine:
    """An API key as it stands in a list: without its secret."""

    prefix: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def list_api_keys(session: Session, creditor_id: UUID) -> list[KeyLine]:
    """All keys of a creditor, those that ended too, in the order they were made."""
    rows = session.execute(
        text(
            "select prefix, name, scopes, created_at, expires_at, revoked_at from api_key"
            " where creditor_id = :creditor order by created_at, id"
        ),
        {"creditor": creditor_id},
    )
    return [KeyLine(r.prefix, r.name, tuple(r.scopes), r.created_at, r.expires_at, r.revoked_at) for r in rows]


def hash_key(key: str) -> bytes:
    """What is stored of an API key: a plain SHA-256 is enough for 256 random bits."""
    return hashlib.sha256(key.encode()).digest()


def create_webhook_endpoint(session: Session, sealer: Sealer, creditor_id: UUID, kind: str, secret: str, now: datetime) -> str:
    """The token that ends the address of a webhook (`standard`, `stripe`, `wompi`); its hash is kept, and the secret sealed."""
    if kind not in ("standard", "stripe", "wompi"):
        raise Refused("unknown-kind", f"a webhook is 'standard', 'stripe' or 'wompi', not {kind!r}", status=422)
    token = "w" + secrets.token_urlsafe(32)  # never a dash first: the command line would take it for an option
    session.execute(
        text(
            "insert into webhook_endpoint (id, creditor_id, token_hash, kind, secret_sealed, created_at)"
            " values (:id, :creditor, :hash, :kind, :secret, :now)"
        ),
        {
            "id": uuid4(), "creditor": creditor_id, "hash": hash_token(token), "kind": kind,
            "secret": sealer.seal(secret.encode()), "now": now,
        },
    )  # fmt: skip
    return token


def revoke_webhook_endpoint(session: Session, token: str, now: datetime) -> None:
    """Nothing is accepted at that address any more; raises Refused `not-found`."""
    done = session.execute(
        text("update webhook_endpoint set revoked_at = coalesce(revoked_at, :now) where token_hash = :hash returning id"),
        {"now": now, "hash": hash_token(token)},
    ).scalar()
    if done is None:
        raise Refused("not-found", "there is no webhook endpoint with this token", status=404)


def hash_token(token: str) -> bytes:
    """What is stored of a token that travels in an address (webhook, portal link)."""
    return hashlib.sha256(token.encode()).digest()
