-- The ledger. Money is integer minor units; instants are timestamptz; business dates are dates in the zone a column says.
-- Every tenant table carries creditor_id and is under row-level security (the loop at the end).
-- The tables that grow fastest refer to their parent only: its creditor and account are theirs, and each check costs.
-- No named time zone is used in SQL: local times are computed by the service and stored.

create table creditor (
    id uuid primary key,
    slug text not null unique check (slug ~ '^[a-z0-9][a-z0-9-]{1,40}$'),
    name text not null,
    country text not null,
    zone text not null,
    language text not null default 'es',
    manual_id text,
    stopped_until timestamptz,
    stopped_why text,
    settings jsonb not null default '{}',
    created_at timestamptz not null
);

create table manual (
    creditor_id uuid not null references creditor,
    id text not null,                          -- sha256 of the canonical resolved content
    name text not null,
    content jsonb not null,
    origin jsonb not null default '{}',        -- for each top-level key the level it came from (creditor, account, invoice)
    created_at timestamptz not null,
    primary key (creditor_id, id)
);

create table api_key (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    prefix text not null unique,               -- shown in lists; finds the row
    secret_hash bytea not null,                -- sha256 of the whole key: it has 256 bits of its own
    name text not null,
    scopes text[] not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz
);

create table webhook_endpoint (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    token_hash bytea not null unique,          -- the address carries the token; only its sha256 is kept
    kind text not null check (kind in ('standard', 'stripe', 'wompi')),
    secret_sealed bytea not null,              -- sealed under the master key
    created_at timestamptz not null,
    revoked_at timestamptz
);

create table account (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    ref text not null,                         -- the creditor's own reference; opaque where it would be personal
    kind text not null check (kind in ('consumer', 'business')),
    country text not null,
    region text not null default '',
    zone text not null,
    language text not null,
    register text not null default '',
    payer_id uuid references account,          -- pays for this account, and for itself: its people, limits and lock are taken
    bill_to_id uuid references account,
    parent_id uuid references account,
    manual_patch jsonb,
    manual_name text,
    terms jsonb not null default '{}',         -- what law packs and preferences need: city, debt_type, zones in doubt, hours
    owner_staff text,                          -- the login of who answers for this customer in sales or service
    exempt_until timestamptz,
    exempt_why text,
    created_at timestamptz not null,
    unique (creditor_id, ref)
);

create index account_by_payer on account (payer_id) where payer_id is not null;
create index account_by_parent on account (parent_id) where parent_id is not null;

-- Personal data lives in `person` and `message_body` only, sealed under the person's own key.
create table person (
    id uuid primary key,
    creditor_id uuid not null,
    account_id uuid not null references account,
    role text not null default 'payables',
    language text not null,
    data_key bytea,                            -- wrapped by the master key; null after erasure
    sealed bytea,                              -- {name, salutation, addresses: {address_id: value}}
    created_at timestamptz not null,
    erased_at timestamptz
);
create index person_by_account on person (account_id);

create table address (
    id uuid primary key,
    creditor_id uuid not null,
    person_id uuid not null references person,
    channel text not null check (channel in ('email', 'sms', 'whatsapp', 'voice', 'letter')),
    lookup bytea not null,                     -- keyed hash of the normalised value, to find the person who answers
    consent text not null default 'given' check (consent in ('given', 'unknown', 'withdrawn')),
    consent_at timestamptz,
    consent_proof text not null default '',
    verified_at timestamptz,
    last_heard_at timestamptz,                 -- the last sign of life at it: an answer, a visit by its link, a call that connected
    retired_at timestamptz,
    retired_why text,
    position int not null default 0,
    unique (person_id, channel, lookup)
);
create index address_by_lookup on address (lookup, creditor_id);

create table suppression (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    account_id uuid not null references account,
    person_id uuid references person,
    reason text not null,
    evidence text not null default '',
    opened_on date,                            -- insolvency: debts from before it stop, later ones go on
    starts_at timestamptz not null,
    until timestamptz not null,                -- review date: no stop without an end
    lifted_at timestamptz,
    created_at timestamptz not null
);
create index suppression_by_account on suppression (account_id);
create index suppression_by_person on suppression (person_id) where person_id is not null;

create table invoice (
    id uuid primary key,
    creditor_id uuid not null,
    account_id uuid not null references account,
    number text not null,
    currency char(3) not null,
    issued_on date not null,
    place_of_payment text not null,
    place_of_payment_region text not null default '',
    status text not null default 'open' check (status in ('open', 'cancelled', 'written_off')),
    outcome text,                              -- set by Close; cleared when a reversal reopens
    outcome_at timestamptz,
    manual_id text not null,
    accepted_hash bytea not null,              -- canonical hash of the body first accepted
    accepted_body json not null,               -- that body, personal leaves replaced by keyed hashes
    entered_at timestamptz not null,           -- business time of acceptance
    cycle int not null default 1,
    cycle_started_at timestamptz not null,
    cycle_notice text not null default '',
    carried_stage text not null default '',    -- the last rung, or how many reminders, of the system before
    shift_days int not null default 0,
    revision bigint not null default 1,        -- grows with each fact
    seen_revision bigint not null default 0,   -- what the last decision had read
    changed_at timestamptz not null,           -- wall clock, when revision last grew
    next_step_id bigint,                       -- the decision that is being obeyed; a played clock rings for it
    next_kind text,
    next_at timestamptz,                       -- business time of the present step
    next_why text,
    next_rung text,
    next_channel text,
    held_why text,                             -- why the last contact was held back
    balance_minor bigint not null,             -- cached sum of the entries, kept in the same transaction
    apart_minor bigint not null default 0,     -- of it, what is deducted or deposited elsewhere and not booked yet: never asked
    payment_currency char(3),                  -- an indexed or foreign debt is paid in this currency, at the day's value
    charges_asked_on date,                     -- day on which late charges were last looked at (UTC)
    unique (creditor_id, number),
    foreign key (creditor_id, manual_id) references manual
);
create index invoice_by_account on invoice (account_id);
create index invoice_due on invoice (next_at) where outcome is null;
create index invoice_unseen on invoice (changed_at) where revision > seen_revision;
create index invoice_by_creditor on invoice (creditor_id, entered_at, id);

create table instalment (
    id uuid primary key,
    creditor_id uuid not null,
    invoice_id uuid not null references invoice,
    number int not null,
    due_on date not null,
    amount_minor bigint not null check (amount_minor >= 0),
    due_source text not null default 'stated' check (due_source in ('stated', 'terms', 'assumed')),
    due_terms text not null default '',        -- the code of the terms it was computed from, or the rule it was assumed by
    superseded_at timestamptz                  -- an amendment writes new rows and leaves the old ones
);
create unique index instalment_current on instalment (invoice_id, number) where superseded_at is null;
create index instalment_past on instalment (invoice_id) where superseded_at is not null;

-- Only ever added to. The balance of an instalment is the sum of its entries.
create table entry (
    id bigint generated always as identity primary key,
    creditor_id uuid not null,
    account_id uuid not null,
    invoice_id uuid not null references invoice,
    instalment int not null,
    kind text not null check (kind in ('charge', 'amendment', 'payment', 'reversal', 'credit', 'discount', 'write_off', 'cancellation',
        'interest', 'fee', 'erp_adjustment', 'deduction')),
    amount_minor bigint not null,              -- charges above 0, what lowers the debt below 0
    currency char(3) not null,
    payment_id uuid,
    dated_on date not null,
    recorded_at timestamptz not null,
    cause text not null default ''
);
create index entry_by_invoice on entry (invoice_id);
create index entry_by_payment on entry (payment_id) where payment_id is not null;

-- What was added to a late debt, once per key: `interest:1:2026-01`, `fixed_sum`, `late_fee`. The sums are in the entries.
create table late_charge (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    invoice_id uuid not null references invoice,
    key text not null,
    what text not null,
    instalment int not null,
    amount_minor bigint not null check (amount_minor >= 0),   -- as it stands now; a late payment may have lowered it
    lines jsonb not null,                      -- the arithmetic, line by line
    posted_at timestamptz not null,
    corrected_at timestamptz,
    unique (invoice_id, key)
);

create table payment (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    account_id uuid references account,        -- null while nobody knows whose it is
    invoice_id uuid references invoice,        -- the invoice it was matched to; its excess is used there first
    source text not null,                      -- standard, stripe, replay, manual
    source_ref text not null,
    kind text not null check (kind in ('payment', 'reversal')),
    reverses uuid references payment,          -- null while the payment it takes back has not arrived
    reverses_ref text not null default '',     -- that payment's own reference
    amount_minor bigint not null check (amount_minor > 0),
    currency char(3) not null,
    paid_on date not null,                     -- the payer's date: judges promises
    value_on date not null,                    -- the bank's: interest and DSO
    recorded_at timestamptz not null,          -- ours: the fence
    payer_ref text not null default '',        -- the gateway's own id of its customer
    reason text not null default '',           -- why it went back, or why it fits no invoice: words of ours
    hint_sealed bytea,                         -- what came with money that matched no invoice, under the master key: may be personal
    twin boolean not null default false,       -- reported under a second name, and found by its sum
    destination text not null default '' check (destination in ('', 'detraccion')), -- which account of the creditor it went to
    original_minor bigint,                     -- what was paid, where it was converted into the invoice's currency ...
    original_currency char(3),
    rate numeric,                              -- ... at this value of one unit,
    rate_on date,                              -- which is of this day,
    rate_source text,                          -- and this source
    unallocated_minor bigint not null,         -- what is not (or no longer) applied to an invoice
    unique (creditor_id, source, source_ref, kind)
);
create index payment_unallocated on payment (creditor_id) where unallocated_minor > 0;
create index payment_by_invoice on payment (invoice_id) where unallocated_minor > 0;
create index payment_credit on payment (account_id) where unallocated_minor > 0;
create index payment_reversals on payment (creditor_id, source, reverses_ref) where kind = 'reversal';

-- What the payer keeps back or deposits elsewhere. Entries of the n-th declared one lie on instalment 1000 + n (its own part).
create table deduction (
    creditor_id uuid not null references creditor,
    invoice_id uuid not null references invoice,
    number int not null,
    instalment int not null,                   -- its own part, or the instalment whose gap it explains
    kind text not null,
    rate text not null,                        -- percent
    base_minor bigint not null,
    amount_minor bigint not null check (amount_minor > 0),
    where_paid text not null,
    certificate_required boolean not null,
    state text not null check (state in ('declared', 'proposed', 'confirmed', 'declined', 'reclassified', 'moot')),
    decide_by timestamptz,                     -- proposed: until when the rungs of that remainder wait
    decided_at timestamptz,
    decided_by text,
    settled_at timestamptz,                    -- since when the net has been paid
    released_on date,                          -- a guarantee: its own due date
    certificate_on date,
    certificate_ref text not null default '',
    recorded_at timestamptz not null,
    primary key (invoice_id, number)
);

-- What one unit of an index (CLF, MXV, COU) or of a foreign currency was worth on a day.
create table index_value (
    creditor_id uuid not null references creditor,
    code char(3) not null,
    payment_currency char(3) not null,
    on_day date not null,
    valid_until date not null,
    value numeric not null check (value > 0),
    source text not null,
    recorded_at timestamptz not null,
    primary key (creditor_id, code, payment_currency, on_day),
    check (valid_until >= on_day)
);

create table hold (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    invoice_id uuid not null references invoice,
    kind text not null check (kind in ('pause', 'dispute', 'already_paid', 'payment_in_process', 'owner', 'instrument', 'ceded',
        'unapplied', 'balance_differs', 'reply', 'part_payment')),
    starts_at timestamptz not null,
    until timestamptz not null,
    amount_minor bigint,
    reason text not null,
    money_ref text not null default '',        -- which money is on its way
    actor text not null,
    released_at timestamptz,
    release_why text,
    created_at timestamptz not null
);
create index hold_by_invoice on hold (invoice_id);

create table agreement (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    invoice_id uuid not null references invoice,
    kind text not null check (kind in ('promise', 'extension', 'plan', 'discount')),
    made_at timestamptz not null,
    made_on date not null,
    grace_days int not null,
    waived_minor bigint not null default 0,
    state text not null default 'open' check (state in ('open', 'kept', 'partly', 'broken', 'withdrawn')),
    judged_at timestamptz,
    paid_minor bigint,
    source text not null,                      -- portal, api, reply, staff
    actor text not null
);
create index agreement_by_invoice on agreement (invoice_id);
create unique index agreement_one_open on agreement (invoice_id) where state = 'open';

create table milestone (
    agreement_id uuid not null references agreement,
    creditor_id uuid not null references creditor,
    number int not null,
    due_on date not null,
    amount_minor bigint not null check (amount_minor > 0),
    primary key (agreement_id, number)
);

-- Each attempt to reach a person for a rung, and each reserved slot (state planned).
create table contact (
    id uuid primary key,                       -- travels with the message, so that a receipt finds it
    creditor_id uuid not null references creditor,
    account_id uuid not null references account,
    invoice_id uuid not null references invoice,
    person_id uuid not null references person,
    address_id uuid not null references address,
    key text not null,                         -- instalment.cycle.rung.occurrence
    attempt int not null,
    rung text not null,
    channel text not null,
    template text not null,
    state text not null check (state in ('planned', 'claimed', 'calling', 'accepted', 'delivered', 'failed', 'unknown')),
    amount_minor bigint not null,
    currency char(3) not null,
    at_utc timestamptz not null,               -- claim (or the reserved slot), business time
    zone text not null,
    at_local timestamp not null,
    local_date date not null,
    utc_offset_min int not null,
    claim_until timestamptz,
    claim_revision bigint,
    late_days int not null default 0,
    provider text,
    provider_ref text,
    text_version text,
    register text not null default '',         -- how it addressed the person: what begins in one register goes on in it
    why_failed text,
    step_id bigint,                            -- the decision that allowed it
    settled_at timestamptz,
    folded_into uuid references contact,       -- the message this rung went with; only that one is a message and counts (F38)
    carried_document boolean not null default false,  -- the invoice's own document went with the message (F42)
    missent_id uuid,                           -- it should not have gone: the house's own limits do not count it, the law's do
    given_back boolean not null default false  -- and its rung may go out again
);
create index contact_folded on contact (folded_into) where folded_into is not null;
-- I2: of the attempts of one key at most one has not failed.
create unique index contact_once on contact (invoice_id, key) where state <> 'failed' and not given_back;
create unique index contact_attempt on contact (invoice_id, key, attempt);
create index contact_by_account on contact (account_id, at_utc) where state <> 'failed';
create index contact_by_provider on contact (provider_ref) where provider_ref is not null;
create index contact_by_creditor on contact (creditor_id, at_utc);
create index contact_open on contact (at_utc) where state in ('claimed', 'calling', 'unknown');

-- Whether the invoice was shown to its customer, was accepted or came back (F42); what customers do with it counts by itself.
create table delivery (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    invoice_id uuid not null references invoice,
    kind text not null check (kind in ('delivered', 'accepted', 'rejected', 'waived')),
    on_day date not null,                      -- the customer's calendar
    source text not null,                      -- a word: erp, tax_authority, portal, downloaded, person
    reason text not null default '',           -- why a person waived it, or why it came back; no personal data
    actor text not null,
    recorded_at timestamptz not null,
    unique (invoice_id, kind, on_day, source)
);

-- What became of an invoice in its payer's own portal, as people saw it there.
create table portal_step (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    invoice_id uuid not null references invoice,
    state text not null check (state in ('submitted', 'rejected', 'approved', 'scheduled')),
    on_day date not null,
    scheduled_for date,
    ref text not null default '',              -- the portal's own; no personal data
    actor text not null,
    recorded_at timestamptz not null,
    unique (invoice_id, state, on_day, ref)
);

-- What travels with an invoice. The content is sealed under the master key.
create table document (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    invoice_id uuid not null references invoice,
    kind text not null check (kind in ('pdf', 'xml', 'other')),
    media_type text not null,
    bytes int not null,
    sha256 bytea not null,                     -- of the content as it was posted
    sealed bytea,                              -- null: erased with the consumer it names
    recorded_at timestamptz not null,
    unique (invoice_id, sha256)
);

-- A re-issued invoice and the one it takes the place of.
create table replacement (
    old_invoice_id uuid primary key references invoice,
    new_invoice_id uuid not null unique references invoice,
    creditor_id uuid not null references creditor,
    age_from date,                             -- the old due date that deadlines of the ladder count from; null: from its own
    chain uuid[] not null,                     -- every invoice before it: what was said about those is not said again
    at_utc timestamptz not null
);

-- Under a daily ceiling: which of a creditor's local days a message counts on.
create table counted_send (
    contact_id uuid primary key references contact,
    creditor_id uuid not null references creditor,
    day date not null,
    channel text not null
);
create index counted_send_by_day on counted_send (creditor_id, day);

-- What a person was shown of the next working day's contacts, and what they said; one row for each list a contact stood on.
create table approval (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    account_id uuid not null references account,
    invoice_id uuid not null references invoice,
    person_id uuid not null references person,
    key text not null,
    rung text not null,
    channel text not null,
    template text not null,
    amount_minor bigint not null,              -- it may ask less when it goes, never more
    currency char(3) not null,
    for_day date not null,                     -- the list: a working day of the creditor
    planned_at timestamptz not null,
    why text not null,
    versions text[] not null,                  -- of the texts it may go with: its own, and that of the message shown
    sealed bytea not null,                     -- {subject, text} as shown, under the person's key
    goes_with uuid,                            -- the invoice whose message it is part of
    state text not null default 'proposed' check (state in ('proposed', 'approved', 'declined', 'expired', 'watched')),
    proposed_at timestamptz not null,
    decided_by text not null default '',
    decided_at timestamptz,
    good_until timestamptz,
    unique (invoice_id, key, for_day)
);
create index approval_by_day on approval (creditor_id, for_day);

create table approval_list (
    creditor_id uuid not null references creditor,
    for_day date not null,
    drawn_at timestamptz not null,
    finished_at timestamptz,                   -- null while accounts are still looked at
    primary key (creditor_id, for_day)
);

-- A batch that should not have gone: who got it is in contact.missent_id. A second person approves what is done about it.
create table missent (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    sent_from timestamptz not null,
    sent_until timestamptz not null,
    rung text not null default '',             -- empty: any
    template text not null default '',
    list_day date,                             -- only what stood on the list of that day
    apologise boolean not null,
    give_back boolean not null,
    reason text not null,                      -- a sentence of the house, nothing personal
    state text not null default 'proposed' check (state in ('proposed', 'approved', 'declined')),
    contacts int not null,                     -- when it was proposed; when it was approved
    proposed_by text not null,
    proposed_at timestamptz not null,
    decided_by text,
    decided_at timestamptz
);

-- One apology for each person and channel of a mis-sent batch.
create table apology (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    missent_id uuid not null references missent,
    invoice_id uuid not null references invoice,
    person_id uuid not null references person,
    channel text not null,
    until timestamptz not null,
    unique (missent_id, person_id, channel)
);
create index apology_by_invoice on apology (invoice_id);

create table message_body (
    contact_id uuid primary key references contact,
    creditor_id uuid not null references creditor,
    person_id uuid not null references person,
    sealed bytea not null                      -- {subject, text, html} under the person's key
);

create table receipt (
    id bigint generated always as identity primary key,
    creditor_id uuid not null references creditor,
    contact_id uuid not null references contact,
    status text not null,
    at_utc timestamptz not null,
    detail text not null default ''
);
create index receipt_by_contact on receipt (contact_id);

-- What people did and told us: calls, visits, letters of their own. They count as ours do. No free text, so nothing personal.
create table manual_contact (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    account_id uuid not null references account,
    invoice_id uuid not null references invoice,
    person_id uuid references person,          -- null where the account has nobody
    ref text not null,                         -- the creditor's own: the same one is the same contact
    channel text not null check (channel in ('email', 'sms', 'whatsapp', 'voice', 'letter', 'visit')),
    direction text not null check (direction in ('out', 'in')),
    outcome text not null check (outcome in ('conversation', 'voicemail', 'no_answer', 'not_connected', 'no_message_possible',
        'delivered', 'wrong_number')),
    note_code text not null default '',        -- a word of the creditor's own list
    at_utc timestamptz not null,
    zone text not null,
    at_local timestamp not null,
    local_date date not null,
    utc_offset_min int not null,
    recorded_at timestamptz not null,
    recorded_by text not null,
    unique (creditor_id, ref)
);
create index manual_contact_by_account on manual_contact (account_id, at_utc);
create index manual_contact_by_invoice on manual_contact (invoice_id);

-- Every decision: what was known, what was answered, by which rules and versions (I9).
create table step (
    id bigint generated always as identity primary key,
    creditor_id uuid not null references creditor,
    invoice_id uuid not null references invoice,
    asked_at timestamptz not null,             -- business time
    kind text not null,
    at_utc timestamptz not null,
    key text,
    rung text,
    channel text,
    why text not null,
    rules text[] not null,
    revision bigint not null,
    facts jsonb not null,
    answer jsonb not null,
    versions jsonb not null                    -- manual, policy, law, tzdata, holidays
);
create index step_by_invoice on step (invoice_id, id);

-- The timeline: one row for each fact, in the order they were recorded.
create table event (
    id bigint generated always as identity primary key,
    creditor_id uuid not null,
    invoice_id uuid not null references invoice,
    at_utc timestamptz not null,               -- business time
    kind text not null,
    detail jsonb not null default '{}',        -- ids, sums, dates and states; never personal data
    actor text not null default 'puntual'
);
create index event_by_invoice on event (invoice_id, id);

create table task (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    invoice_id uuid references invoice,
    account_id uuid references account,
    kind text not null,
    key text not null,
    why text not null,
    due_at timestamptz not null,
    created_at timestamptz not null,
    done_at timestamptz,
    outcome text,
    assigned_to text,                          -- the login of who does it
    done_by text,
    unique (creditor_id, kind, key)
);

create index task_open on task (invoice_id) where done_at is null;
create index task_open_of_account on task (account_id) where done_at is null;

-- Where payments are told, and how far each has told: while one is late, nobody is chased for what may be paid.
create table payment_source (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    name text not null check (name ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    kind text not null check (kind in ('bank', 'gateway', 'erp')),
    complete_to date,
    seen_at timestamptz,
    fresh_minutes int not null default 60 check (fresh_minutes > 0),
    expected_by text not null default '10:00',
    declared_at timestamptz not null,
    unique (creditor_id, name)
);

-- Paper with a maturity in the creditor's hands: the debt rests until it is cleared or comes back.
create table instrument (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    invoice_id uuid not null references invoice,
    ref text not null,                         -- the creditor's own: the same one is the same paper
    kind text not null check (kind in ('cheque', 'post_dated_cheque', 'promissory_note', 'bill_of_exchange', 'confirming')),
    amount_minor bigint not null check (amount_minor > 0),
    currency char(3) not null,
    matures_on date not null,
    state text not null check (state in ('held', 'cleared', 'returned', 'given_back')),
    hold_id uuid references hold,
    recorded_at timestamptz not null,
    ended_at timestamptz,
    bank_cost_minor bigint not null default 0,
    unique (creditor_id, ref)
);
create index instrument_by_invoice on instrument (invoice_id);

-- A debt that was sold: our chase rests, what is paid to us is forwarded.
create table cession (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    invoice_id uuid not null references invoice,
    hold_id uuid not null references hold,
    ceded_on date not null,
    assignee_ref text not null,                -- the creditor's own reference of the assignee
    notified_on date,
    recorded_at timestamptz not null,
    ended_at timestamptz,
    end_why text
);
create unique index cession_open on cession (invoice_id) where ended_at is null;

create table placement (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    invoice_id uuid not null references invoice,
    cycle int not null,
    state text not null check (state in ('proposed', 'approved', 'declined', 'placed', 'recalled', 'returned')),
    recommend text not null,
    figures jsonb not null,
    proposed_at timestamptz not null,
    decide_by timestamptz not null,
    decided_by text,
    decided_at timestamptz,
    placed_at timestamptz,
    return_by timestamptz,
    ended_at timestamptz,
    unique (invoice_id, cycle)
);

create table placement_file (
    placement_id uuid not null references placement,
    creditor_id uuid not null references creditor,
    kind text not null check (kind in ('placement', 'recall')),
    csv bytea not null,                        -- sealed under the master key: it names the debtor
    json bytea not null,
    written_at timestamptz not null,
    primary key (placement_id, kind)
);

create table portal_link (
    token_hash bytea primary key,
    creditor_id uuid not null references creditor,
    invoice_id uuid not null references invoice,
    person_id uuid not null references person,
    created_at timestamptz not null,
    revoked_at timestamptz
);
create index portal_link_by_invoice on portal_link (invoice_id);

-- Stored once by the sender's own event id, applied once (I5).
create table inbox (
    id bigint generated always as identity primary key,
    creditor_id uuid not null references creditor,
    account_id uuid,                           -- about whom, as far as the door could tell; no reference: a door waits for nobody's row
    source text not null,
    event_id text not null,
    received_at timestamptz not null,
    payload bytea,                             -- sealed under the master key; emptied after its time
    applied_at timestamptz,
    result text,                               -- null: acknowledged and not applied yet; no claim on that account, or on any where it is not known, passes it (I3)
    tries int not null default 0,
    try_at timestamptz not null default clock_timestamp(),  -- machine time
    unique (creditor_id, source, event_id)
);
create index inbox_waiting on inbox (creditor_id, id) where result is null;
create index inbox_failed on inbox (creditor_id, id) where applied_at is null and result is not null;
create index inbox_content on inbox (received_at) where payload is not null;

create table outbox (
    id bigint generated always as identity primary key,
    creditor_id uuid not null,
    invoice_id uuid not null references invoice,
    workflow_id text not null,
    signal text,                               -- null starts without a ring
    note text not null default '',             -- an id, a sum or a date for the reader of the Temporal UI
    created_at timestamptz not null default clock_timestamp(),
    done_at timestamptz,
    tries int not null default 0,
    last_error text
);
create index outbox_pending on outbox (id) where done_at is null;
create index outbox_waiting on outbox (invoice_id) where done_at is null;
create index outbox_reconciled on outbox (invoice_id, created_at) where signal = 'reconcile';

-- The creditor's own people who act in the console.
create table staff (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    login text not null,                       -- opaque, of the creditor's own; never an e-mail address
    role text not null check (role in ('collector', 'lead', 'admin', 'auditor')),
    password_hash text not null,               -- argon2id
    session_version int not null default 1,    -- a new password, role or end closes the sessions of the old one
    created_at timestamptz not null,
    disabled_at timestamptz,
    failed_count int not null default 0,
    locked_until timestamptz,                  -- machine time
    last_seen_at timestamptz,
    unique (creditor_id, login)
);

-- What staff wrote down about an invoice. The words may be personal: sealed under a person's key, so that erasing forgets them.
create table note (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    invoice_id uuid not null references invoice,
    person_id uuid references person,          -- whose key; null where the account has nobody, then under the master key
    code text not null,
    sealed bytea not null,
    at_utc timestamptz not null,
    actor text not null
);
create index note_by_invoice on note (invoice_id, at_utc);

-- Who did what at the console. Only ever added to.
create table audit (
    id bigint generated always as identity primary key,
    creditor_id uuid not null references creditor,
    at_utc timestamptz not null,               -- business time
    recorded_at timestamptz not null default clock_timestamp(),
    actor text not null,
    act text not null,
    subject text not null,
    detail jsonb not null default '{}',        -- ids, sums, dates and states; never personal data
    once text,                                 -- the form that was sent: sent twice it is one act
    unique (creditor_id, once)
);
create index audit_by_creditor on audit (creditor_id, id);

-- Not of any tenant: the played clock, the progress of imports, and counters.
create table ledger_clock (
    id int primary key check (id = 1),
    at_utc timestamptz not null,
    running_since timestamptz
);

create table import_run (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    file_hash bytea not null,
    file_name text not null,
    rows_done int not null default 0,
    rows_total int,
    accepted int not null default 0,
    repeated int not null default 0,
    refused int not null default 0,
    started_at timestamptz not null,
    finished_at timestamptz,
    unique (creditor_id, file_hash)
);

-- A creditor's whole list of open items at a day: compared, shown, confirmed where it fell far, and applied in parts.
create table snapshot_run (
    id uuid primary key,
    creditor_id uuid not null references creditor,
    file_hash bytea not null,
    file_name text not null,
    as_of date not null,                       -- the day whose end the list describes
    state text not null check (state in ('pending', 'applying', 'applied', 'discarded', 'expired')),
    close_absent boolean not null,             -- false where rows of the file were refused: what is absent may be one of them
    figures jsonb not null,                    -- per currency: counts and sums of new, lower, higher, same and absent
    why text not null default '',              -- what a person is asked to confirm
    items_done int not null default 0,
    items_total int not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    decided_by text,
    finished_at timestamptz
);
create unique index snapshot_run_open on snapshot_run (creditor_id) where state in ('pending', 'applying');
create index snapshot_run_applied on snapshot_run (creditor_id, as_of) where state = 'applied';

create table snapshot_item (
    run_id uuid not null references snapshot_run,
    creditor_id uuid not null references creditor,
    position int not null,
    number text not null,
    currency char(3) not null,
    balance_minor bigint not null,
    due_on date,                               -- null where the item has several
    sealed bytea,                              -- the row itself under the master key, for invoices that are new; emptied when done
    result text not null default '',           -- new, same, lower, higher, back, history, credit or refused
    differs_minor bigint not null default 0,   -- how much more the list shows than we know to be owed
    primary key (run_id, position)
);

-- Roles. They are created (without passwords) by the migration's Python part when they do not exist.
do $$
declare t text;
begin
    for t in select c.table_name from information_schema.columns c
             join information_schema.tables b using (table_schema, table_name)
             where c.table_schema = 'public' and c.column_name = 'creditor_id' and b.table_type = 'BASE TABLE'
    loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format(
            'create policy own_creditor on %I using (creditor_id = nullif(current_setting(''puntual.creditor'', true), '''')::uuid)'
            ' with check (creditor_id = nullif(current_setting(''puntual.creditor'', true), '''')::uuid)', t);
    end loop;
end $$;
alter table creditor enable row level security;
alter table creditor force row level security;
create policy own_creditor on creditor
    using (id = nullif(current_setting('puntual.creditor', true), '')::uuid)
    with check (id = nullif(current_setting('puntual.creditor', true), '')::uuid);

grant usage on schema public to puntual_api, puntual_worker;
grant select, insert, update, delete on all tables in schema public to puntual_worker;
grant usage on all sequences in schema public to puntual_api, puntual_worker;
grant select on all tables in schema public to puntual_api;
grant insert on manual, account, person, address, suppression, invoice, instalment, entry, payment, hold, agreement, milestone,
    receipt, event, step, task, portal_link, inbox, outbox, import_run, manual_contact, delivery, document, replacement, payment_source, instrument, cession to puntual_api;
grant update on account, person, address, suppression, invoice, instalment, late_charge, payment, hold, agreement, contact, task, placement,
    portal_link, inbox, import_run, payment_source, instrument, cession to puntual_api;
grant update, delete on milestone to puntual_api;
grant update (stopped_until, stopped_why, settings) on creditor to puntual_api;
grant insert on approval_list, approval, missent, apology to puntual_api;
grant update on approval, missent to puntual_api;
grant insert on audit, note to puntual_api;
grant insert, update on portal_step to puntual_api;
grant insert, update on deduction, index_value to puntual_api;
grant update (failed_count, locked_until, last_seen_at) on staff to puntual_api;
grant delete on payment_source to puntual_api;
-- what only grows stays so, for the worker too
revoke update, delete on entry, event, step, receipt, audit from puntual_worker;

-- The doors: what comes from outside finds its creditor here, and nothing else is seen before that.
create function door_api_key(asked_prefix text)
returns table (id uuid, creditor_id uuid, secret_hash bytea, scopes text[], expires_at timestamptz, revoked_at timestamptz)
language sql stable security definer set search_path = public, pg_temp as
$$ select k.id, k.creditor_id, k.secret_hash, k.scopes, k.expires_at, k.revoked_at from api_key k where k.prefix = asked_prefix $$;

create function door_webhook(asked_hash bytea)
returns table (id uuid, creditor_id uuid, kind text, secret_sealed bytea)
language sql stable security definer set search_path = public, pg_temp as
$$ select w.id, w.creditor_id, w.kind, w.secret_sealed from webhook_endpoint w where w.token_hash = asked_hash and w.revoked_at is null $$;

-- What a gateway sent, kept in the very statement that asks whether its address still stands and still has that secret.
-- An event names an invoice by its number or by our id; where that is not one customer's, it may be about any.
create function keep_webhook(asked_hash bytea, asked_secret bytea, asked_event text, asked_at timestamptz, asked_payload bytea,
    asked_numbers text[], asked_ids uuid[])
returns table (stands boolean, creditor_id uuid, kept bigint, account_id uuid)
language sql volatile security definer set search_path = public, pg_temp as
$$ with door as (select w.creditor_id, w.kind from door_webhook(asked_hash) w where w.secret_sealed = asked_secret),
   named as (
       select i.id, i.account_id from door d join invoice i on i.creditor_id = d.creditor_id where i.number = any(asked_numbers)
       union all
       select i.id, i.account_id from door d join invoice i on i.creditor_id = d.creditor_id where i.id = any(asked_ids)),
   about as (select case when count(distinct n.account_id) = 1 and not exists (
           select 1 from named o join replacement r on r.old_invoice_id = o.id) then min(n.account_id::text)::uuid end as account_id
       from named n),
   put as (insert into inbox (creditor_id, account_id, source, event_id, received_at, payload)
       select d.creditor_id, a.account_id, d.kind, asked_event, asked_at, asked_payload from door d, about a
       on conflict on constraint inbox_creditor_id_source_event_id_key do nothing returning id, inbox.account_id)
   select exists (select 1 from door), (select d.creditor_id from door d), (select p.id from put p), (select p.account_id from put p) $$;

create function door_portal(asked_hash bytea)
returns table (creditor_id uuid, invoice_id uuid, person_id uuid)
language sql stable security definer set search_path = public, pg_temp as
$$ select l.creditor_id, l.invoice_id, l.person_id from portal_link l where l.token_hash = asked_hash and l.revoked_at is null $$;

create function door_address(asked_lookup bytea)
returns table (creditor_id uuid, person_id uuid, address_id uuid)
language sql stable security definer set search_path = public, pg_temp as
$$ select a.creditor_id, a.person_id, a.id from address a where a.lookup = asked_lookup $$;

create function door_contact(asked_id uuid)
returns table (creditor_id uuid)
language sql stable security definer set search_path = public, pg_temp as
$$ select c.creditor_id from contact c where c.id = asked_id $$;

create function door_staff_login(asked_slug text, asked_login text)
returns table (id uuid, creditor_id uuid, login text, role text, password_hash text, session_version int, disabled_at timestamptz)
language sql stable security definer set search_path = public, pg_temp as
$$ select s.id, s.creditor_id, s.login, s.role, s.password_hash, s.session_version, s.disabled_at from staff s
   join creditor c on c.id = s.creditor_id where c.slug = asked_slug and s.login = asked_login $$;

create function door_staff_session(asked_id uuid)
returns table (id uuid, creditor_id uuid, login text, role text, session_version int, disabled_at timestamptz)
language sql stable security definer set search_path = public, pg_temp as
$$ select s.id, s.creditor_id, s.login, s.role, s.session_version, s.disabled_at from staff s where s.id = asked_id $$;

-- A person's own new password: only by who holds the hash of the old one and the session in force. Every session ends with it.
create function door_staff_password(asked_id uuid, asked_version int, old_hash text, new_hash text)
returns int
language sql volatile security definer set search_path = public, pg_temp as
$$ update staff set password_hash = new_hash, session_version = session_version + 1, failed_count = 0, locked_until = null
   where id = asked_id and session_version = asked_version and password_hash = old_hash and disabled_at is null
   returning session_version $$;

-- The owner is under forced row-level security too: these functions belong to the worker's role, which bypasses it.
do $$
declare f text;
begin
    grant create on schema public to puntual_worker;
    foreach f in array array['door_api_key(text)', 'door_webhook(bytea)', 'keep_webhook(bytea, bytea, text, timestamptz, bytea, text[], uuid[])', 'door_portal(bytea)', 'door_address(bytea)', 'door_contact(uuid)',
        'door_staff_login(text, text)', 'door_staff_session(uuid)', 'door_staff_password(uuid, int, text, text)'] loop
        execute format('alter function %s owner to puntual_worker', f);
        execute format('revoke all on function %s from public', f);
        execute format('grant execute on function %s to puntual_api', f);
    end loop;
    revoke create on schema public from puntual_worker;
end $$;
