"""The customer's page: the invoice as it is at the click, choices inside the manual, nothing changed by looking (F39, F40)."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from httpx import Response
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.portal import _Unread, read_amount
from ledger.links import portal_url
from rehearsal.simulator.portal import read_forms
from tests.api.conftest import House
from tests.api.outside import change, gateway, one
from tests.cast import ANA_EMAIL, ANA_NAME, ANA_PHONE, NOW, accepted_invoice, creditor_brill, debtor_ana, sealer
from tests.ledger.people import write_to

OFFERS: dict[str, Any] = {
    "ladder": [{"rung": "S1", "day": "D-3", "channels": ["email"], "template": "pre_due", "offer": {
        "extension_days_max": 15, "instalments_max": 4, "first_share_min_pct": 25, "discount_max_pct": 10, "discount_days": 5,
    }}],
}  # fmt: skip


class Page:
    """One customer with the link of one invoice."""

    def __init__(self, house: House, invoice: UUID) -> None:
        self.house, self.invoice = house, invoice
        with Session(house.database.worker) as session, session.begin():
            person = session.execute(
                text("select p.id from person p join invoice i using (account_id) where i.id = :id"), {"id": invoice}
            ).scalar_one()
            self.path = portal_url(session, sealer(), "", invoice, person)
            assert portal_url(session, sealer(), "", invoice, person) == self.path, "every message carries the same link"

    def get(self, path: str = "") -> Response:
        answer: Response = self.house.public.get(self.path + path)
        return answer

    def text(self, path: str = "") -> str:
        shown = re.sub(r"<style>.*?</style>", "", self.get(path).text, flags=re.S)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", shown)).replace("\xa0", " ").split())

    def send(self, verb: str, **fields: str) -> Response:
        """Fill in the form of that verb and send it, as a browser does."""
        form = next(f for f in read_forms(self.get("/stop" if verb == "stop" else "").text) if f.action.endswith(f"/{verb}"))
        answer: Response = self.house.public.post(form.action, data=form.fields | fields, follow_redirects=False)
        return answer

    def verbs(self) -> list[str]:
        return [form.action.rsplit("/", 1)[-1] for form in read_forms(self.get().text)]


@pytest.fixture
def page(house: House) -> Page:
    return Page(house, accepted_invoice(house.database.worker, house.creditor))


@pytest.fixture
def offered(house: House) -> Page:
    """A link to an invoice whose first rung, sent already, offers everything."""
    creditor = creditor_brill(house.database.worker, slug="generous", **OFFERS)
    invoice = accepted_invoice(house.database.worker, creditor)
    with Session(house.database.worker) as session, session.begin():
        write_to(session, invoice, state="delivered")
    return Page(house, invoice)


def test_it_shows_what_is_owed_now_and_no_personal_data(page: Page) -> None:
    shown = page.text()
    assert "Factura F-1001 de Brill Servicios SAS" in shown and "250.000 COP" in shown and "Vence el lunes 16 de marzo" in shown
    for personal in (ANA_NAME, ANA_EMAIL, ANA_PHONE, "Ana"):
        assert personal not in shown


def test_looking_changes_nothing(page: Page) -> None:
    before = one(page.house, "select revision from invoice")
    for path in ("", "/stop", "?a=b"):
        assert page.get(path).status_code == 200
    assert one(page.house, "select revision from invoice") == before
    assert one(page.house, "select count(*) from address where consent = 'withdrawn'") == 0


def test_the_page_is_guarded_against_strangers_scripts_and_caches(page: Page) -> None:
    headers = page.get().headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "form-action 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (headers["cache-control"], headers["referrer-policy"], headers["x-robots-tag"]) == (
        "no-store",
        "no-referrer",
        "noindex, nofollow",
    )
    assert "http" not in re.sub(r"<style>.*?</style>", "", page.get().text, flags=re.S), "nothing of a third party"


@pytest.mark.parametrize("wrong", ["x" * 43, "short", "../../etc", "A" * 44])
def test_a_link_that_opens_nothing_says_so_in_the_browsers_language(page: Page, wrong: str) -> None:
    answer = page.house.public.get(f"/p/{wrong}", headers={"Accept-Language": "pt-BR"})
    assert answer.status_code == 404
    if "/" not in wrong:
        assert "Este link não abre nenhuma fatura" in answer.text
    assert page.house.public.post(f"/p/{'x' * 43}/promise").status_code == 404


def test_a_revoked_link_opens_nothing(page: Page) -> None:
    change(page.house, "update portal_link set revoked_at = now()")
    assert page.get().status_code == 404


def test_only_the_hash_of_a_link_is_kept(page: Page) -> None:
    token = page.path.rsplit("/", 1)[-1]
    with Session(page.house.database.worker) as session:
        dump = session.execute(text("select string_agg(l::text, '') from portal_link l")).scalar_one()
    assert token not in dump and len(token) == 43


def test_a_paid_invoice_shows_its_receipt_on_the_same_link(page: Page) -> None:
    gateway(page.house).paid("p1", 25_000_000)
    shown = page.text()
    assert "Factura pagada" in shown and "Recibimos 250.000 COP" in shown and "Saldo pendiente" not in shown
    assert page.verbs() == []


def test_a_payment_in_part_changes_the_sum_asked(page: Page) -> None:
    gateway(page.house).paid("p1", 5_000_000)
    shown = page.text()
    assert "200.000 COP" in shown and "Pagos recibidos" in shown and "50.000 COP" in shown


def test_a_promise_is_noted_and_shown(page: Page) -> None:
    answer = page.send("promise", on="2026-03-10", amount="100.000")
    assert (answer.status_code, answer.headers["location"]) == (303, page.path)
    assert "Acuerdo en curso" in page.text() and "martes 10 de marzo" in page.text()
    row = one(page.house, "select kind || ' ' || source || ' ' || actor from agreement")
    assert row == "promise portal customer"
    assert one(page.house, "select amount_minor from milestone") == 10_000_000
    assert "promise" not in page.verbs()


def test_what_the_manual_does_not_allow_is_answered_with_the_nearest_and_a_button(page: Page) -> None:
    answer = page.send("promise", on="2026-04-20")
    assert answer.status_code == 422
    form = next(f for f in read_forms(answer.text) if f.action.endswith("/promise"))
    assert (form.fields["on"], form.fields["amount"]) == ("2026-03-12", "250000")
    assert one(page.house, "select count(*) from agreement") == 0
    assert page.house.public.post(form.action, data=form.fields, follow_redirects=False).status_code == 303
    assert one(page.house, "select due_on from milestone").isoformat() == "2026-03-12"


def test_only_what_the_manual_offers_is_shown(page: Page, offered: Page) -> None:
    assert page.verbs() == ["promise", "dispute", "already-paid", "preference"]
    assert offered.verbs() == ["promise", "extension", "plan", "discount", "dispute", "already-paid", "preference"]


def test_a_plan_in_parts(offered: Page) -> None:
    assert offered.send("plan", count="3", first_on="2026-03-05", every="every_15").status_code == 303
    days = one(offered.house, "select array_agg(due_on::text || ' ' || amount_minor order by number) from milestone")
    assert days == ["2026-03-05 8333333", "2026-03-20 8333333", "2026-04-04 8333334"]


def test_too_many_parts_are_answered_with_the_most_there_may_be(offered: Page) -> None:
    answer = offered.send("plan", count="9", first_on="2026-03-05", every="monthly")
    assert answer.status_code == 422
    form = next(f for f in read_forms(answer.text) if f.action.endswith("/plan"))
    assert form.fields["count"] == "4"
    assert offered.house.public.post(form.action, data=form.fields, follow_redirects=False).status_code == 303


def test_an_extension_and_a_discount(offered: Page) -> None:
    assert "Pagar 225.000 COP con descuento" in offered.text()
    assert offered.send("discount", pay_on="2026-03-06").status_code == 303
    assert one(offered.house, "select waived_minor from agreement") == 2_500_000
    change(offered.house, "update agreement set state = 'withdrawn'")
    assert offered.send("extension", until="2026-03-17").status_code == 303


def test_a_dispute_of_a_part(page: Page) -> None:
    assert page.send("dispute", reason="quality", amount="50.000,00").status_code == 303
    assert one(page.house, "select kind || ' ' || reason || ' ' || amount_minor from hold") == "dispute quality 5000000"
    assert "En revisión" in page.text() and "dispute" not in page.verbs()


def test_a_dispute_may_be_opened_again_twice_and_then_a_person_decides(page: Page) -> None:
    for _ in range(3):
        assert page.send("dispute", reason="quality").status_code == 303
        page.house.client.post(f"/v1/invoices/{page.invoice}/dispute/close", json={"outcome": "for_creditor"})
    answer = page.send("dispute", reason="quality")
    assert answer.status_code == 409 and "Esta factura ya se revisó y se respondió" in unescape(answer.text)
    assert one(page.house, "select count(*) from hold where kind = 'dispute'") == 3
    by_staff = page.house.client.post(f"/v1/invoices/{page.invoice}/dispute", json={"reason": "quality"})
    assert by_staff.status_code == 201, "a person may always"


def test_ya_pague_holds_for_the_manuals_working_days_and_once(page: Page) -> None:
    assert page.send("already-paid").status_code == 303
    assert "Buscamos el pago" in page.text() and "jueves 5 de marzo" in page.text()
    page.house.clock.at = NOW.replace(day=9)
    assert page.send("already-paid").status_code == 409
    assert one(page.house, "select count(*) from task where kind = 'find_payment' and why like '%, again:%'") == 1


def test_a_form_without_its_own_token_does_nothing(page: Page) -> None:
    for form in ({}, {"form": "guess"}):
        fields = {"on": "2026-03-10", **form}
        assert page.house.public.post(f"{page.path}/promise", data=fields).status_code == 409
        assert page.house.public.post(f"{page.path}/stop", data={"channel": "all", **form}).status_code == 409
    assert one(page.house, "select count(*) from agreement") == 0


def test_the_one_click_of_a_mail_program_stops_email_and_nothing_else(page: Page) -> None:
    answer = page.house.public.post(f"{page.path}/stop", data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert one(page.house, "select consent from address where channel = 'email'") == "withdrawn"
    assert one(page.house, "select consent from address where channel = 'sms'") == "given"
    assert one(page.house, "select count(*) from outbox where signal = 'opted_out'") == 1


def test_stop_of_all_ways_is_confirmed_on_a_page(page: Page) -> None:
    assert "correo electrónico" in page.text("/stop")
    answer = page.send("stop", channel="all")
    assert answer.status_code == 200 and "ya no enviamos mensajes" in answer.text
    assert one(page.house, "select count(*) from address where consent = 'withdrawn'") == 2


@pytest.mark.parametrize("one_click", [True, False])
def test_a_stop_is_for_the_mailbox_whichever_account_it_stands_in(page: Page, one_click: bool) -> None:
    house = page.house
    accepted_invoice(house.database.worker, house.creditor, "F-2", account=debtor_ana(ref="C-2"))
    stranger = creditor_brill(house.database.worker, slug="stranger")
    accepted_invoice(house.database.worker, stranger, "F-3")
    if one_click:
        assert house.public.post(f"{page.path}/stop", data={"List-Unsubscribe": "One-Click"}).status_code == 200
    else:
        assert page.send("stop", channel="email").status_code == 200
    gone = "select string_agg(a.channel || ' ' || c.slug, ', ' order by c.slug) from address a join creditor c"
    gone += " on c.id = a.creditor_id where a.consent = 'withdrawn'"
    assert one(house, gone) == "email brill, email brill"
    assert one(house, "select count(*) from outbox where signal = 'opted_out'") == 2


@pytest.mark.parametrize("verb", ["delete", "stop/../promise", "agreement"])
def test_an_unknown_verb_is_not_found(page: Page, verb: str) -> None:
    assert page.house.public.post(f"{page.path}/{verb}", data={}).status_code in (404, 409)


@pytest.mark.parametrize("language", ["es", "pt", "en"])
@pytest.mark.parametrize("kind", ["consumer", "business"])
def test_every_language_shows_every_choice(house: House, language: str, kind: str) -> None:
    creditor = creditor_brill(house.database.worker, slug="polyglot", **OFFERS)
    account = debtor_ana(language=language, kind=kind, register="" if language != "es" else "usted")
    invoice = accepted_invoice(house.database.worker, creditor, account=account)
    with Session(house.database.worker) as session, session.begin():
        write_to(session, invoice, state="delivered")
    page = Page(house, invoice)
    answer = page.get()
    assert f'<html lang="{language}">' in answer.text and page.verbs().count("plan") == 1
    assert not re.search(r"[{}\[\]|]", page.text()), "a blank or a register was left in the text"


def test_the_creditors_own_way_to_pay(page: Page) -> None:
    settings = (
        '{"pay_url": "https://pagos.brill.example/f?n={invoice}&m={amount_minor}", "pay_text": {"es": "Con PSE o tarjeta."}}'
    )
    change(page.house, "update creditor set settings = cast(:s as jsonb)", s=settings)
    assert (
        'href="https://pagos.brill.example/f?n=F-1001&amp;m=25000000"' in page.get().text and "Con PSE o tarjeta." in page.text()
    )
    change(page.house, "update creditor set settings = cast(:s as jsonb)", s='{"pay_url": "javascript:alert(1)"}')
    assert "javascript" not in page.get().text


@pytest.mark.parametrize(
    ("said", "currency", "minor"),
    [
        ("120.000", "COP", 12_000_000), ("120.000,50", "COP", 12_000_050),
        ("120,000.5", "COP", 12_000_050), ("1500", "CLP", 1500),
        ("1 500", "EUR", 150_000), ("0,5", "EUR", 50), ("12.34", "EUR", 1234), ("1.234", "EUR", 123_400),
    ],
)  # fmt: skip
def test_sums_as_people_type_them(said: str, currency: str, minor: int) -> None:
    assert read_amount(said, currency) == minor


@pytest.mark.parametrize(("said", "currency"), [("mucho", "COP"), ("-5", "COP"), ("1.5", "CLP")])
def test_sums_that_say_nothing_are_refused(said: str, currency: str) -> None:
    with pytest.raises(_Unread):
        read_amount(said, currency)


def test_the_pages_of_one_message_lead_to_one_another(house: House, page: Page) -> None:
    second = accepted_invoice(house.database.worker, house.creditor, "F-1002", currency="USD", amount_minor=12_345)
    accepted_invoice(house.database.worker, house.creditor, "F-1003")
    assert "F-1002" not in page.text(), "nobody was written to about it"
    other = Page(house, second)
    assert "Otras facturas abiertas F-1002 lunes 16 de marzo 123,45 USD" in page.text() and "F-1003" not in page.text()
    assert f'href="{other.path}"' in page.get().text and f'href="{page.path}"' in other.get().text
