"""The embedded parts are real, private and survive kills."""

from __future__ import annotations

from sqlalchemy import text

from tests.conftest import Database, TemporalServer


def test_each_role_connects_as_itself_and_the_database_is_migrated_and_empty(database: Database) -> None:
    for engine, name in ((database.owner, "puntual_owner"), (database.api, "puntual_api"), (database.worker, "puntual_worker")):
        with engine.connect() as connection:
            assert connection.execute(text("select current_user")).scalar_one() == name
    with database.worker.connect() as connection:
        assert connection.execute(text("select count(*) from invoice")).scalar_one() == 0


async def test_the_dev_server_answers(temporal: TemporalServer) -> None:
    client = await temporal.client()
    assert await client.service_client.check_health()
