"""What the policy may know, gathered from the rows in a few questions: ids, sums, dates and states, never personal data."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.index_values import missing_on
from ledger.session import Prepared
from ledger.starting import start_of
from policies.facts import PERMANENT_STOPS, BudgetEntry, InvoiceFacts
from policies.forecast import BookEntry
from policies.law.place import terms_of
from policies.manual import Manual

BUDGET_DAYS = 40
"""How far back limits may look; longer than any cap of a manual (the longest is 30 days, playbook 2)."""


class NoSuchInvoice(LookupError):
    """No invoice of that id is visible here."""


# A permanent stop holds beyond its review date, until it is lifted; a person's own stop says so before an opt-out does, which a
# legal notice may pass over.
# A stop that began when it was recorded holds for whoever can see it, also where the asker's clock is a little behind.
# An amendment draws the ladder anew (F7): what was passed over for the old dates is not passed over for the new ones.
_FACTS = Prepared(
    "facts",
    """
    select i.id::text as invoice_id, i.creditor_id::text, d.id::text as account_id, i.number as "order", i.currency, i.issued_on,
        i.entered_at, i.status, i.cycle, i.cycle_started_at, i.cycle_notice, i.carried_stage,
        i.shift_days, i.revision, i.manual_id,
        coalesce(i.payment_currency, '') as payment_currency,
        i.place_of_payment, i.place_of_payment_region, i.next_at, i.seen_revision, i.outcome,
        d.kind, d.country, d.region, d.zone, greatest(a.exempt_until, d.exempt_until) as exempt_until,
        coalesce(d.owner_staff, a.owner_staff) is not null as has_owner,
        coalesce(d.terms ->> 'segment', a.terms ->> 'segment', '') = 'key' as key_account,
        (select coalesce(json_agg(substring(y.key from 38) order by y.key), '[]') from task y
         where y.invoice_id = i.id and y.kind = 'firm_rung_yes' and y.outcome = 'yes') as firm_yes,
        d.terms, c.settings -> 'law' as creditor_law, c.settings -> 'start' as creditor_start,
        c.zone as creditor_zone, c.country as creditor_country, c.stopped_until,
        coalesce(starts_with(c.stopped_why, 'automatic: '), false) as stopped_automatically,
        (select coalesce(json_agg(json_build_object('number', t.number, 'due_on', t.due_on, 'amount_minor', t.amount_minor,
            'due_assumed', t.due_source = 'assumed',
            'balance_minor', coalesce((select sum(e.amount_minor) from entry e
                where e.invoice_id = i.id and e.instalment = t.number), 0)) order by t.number), '[]')
         from instalment t where t.invoice_id = i.id and t.superseded_at is null) as instalments,
        (select coalesce(json_agg(json_build_object('paid_on', p.paid_on, 'recorded_at', p.recorded_at,
            'amount_minor', p.amount_minor) order by p.recorded_at), '[]')
         from (select y.paid_on, case when old.chain is null then min(e.recorded_at)
                   else min(y.recorded_at) end as recorded_at, -sum(e.amount_minor) as amount_minor
               from entry e join payment y on y.id = e.payment_id
               where e.invoice_id = i.id and e.kind in ('payment', 'reversal') and e.instalment < 1001
                   and y.source <> 'credit_note' group by y.id, y.paid_on
               having sum(e.amount_minor) <> 0) p) as payments,
        (select coalesce(-sum(e.amount_minor), 0) from entry e where e.invoice_id = i.id and e.kind = 'erp_adjustment')
            as erp_adjusted_minor,
        (select coalesce(json_agg(json_build_object('paid_on', i.issued_on, 'recorded_at', x.recorded_at,
            'amount_minor', x.amount_minor) order by x.recorded_at), '[]') from (
            select e.recorded_at, -sum(e.amount_minor) as amount_minor from entry e where e.invoice_id = i.id
            and e.kind = 'erp_adjustment' and e.instalment < 1001 group by e.recorded_at having sum(e.amount_minor) <> 0) x)
            as settled_in_erp,
        (select coalesce(json_agg(json_build_object('id', h.id, 'kind', h.kind, 'until', h.until, 'reason', h.reason,
            'starts_at', case when h.starts_at <= h.created_at then least(h.starts_at, :now) else h.starts_at end,
            'amount_minor', h.amount_minor) order by h.until), '[]')
         from hold h where h.invoice_id = i.id and h.released_at is null and h.until > :now) as holds,
        (select coalesce(json_agg(json_build_object('id', g.id, 'kind', g.kind, 'made_at', g.made_at, 'made_on', g.made_on,
            'grace_days', g.grace_days, 'waived_minor', g.waived_minor, 'state', g.state,
            'milestones', (select json_agg(json_build_object('number', s.number, 'due_on', s.due_on,
                'amount_minor', s.amount_minor) order by s.number) from milestone s where s.agreement_id = g.id))
            order by g.made_at), '[]') from agreement g where g.invoice_id = i.id) as agreements,
        (select coalesce(json_agg(json_build_object('key', k.key, 'channel', k.channel, 'state', k.state, 'at', k.at_utc,
            'local_date', k.local_date, 'late_days', k.late_days, 'address_id', k.address_id,
            'may_retry', k.state = 'failed' and coalesce(k.why_failed, '') like 'again:%', 'carried', k.carried_document,
            'earlier', k.invoice_id <> i.id, 'template', coalesce(k.template, ''), 'person_id', coalesce(k.person_id::text, ''))
            order by k.at_utc, k.attempt), '[]')
         from contact k where (k.invoice_id = i.id or k.invoice_id = any(old.chain) and k.state <> 'planned')
            and not k.given_back) as contacts,
        coalesce((select p.state from portal_step p where p.invoice_id = i.id order by p.on_day desc, p.id desc limit 1), '')
            as portal_state,
        old.age_from, coalesce((select true from document f where f.invoice_id = i.id and f.kind = 'pdf'
            and f.sealed is not null limit 1), false) as has_document,
        (select coalesce(json_agg(json_build_object('kind', w.kind, 'at', w.at, 'on', w.on_day, 'source', w.source)
            order by w.at), '[]') from (
            select d.kind, d.recorded_at as at, d.on_day, d.source from delivery d where d.invoice_id = i.id
            union all
            select case h.reason when 'not_received' then 'not_received' else 'known' end, h.created_at, null, h.kind
            from hold h where h.invoice_id = i.id and h.actor = 'customer' and h.kind in ('dispute', 'already_paid')
                and h.reason <> 'not_accepted') w) as delivery,
        (select max(h.local_date) from manual_contact h where h.invoice_id = i.id
            and (h.outcome = 'conversation' or h.recorded_by = 'carried'))
            as last_conversation_on,
        (select coalesce(json_agg(json_build_object('key', s.key, 'why', s.why,
            'passed_at', case when s.rules && array['start.watch', 'start.declined', 'owner.told_ahead']
            then s.asked_at end) order by s.id), '[]')
         from step s where s.invoice_id = i.id and s.key is not null and (s.kind = 'ask' or s.kind = 'skip' and s.asked_at >=
            coalesce((select max(o.superseded_at) from instalment o where o.invoice_id = i.id and o.superseded_at is not null),
                '-infinity'))) as skipped,
        (select json_build_object('id', p.id, 'state', p.state, 'proposed_at', p.proposed_at, 'decide_by', p.decide_by,
            'placed_at', p.placed_at, 'return_by', p.return_by) from placement p where p.invoice_id = i.id
            and (p.cycle = i.cycle or p.state in ('approved', 'placed')) order by p.cycle desc limit 1) as placement,
        (select coalesce(json_agg(json_build_object('person_id', r.person_id, 'address_id', r.id, 'role', n.role,
            'channel', r.channel, 'permitted', r.consent <> 'withdrawn' and r.retired_at is null and n.erased_at is null
                and not s.stopped,
            'why_not', case when n.erased_at is not null then 'erased' when r.retired_at is not null
                then 'address retired: ' || coalesce(r.retired_why, '') when s.stopped then 'contact stopped'
                when r.consent = 'withdrawn' then 'opted out' else '' end,
            'verified', r.verified_at is not null,
            'heard_at', greatest(r.verified_at, r.last_heard_at),
            'number', case when r.channel in ('sms', 'whatsapp', 'voice') then (select min(b.id::text) from address b
                where b.person_id = r.person_id and b.lookup = r.lookup) else '' end,
            'checks', case when r.channel in ('sms', 'whatsapp', 'voice') then (select coalesce(json_agg(k.at_utc
                order by k.at_utc), '[]') from contact k join address b on b.id = k.address_id where k.account_id in (a.id, d.id)
                and k.template = 'holder_check' and k.state not in ('failed', 'planned') and b.person_id = r.person_id
                and b.lookup = r.lookup) else '[]' end,
            'authorised', r.consent = 'given') order by r.position, r.id), '[]')
         from address r join person n on n.id = r.person_id, lateral (select exists (select 1 from suppression x
            where x.person_id = n.id and x.lifted_at is null and (x.until > :now or x.reason = any(:permanent))) as stopped) s
         where n.account_id = case when exists (select 1 from person q where q.account_id = d.id and q.erased_at is null)
            then d.id else a.id end) as reach,
        (select coalesce(json_agg(json_build_object('name', f.name, 'kind', f.kind, 'complete_to', f.complete_to,
            'seen_at', f.seen_at, 'fresh_minutes', f.fresh_minutes, 'expected_by', f.expected_by) order by f.name), '[]')
         from payment_source f where f.creditor_id = i.creditor_id) as feeds,
        (select coalesce(json_agg(o.due_at order by o.due_at), '[]') from task o where o.account_id in (a.id, d.id)
            and o.done_at is null and starts_with(o.kind, 'own_')) as own_promises,
        (select coalesce(sum(u.unallocated_minor), 0) from payment u where u.account_id = i.account_id
            and u.kind = 'payment' and u.currency = i.currency and u.destination = ''
            and u.unallocated_minor > 0) as credit_minor,
        (select max(u.recorded_at) from payment u where u.account_id = i.account_id
            and u.kind = 'payment' and u.currency = i.currency and u.destination = ''
            and u.unallocated_minor > 0) as credit_since,
        (select coalesce(json_agg(json_build_object('id', x.id, 'person_id', x.person_id, 'channel', x.channel, 'until', x.until)
            order by x.id), '[]') from apology x where x.invoice_id = i.id and x.until > :now) as apologies,
        (select coalesce(json_agg(json_build_object('reason', x.reason, 'until', x.until) order by x.until), '[]')
         from suppression x where x.account_id in (a.id, d.id) and x.person_id is null and x.lifted_at is null
            and (x.opened_on is null or i.issued_on <= x.opened_on)
            and (x.starts_at <= :now or x.starts_at <= x.created_at)
            and (x.until > :now or x.reason = any(:permanent))) as suppressions,
        (select coalesce(json_agg(json_build_object('number', d.number, 'kind', d.kind, 'amount_minor', d.amount_minor,
            'open_minor', case when d.instalment < 1001 then 0 else coalesce((select sum(e.amount_minor) from entry e
                where e.invoice_id = i.id and e.instalment = d.instalment), 0) end, 'instalment', d.instalment,
            'where_paid', d.where_paid, 'certificate_required', d.certificate_required, 'certificate_on', d.certificate_on,
            'state', d.state, 'decide_by', d.decide_by, 'settled_at', d.settled_at) order by d.number), '[]')
         from deduction d where d.invoice_id = i.id and d.released_on is null) as deductions
    from invoice i join account a on a.id = i.account_id join account d on d.id = coalesce(a.payer_id, a.id)
        join creditor c on c.id = i.creditor_id
        left join replacement old on old.new_invoice_id = i.id
    where i.id = any(:invoices) order by i.number
    """,
    invoices="uuid[]",
    now="timestamptz",
    permanent="text[]",
)

# The same human under another account is known by an address; limits of a person count over all accounts of the creditor, and
# where the house collects as an agency over all creditors for whom it does.
_BUDGET = Prepared(
    "budget",
    """
    with same as (
        select distinct mine.person_id as person, o.id as other, o.account_id as account,
            case when other.creditor_id = mine.creditor_id then 'account' else 'creditor' end as elsewhere
        from person n join address mine on mine.person_id = n.id join address other on other.lookup = mine.lookup
            join person o on o.id = other.person_id and o.account_id <> n.account_id
        where n.account_id in (select g.id from account g where :account in (g.id, g.payer_id))
            and (other.creditor_id = mine.creditor_id or :house and exists (select 1 from creditor c
            where c.id = other.creditor_id and c.settings -> 'law' ->> 'party' = 'third'))
    )
    select k.invoice_id::text, k.key, k.person_id::text, k.channel, k.state, k.at_utc as at, k.local_date,
        'delivered' as outcome, false as inbound, false as manual, k.address_id::text, k.template,
        array(select f.invoice_id::text from contact f where f.folded_into = k.id order by 1) as also, '' as elsewhere,
        k.missent_id is not null as void
    from contact k where k.account_id in (select g.id from account g where :account in (g.id, g.payer_id))
        and k.state <> 'failed' and k.folded_into is null and k.at_utc > :since
    union all
    select h.invoice_id::text, 'manual:' || h.id, coalesce(h.person_id::text, ''), h.channel, 'delivered', h.at_utc, h.local_date,
        h.outcome, h.direction = 'in', true, '', '', '{}', '', false
    from manual_contact h where h.account_id in (select g.id from account g where :account in (g.id, g.payer_id))
        and h.outcome <> 'wrong_number' and h.at_utc > :since
    union all
    select k.invoice_id::text, 'elsewhere:' || k.id, s.person::text, k.channel, k.state, k.at_utc, k.local_date,
        'delivered', false, false, k.address_id::text, k.template,
        array(select f.invoice_id::text from contact f where f.folded_into = k.id), s.elsewhere,
        k.missent_id is not null
    from same s join contact k on k.account_id = s.account and k.person_id = s.other
    where k.state <> 'failed' and k.folded_into is null and k.at_utc > :since
    union all
    select h.invoice_id::text, 'elsewhere:' || h.id, s.person::text, h.channel, 'delivered', h.at_utc, h.local_date,
        h.outcome, h.direction = 'in', true, '', '', '{}', s.elsewhere, false
    from same s join manual_contact h on h.account_id = s.account and h.person_id = s.other
    where h.outcome <> 'wrong_number' and h.at_utc > :since
    order by 6, 2
    """,
    account="uuid",
    since="timestamptz",
    house="boolean",
)

_NEAR = Prepared(
    "near",
    """
    select id::text from invoice where account_id in (select g.id from account g where :account in (g.id, g.payer_id))
        and id <> :id and outcome is null and (revision > seen_revision or next_kind = 'contact' or next_at < :ends)
    """,
    account="uuid",
    id="uuid",
    ends="timestamptz",
)

_NOT_FACTS = ("next_at", "seen_revision", "outcome", "terms", "creditor_law", "creditor_start")


_MANUAL = text("select content from manual where creditor_id = :creditor and id = :id")
_manuals: dict[tuple[str, str], Manual] = {}
"""Immutable by their ids, and larger than all else that is read for a decision."""
MANUALS_MOST = 512


def _manual(session: Session, creditor_id: str, manual_id: str) -> Manual:
    known = _manuals.get((creditor_id, manual_id))
    if known is None:
        content = session.execute(_MANUAL, {"creditor": creditor_id, "id": manual_id}).scalar_one()
        known = Manual.model_validate(content)
        if len(_manuals) >= MANUALS_MOST:
            _manuals.clear()
        _manuals[creditor_id, manual_id] = known
    return known


def _budget(session: Session, account_id: str, now: datetime, *, house: bool) -> tuple[BudgetEntry, ...]:
    since = now - timedelta(days=BUDGET_DAYS)
    rows = _BUDGET.ask(session, {"account": account_id, "since": since, "house": house}).mappings()
    return tuple(BudgetEntry.model_validate(dict(row)) for row in rows)


def gather(session: Session, invoice_id: UUID | str, now: datetime) -> tuple[InvoiceFacts, Manual]:
    """The facts of one invoice and its pinned manual; raises NoSuchInvoice."""
    entry = _entries(session, [str(invoice_id)], now)
    if not entry:
        raise NoSuchInvoice(f"no invoice {invoice_id} is visible here")
    return entry[0].facts, entry[0].manual


def _entries(session: Session, invoice_ids: list[str], now: datetime) -> list[BookEntry]:
    found: list[BookEntry] = []
    budgets: dict[str, tuple[BudgetEntry, ...]] = {}
    """Made once for each account: a large one has thousands of invoices."""
    for row in _FACTS.ask(session, {"invoices": invoice_ids, "now": now, "permanent": sorted(PERMANENT_STOPS)}).mappings():
        manual = _manual(session, row["creditor_id"], row["manual_id"])
        account = row["account_id"]
        law = terms_of(
            country=row["country"], region=row["region"], zone=row["zone"], kind=row["kind"], creditor=row["creditor_law"],
            account=row["terms"],
        )  # fmt: skip
        if (law or manual.limits.contacts or manual.limits.gap_hours is not None) and account not in budgets:
            budgets[account] = _budget(session, account, now, house=law is not None and law.party == "third")
        given = {key: value for key, value in row.items() if key not in _NOT_FACTS}
        given["value_missing_on"] = missing_on(session, given, now)
        start = start_of(
            session, row["creditor_start"], invoice_id=row["invoice_id"], creditor_id=row["creditor_id"],
            zone=row["creditor_zone"], segment=str(row["terms"].get("segment", "")), now=now,
        )  # fmt: skip
        facts = InvoiceFacts.model_validate(
            {
                **given,
                "start": start,
                "budget": budgets.get(account, ()),
                "law": law,
                "preferred": row["terms"].get("channel"),
                "minor": bool(row["terms"].get("minor")),
                "related": row["terms"].get("related", ""),
                "habits": row["terms"].get("habits", {}),
            }
        )
        found.append(BookEntry(facts=facts, manual=manual, next_at=row["next_at"] or now))
    return found


def gather_book(session: Session, account_id: UUID | str, now: datetime) -> list[BookEntry]:
    """Every open invoice of one debtor, for the forecast; an invoice not decided since its last fact is asked at once."""
    rows = session.execute(
        text(
            "select i.id::text as id, i.revision > i.seen_revision as stale from account me join account g"
            " on coalesce(me.payer_id, me.id) in (g.id, g.payer_id) join invoice i on i.account_id = g.id"
            " where me.id = :a and i.outcome is null"
        ),
        {"a": str(account_id)},
    ).all()
    stale = {row.id for row in rows if row.stale}
    book = _entries(session, [row.id for row in rows], now)
    for entry in book:
        if entry.facts.invoice_id in stale:
            entry.next_at = now
    return book


def gather_near(session: Session, facts: InvoiceFacts, now: datetime, ends: datetime) -> list[BookEntry]:
    """The debtor's other open invoices that may have something to say before `ends`; the caller holds the debtor's lock."""
    asked = {"account": facts.account_id, "id": facts.invoice_id, "ends": ends}
    near = list(_NEAR.ask(session, asked).scalars())
    return _entries(session, near, now) if near else []
