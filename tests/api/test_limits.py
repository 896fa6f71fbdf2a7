"""Too much of what is refused waits, by address; what is right is never refused for what others do (I8, I11)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.limits import Limits, Rate, client_address
from tests.api.conftest import House, settings_of
from tests.api.outside import STANDARD_SECRET, gateway, standard_headers
from tests.cast import accepted_invoice

TWO = Rate(0.01, 2)
LINK = "/p/" + "x" * 43


@pytest.fixture
def strict(house: House) -> Iterator[TestClient]:
    """The same house with room for two of everything."""
    limits = Limits(refused_keys=TWO, portal_link=TWO, portal_address=Rate(0.01, 4), refused_webhooks=TWO)
    app = create_app(settings_of(house.database), clock=house.clock, limits=limits)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
    app.state.engine.dispose()


def test_after_too_many_refused_keys_an_address_waits_and_a_good_key_does_not(strict: TestClient, house: House) -> None:
    wrong, right = ({"Authorization": f"Bearer {key}"} for key in ("pk_0000000000_" + "a" * 43, house.creditor.key.key))
    answers = [strict.get("/v1/invoices", headers=wrong) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert answers[2].headers["content-type"] == "application/problem+json" and int(answers[2].headers["retry-after"]) > 60
    assert strict.get("/v1/invoices", headers=right).status_code == 200
    assert strict.post("/console/sign-in", data={"key": "pk_wrong"}).status_code == 429, "the console's door counts with it"


def test_a_customers_link_and_an_address_have_their_measure(strict: TestClient) -> None:
    assert [strict.get(LINK).status_code for _ in range(3)] == [404, 404, 429]
    other = LINK[:-1] + "y"
    assert [strict.get(other).status_code for _ in range(2)] == [404, 429], "four of one address"
    assert strict.post(f"{other}/stop").status_code == 429, "this link has had its two"
    assert strict.post(f"{LINK[:-1]}z/stop").status_code == 404, "a stop is not refused for its address"
    assert "retry-after" in strict.get(LINK).headers


def test_in_played_time_the_pages_have_no_limit(house: House) -> None:
    settings = replace(settings_of(house.database), clock="ledger", demo="1")
    app = create_app(settings, clock=house.clock, limits=Limits(portal_link=TWO, portal_address=TWO))
    with TestClient(app) as client:
        assert {client.get(LINK).status_code for _ in range(5)} == {404}


def test_forged_webhooks_wait_by_address_and_token_and_genuine_ones_never(strict: TestClient, house: House) -> None:
    accepted_invoice(house.database.worker, house.creditor)
    hook, other = gateway(house), gateway(house)
    forged = [strict.post(hook.path, content="{}", headers={}).status_code for _ in range(3)]
    assert forged == [401, 401, 429]
    raw = '{"type": "something.else"}'
    for count in range(5):
        assert (
            strict.post(other.path, content=raw, headers=standard_headers(raw, f"e{count}", STANDARD_SECRET)).status_code == 200
        )
    strange = [strict.post("/webhooks/payments/nobody", content="{}").status_code for _ in range(3)]
    assert strange == [404, 404, 429]


@pytest.mark.parametrize(
    ("host", "named"),
    [("203.0.113.9", "203.0.113.9"), ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"), ("2001:db8:1:2::2", "2001:db8:1:2::/64"),
     ("testclient", "testclient")],
)  # fmt: skip
def test_an_address_of_ipv6_is_its_network(host: str, named: str) -> None:
    assert client_address({"type": "http", "client": (host, 5)}) == named
