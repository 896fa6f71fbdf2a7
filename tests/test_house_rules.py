"""The rules of the house that no linter knows, and a proof that the linters catch what they are there for."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from sqlalchemy import text

from tests.conftest import Database

PROJECT = Path(__file__).parent.parent
ROOMS = ("policies", "ledger", "channels", "messages", "activities", "workflows", "api", "rehearsal", "commands")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70


def our_python(*, tests: bool = True) -> Iterator[Path]:
    """Every Python file of the product, without migrations (they are written once and never changed)."""
    for folder in (*ROOMS, *(["tests"] if tests else [])):
        yield from (path for path in sorted((PROJECT / folder).rglob("*.py")) if "versions" not in path.parts)
    yield from sorted(PROJECT.glob("*.py"))


def committed_files() -> list[Path]:
    """What a clone would hold: tracked files, and new ones that are not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return [PROJECT / name for name in listed.stdout.splitlines() if (PROJECT / name).is_file()]


def readable(path: Path) -> str:
    """The file's text; empty for a picture or another binary."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def short(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def test_no_file_has_more_than_400_lines() -> None:
    long = {short(path): count for path in our_python() if (count := len(path.read_text().splitlines())) > FILE_LINES_MAX}
    assert not long


def test_no_function_has_more_than_70_lines() -> None:
    long = {}
    for path in our_python():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    long[f"{short(path)}:{node.lineno} {node.name}"] = lines
    assert not long


# A zone named in SQL, an instant turned into a date in the session's zone, or the database's own idea of now.
ZONE_IN_SQL = re.compile(
    r"at\s+time\s+zone"
    r"|date_trunc\s*\("
    r"|::\s*date\b|cast\s*\(\s*[\w.:]*\bat(_utc)?\s+as\s+date\)|cast\s*\(\s*[\w.:]*_at\s+as\s+date\)"
    r"|\bcurrent_date\b|\blocaltimestamp\b|\btimezone\s*\(|set\s+(local\s+)?time\s*zone",
    re.IGNORECASE,
)


def sql_texts(path: Path) -> Iterator[tuple[int, str]]:
    """The string constants of a Python file that are not docstrings, and the lines of an SQL file without comments."""
    source = path.read_text()
    if path.suffix == ".sql":
        yield from ((number, line.split("--")[0]) for number, line in enumerate(source.splitlines(), 1))
        return
    tree = ast.parse(source)
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


def test_no_sql_names_a_time_zone_or_asks_the_database_what_day_it_is() -> None:
    files = [*our_python(tests=False), *sorted((PROJECT / "ledger" / "migrations").rglob("*.sql"))]
    found = [
        f"{short(path)}:{line} {sql.strip()[:80]}" for path in files for line, sql in sql_texts(path) if ZONE_IN_SQL.search(sql)
    ]
    assert not found


@pytest.mark.parametrize(
    "sql",
    [
        "select paid_at at time zone 'America/Bogota'", "select at_utc::date from contact", "select date_trunc('day', at_utc)",
        "select cast(at_utc as date)", "select current_date", "set time zone 'UTC'",
    ],
)  # fmt: skip
def test_the_time_zone_rule_sees_each_form(sql: str) -> None:
    assert ZONE_IN_SQL.search(sql)


def test_only_the_clock_reads_the_time() -> None:
    reads = re.compile(r"datetime\.(now|today|utcnow)\(|date\.today\(|(?<!\w)time\.time(_ns)?\(")
    found = []
    for path in our_python(tests=False):
        if path.name == "clock.py":
            continue
        found += [
            f"{short(path)}:{n}" for n, line in enumerate(path.read_text().splitlines(), 1) if reads.search(line.split("#")[0])
        ]
    assert not found


def test_every_table_of_a_tenant_is_under_forced_row_level_security(database: Database) -> None:
    question = text(
        "select c.relname, c.relrowsecurity, c.relforcerowsecurity,"
        " (select count(*) from pg_policy p where p.polrelid = c.oid) as policies"
        " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = 'public' and c.relkind in ('r', 'p') and (c.relname = 'creditor' or exists"
        " (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'creditor_id' and not a.attisdropped))"
    )
    with database.owner.connect() as connection:
        tables = connection.execute(question).all()
    assert len(tables) > 20
    assert [t.relname for t in tables if not (t.relrowsecurity and t.relforcerowsecurity and t.policies)] == []


def test_every_other_table_is_known_to_hold_nothing_of_a_tenant(database: Database) -> None:
    question = text(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relrowsecurity order by 1"
    )
    with database.owner.connect() as connection:
        assert list(connection.execute(question).scalars()) == ["alembic_version", "ledger_clock"]


def test_nobody_but_the_owner_may_change_what_only_grows(database: Database) -> None:
    question = text(
        "select r || ' ' || p || ' ' || t from unnest(array['puntual_api', 'puntual_worker']) r,"
        " unnest(array['update', 'delete', 'truncate']) p, unnest(array['entry', 'event', 'step', 'receipt', 'audit']) t"
        " where has_table_privilege(r, 'public.' || t, p)"
    )
    with database.owner.connect() as connection:
        assert list(connection.execute(question).scalars()) == []


def test_no_address_of_a_package_index_and_no_path_of_a_machine_is_committed() -> None:
    # Put together, so that this file does not hold what it looks for.
    forbidden = [
        "pypi" + ".org", "--index" + "-url", "--extra-index" + "-url", "pythonhosted" + ".org",
        "/ro" + "ot/", "/ho" + "me/", "/wo" + "rk/",
    ]  # fmt: skip
    found = []
    for path in committed_files():
        said = readable(path)
        found += [f"{short(path)}: {word}" for word in forbidden if word in said]
    assert not found


def test_the_locks_have_a_hash_for_every_package() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        entries = re.split(r"\n(?=\S)", (PROJECT / name).read_text().strip())
        packages = [entry for entry in entries if not entry.startswith("#")]
        assert len(packages) > 50
        assert [entry.split()[0] for entry in packages if "--hash=sha256:" not in entry] == []


def test_every_lasting_service_of_the_compose_file_has_a_health_check_and_no_secret_has_a_default() -> None:
    source = (PROJECT / "docker-compose.yml").read_text()
    services = yaml.safe_load(source)["services"]
    assert {"postgres", "temporal", "temporal-ui", "migrate", "api", "worker", "mail"} <= set(services)
    lasting = {name for name, service in services.items() if service["restart"] == "unless-stopped"}
    assert {name for name in lasting if "healthcheck" not in services[name]} == set()
    secrets = re.findall(r"\$\{([A-Z_]*(?:PASSWORD|KEY|TOKEN|SECRET))(:[-?][^}]*)?\}", source)
    asked = {name for name, rest in secrets if rest.startswith(":?")}
    assert {name for name, rest in secrets if rest.startswith(":-") and rest != ":-"} == set()
    # Without these the channel has no sender, or e-mails go to the catcher: nothing half works.
    may_be_missing = {
        "PUNTUAL_CARRIER_SECRET", "PUNTUAL_SENDGRID_API_KEY", "PUNTUAL_SENDGRID_WEBHOOK_KEY", "PUNTUAL_TWILIO_AUTH_TOKEN",
    }  # fmt: skip
    assert {name for name, _ in secrets} - asked <= may_be_missing


def test_the_compose_file_sets_only_settings_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    from settings import Settings

    services = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]
    for name in [name for name in os.environ if name.startswith("PUNTUAL_")]:
        monkeypatch.delenv(name)
    for service in ("api", "worker", "migrate"):
        for name, value in services[service]["environment"].items():
            monkeypatch.setenv(name, value)
    assert Settings.from_environment().temporal_address == "temporal:7233"


def test_the_compose_file_sends_to_its_own_mail_catcher_where_no_other_way_is_given() -> None:
    services = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]
    given = services["worker"]["environment"]
    assert given["PUNTUAL_SMTP_URL"] == "${PUNTUAL_SMTP_URL:-smtp://mail:1025}"
    assert given["PUNTUAL_SENDGRID_API_KEY"] == "${PUNTUAL_SENDGRID_API_KEY:-}"
    assert "127.0.0.1:1025:1025" in services["mail"]["ports"]


def test_each_service_of_the_compose_file_has_the_address_of_its_own_role_only() -> None:
    services = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]
    addresses = {"PUNTUAL_OWNER_URL": "migrate", "PUNTUAL_API_URL": "api", "PUNTUAL_WORKER_URL": "worker"}
    for name, whose in addresses.items():
        assert [s for s in services if name in services[s].get("environment", {})] == [whose]
    assert "PUNTUAL_SENDGRID_API_KEY" not in services["api"]["environment"]
    # Intake and webhooks work while Temporal does not.
    assert set(services["api"]["depends_on"]) == {"migrate"}


def test_the_temporal_of_the_compose_file_lets_creditors_take_turns() -> None:
    temporal = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]["temporal"]
    [mounted] = temporal["volumes"]
    ours, theirs, _ = mounted.split(":")
    assert theirs == f"/etc/temporal/{temporal['environment']['DYNAMIC_CONFIG_FILE_PATH']}"
    assert yaml.safe_load((PROJECT / ours).read_text())["matching.enableFairness"] == [{"value": True}]


def test_every_make_command_of_the_readme_and_the_help_exists() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)", (PROJECT / "README.md").read_text()))
    assert named <= targets
    assert {"help", "install", "demo", "test", "drill", "up", "check", "bench", "clean"} <= targets
    declared = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert declared is not None
    assert set(declared[1].split()) == targets


@pytest.fixture
def copied_tree(tmp_path: Path) -> Path:
    """A copy of the rooms and the configuration, to plant violations in."""
    for room in ROOMS:
        shutil.copytree(PROJECT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "pages", "templates"))
    for path in [*PROJECT.glob("*.py"), PROJECT / "pyproject.toml"]:
        shutil.copy(path, tmp_path / path.name)
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": "."})


PLANTED_IMPORTS = [
    ("policies", "sqlalchemy", "Policies are pure"),
    ("policies", "temporalio.client", "Policies are pure"),
    ("policies", "psycopg2", "Policies are pure"),
    ("policies", "fastapi", "Policies are pure"),
    ("policies", "jinja2", "Policies are pure"),
    ("policies", "httpx", "Policies are pure"),
    ("policies", "requests", "Policies are pure"),
    ("policies", "sendgrid", "Policies are pure"),
    ("policies", "twilio.rest", "Policies are pure"),
    ("policies", "clock", "Policies are pure"),
    ("policies", "ledger.session", "Imports point down"),
    ("ledger", "channels", "Imports point down"),
    ("messages", "ledger.session", "Imports point down"),
    ("channels", "activities", "Imports point down"),
    ("activities", "workflows", "Imports point down"),
    ("workflows", "api", "Imports point down"),
    ("api", "rehearsal", "Imports point down"),
    ("workflows", "ledger.session", "Workflows only wait"),
    ("workflows", "channels", "Workflows only wait"),
    ("workflows", "messages", "Workflows only wait"),
    ("workflows", "sqlalchemy", "Workflows only wait"),
    ("ledger", "settings", "No room below api"),
    ("activities", "worker", "No room below api"),
    ("workflows", "embedded", "No room below api"),
    ("messages", "cli", "No room below api"),
    ("channels", "stack", "No room below api"),
    ("api", "worker", "The API reads settings"),
    ("api", "embedded", "The API reads settings"),
    ("channels", "sqlalchemy", "Channels and messages know no database"),
]


def test_every_import_contract_catches_a_planted_violation(copied_tree: Path) -> None:
    clean = lint_imports(copied_tree)
    assert clean.returncode == 0, clean.stdout
    # All at once, each in a file of its own: one run names every one of them.
    for number, (room, imported, _) in enumerate(PLANTED_IMPORTS):
        (copied_tree / room / f"planted_{number}.py").write_text(f"import {imported}\n")
    caught = lint_imports(copied_tree)
    assert caught.returncode == 1
    report = caught.stdout[caught.stdout.index("Broken contracts") :]
    sections = dict(re.findall(r"^([^\n]+)\n-{3,}\n(.*?)(?=^[^\n]+\n-{3,}\n|\Z)", report, re.MULTILINE | re.DOTALL))
    for number, (room, imported, contract) in enumerate(PLANTED_IMPORTS):
        section = next((body for title, body in sections.items() if title.startswith(contract)), "")
        assert f"{room}.planted_{number}" in section, f"{contract}: {room} importing {imported} was not caught\n{report}"


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("from datetime import datetime\nx = datetime.now()\n", "DTZ005"),
        ("from datetime import UTC, datetime\nx = datetime.now(UTC)\n", "TID251"),
        ("import datetime\nx = datetime.datetime.now(datetime.UTC)\n", "TID251"),
        ("from datetime import date\nx = date.today()\n", "DTZ011"),
        ("from datetime import date\nx = date.today()\n", "TID251"),
        ("import time\nx = time.time()\n", "TID251"),
        ("from time import time\nx = time()\n", "TID251"),
        ("x = int('1')  # type: ignore\n", "PGH003"),
        ("print('hello')\n", "T201"),
    ],
)
def test_ruff_catches_a_planted_violation(code: str, rule: str) -> None:
    command = [str(Path(sys.executable).parent / "ruff"), "check", "--no-cache", "--stdin-filename", "ledger/planted.py", "-"]
    said = subprocess.run(command, cwd=PROJECT, input=code, capture_output=True, text=True, check=False)
    assert rule in said.stdout


def test_the_clock_itself_may_read_the_time() -> None:
    command = [str(Path(sys.executable).parent / "ruff"), "check", "--no-cache", "clock.py"]
    assert subprocess.run(command, cwd=PROJECT, capture_output=True, check=False).returncode == 0
