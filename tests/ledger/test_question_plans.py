"""What is asked with every decision finds its rows by an index: a book of millions is asked as quickly as one of ten."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import contacts, facts, inbox, session, steps
from ledger.session import Prepared
from tests.cast import NOW, accepted_invoice, account_of, creditor_brill
from tests.conftest import Database

FEW = {"creditor"}
"""Tables of which no house has many rows."""
_OF_TYPE: dict[str, Any] = {
    "text": "x", "bigint": 1, "int": 1, "timestamptz": NOW, "timestamp": NOW.replace(tzinfo=None), "date": NOW.date(),
    "boolean": True, "jsonb": "{}", "text[]": ["x"],
}  # fmt: skip
QUESTIONS = {
    question._name: question
    for module in (contacts, facts, session, steps)
    for question in vars(module).values()
    if isinstance(question, Prepared)
}


def _read_whole(plan: str) -> set[str]:
    return set(re.findall(r"Seq Scan on (\w+)", plan)) - FEW


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_a_prepared_question_reads_no_table_as_a_whole(database: Database, name: str) -> None:
    invoice = accepted_invoice(database.worker, creditor_brill(database.worker))
    account, question = account_of(database.worker, invoice), QUESTIONS[name]
    kinds = re.findall(r"%\((\w+)\)s::([\w\[\]]+)", question._execute)
    given = {name: _OF_TYPE.get(kind, str(account if name == "account" else invoice)) for name, kind in kinds}
    given |= {name: [str(invoice)] for name, kind in kinds if kind == "uuid[]"}
    own = session.make_engine(database.worker.url.render_as_string(hide_password=False), pool_size=1)
    with Session(own) as asking:
        asking.execute(question._prepare)  # which says too that no plan for a small table is wanted
        plan = "\n".join(row[0] for row in asking.connection().exec_driver_sql("explain " + question._execute, given))
    own.dispose()
    assert _read_whole(plan) == set()


@pytest.mark.parametrize("statement", [inbox._WAITING_FOR, inbox._TAKE, inbox._EMPTY], ids=str)
def test_what_is_asked_again_and_again_reads_no_table_as_a_whole(database: Database, statement: Any) -> None:
    invoice = accepted_invoice(database.worker, creditor_brill(database.worker))
    given = {"id": str(invoice), "invoice": str(invoice), "most": 1, "creditor": "", "before": NOW}
    with Session(database.worker) as asking:
        asking.execute(text("set local enable_seqscan = off"))
        for one in str(statement).split(";"):
            told = given | ({"id": 1} if "payload" in one else {})
            known = {name: told[name] for name in re.findall(r"(?<!:):(\w+)", one)}
            plan = "\n".join(row[0] for row in asking.execute(text("explain " + one), known))
            assert _read_whole(plan) == set(), plan
