"""What must be nothing before a campaign is over."""

from __future__ import annotations

from sqlalchemy import text

LEFT = text(
    "select (select count(*) from invoice where revision > seen_revision) as unseen,"
    " (select count(*) from outbox where done_at is null) as untold, (select count(*) from inbox where result is null) as"
    " not_applied, (select count(*) from contact where state in ('claimed', 'calling')) as half_done,"
    # A worker that was killed has to come up and reconcile first, also when nothing else is left to do.
    " (select count(*) from contact k, ledger_clock t where k.state = 'unknown' and k.at_utc < t.at_utc - interval '24 hours'"
    " and not exists (select 1 from task o where o.kind = 'unknown_outcome' and o.key = k.id::text)) as untasked"
)
