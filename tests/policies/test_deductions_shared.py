"""What real e-invoices withhold is accepted as deductions, and what is left to ask is what their publishers state."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from policies.intake import Unreadable, read_invoice
from policies.intake_model import InvoiceIn
from tests.cast import invoice_body

pytestmark = pytest.mark.shared
FOLDER = "data/2_einvoice"
SAT = {"001": "isr_retenido", "002": "iva_retenido"}


def cents(amount: str) -> int:
    return int((Decimal(amount) * 100).quantize(Decimal(1)))


def root_of(shared: Path, name: str) -> ElementTree.Element:
    return ElementTree.parse(shared / FOLDER / name).getroot()


def local(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if element.tag.rpartition("}")[2] == name]


def text_of(element: ElementTree.Element, name: str) -> str:
    return (local(element, name)[0].text or "").strip()


def expected(shared: Path, name: str) -> dict[str, Any]:
    """The totals and the currency that the list states for a file's (first) document."""
    listed = json.loads((shared / FOLDER / "expected_fields.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = next(one for one in listed if one["file"].endswith(name))
    found |= found.get("documents", [{}])[0]
    return found


def asked(stated: dict[str, Any], deductions: list[dict[str, Any]], total: str) -> int:
    """What is left to ask of an invoice whose stated total is already net of what is withheld."""
    gross = cents(total) + sum(one["amount_minor"] for one in deductions)
    body = invoice_body(currency=stated["currency"], amount_minor=gross, deductions=deductions)
    return sum(minor for _, _, minor in read_invoice(InvoiceIn.model_validate(body), creditor_country="CO").dues)


def test_the_italian_ritenute_leave_the_total_of_the_document(shared_folder: Path) -> None:
    name = "it_fatturapa/invoice-irpef.xml"
    stated, root = expected(shared_folder, name), root_of(shared_folder, name)
    bases = [text_of(line, "PrezzoTotale") for line in local(root, "DettaglioLinee") if local(line, "Ritenuta")]
    deductions = [
        {
            "kind": "ritenuta", "rate": text_of(one, "AliquotaRitenuta"), "base_minor": cents(base),
            "amount_minor": cents(text_of(one, "ImportoRitenuta")), "certificate_required": True,
        }
        for one, base in zip(local(root, "DatiRitenuta"), bases, strict=True)
    ]  # fmt: skip
    assert [one["amount_minor"] for one in deductions] == [32_400, 5_000]
    assert asked(stated, deductions, stated["total"]) == cents(stated["total"]) == 102_674


def test_the_mexican_retenciones_leave_the_total_of_the_comprobante(shared_folder: Path) -> None:
    name = "mx_cfdi40/invoice-b2b-full.xml"
    stated, root = expected(shared_folder, name), root_of(shared_folder, name)
    sums = {one.get("Impuesto"): one.get("Importe", "") for one in local(root, "Retencion") if one.get("Base") is None}
    deductions: list[dict[str, Any]] = [
        {
            "kind": SAT[tax := one.get("Impuesto", "")], "rate": f"{Decimal(one.get('TasaOCuota', '')) * 100:f}",
            "base_minor": cents(one.get("Base", "")), "amount_minor": cents(sums[tax]),
        }
        for one in local(root, "Retencion")
        if one.get("Base") is not None
    ]  # fmt: skip
    assert sorted(one["amount_minor"] for one in deductions) == [2_002, 2_135]
    assert asked(stated, deductions, stated["total"]) == cents(stated["total"]) == 21_136


def test_a_detraccion_whose_sum_is_not_its_rate_is_refused_at_its_place(shared_folder: Path) -> None:
    root = root_of(shared_folder, "pe_sunat/invoice-full.xml")
    stated = next(one for one in local(root, "AdditionalMonetaryTotal") if text_of(one, "ID") == "2003")
    given = {
        "kind": "detraccion", "rate": text_of(stated, "Percent"), "base_minor": cents(text_of(stated, "ReferenceAmount")),
        "amount_minor": cents(text_of(stated, "PayableAmount")), "where_paid": "state_bank:00-068-1",
    }  # fmt: skip
    with pytest.raises(Unreadable) as caught:
        asked({"currency": "PEN"}, [given], "10000.00")
    assert [problem.pointer for problem in caught.value.problems] == ["/deductions/0/amount_minor"]
    assert asked({"currency": "PEN"}, [given | {"amount_minor": 18_000}], "10000.00") == 1_000_000
