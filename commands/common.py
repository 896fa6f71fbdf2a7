"""What every command needs: the consoles it prints to, one transaction on the ledger, a creditor by its short name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from rich.console import Console
from sqlalchemy.orm import Session

from ledger.creditors import find_creditor
from ledger.session import make_engine
from policies.manual import Manual
from settings import Settings
from stack import settings_here
from supervise import Trouble

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def need(settings: Settings, *names: str) -> Settings:
    """The settings; raises Trouble naming the variables that must be set for this."""
    missing = [f"PUNTUAL_{name.upper()}" for name in names if not getattr(settings, name)]
    if missing:
        raise Trouble(f"{' and '.join(missing)} must be set for this; `puntual up` runs everything without settings")
    return settings


@contextmanager
def on_ledger() -> Iterator[Session]:
    """One transaction on the ledger of this machine or of the environment, as the worker's role."""
    engine = make_engine(settings_here().worker_url, pool_size=1, name="puntual-cli")
    try:
        with Session(engine) as session, session.begin():
            yield session
    finally:
        engine.dispose()


def creditor_of(session: Session, slug: str) -> UUID:
    """The id of a creditor; raises Trouble when there is none of that name."""
    found = find_creditor(session, slug)
    if found is None:
        raise Trouble(f"there is no creditor {slug!r}: add it with `puntual creditor add`")
    return found


def manual_of(given: str) -> Manual:
    """A manual out of a file, or one of ours; raises Trouble with a line for each thing that is wrong in it."""
    from policies.manual import builtin_manual, load_manual

    path = Path(given)
    try:
        is_file = path.suffix in (".yaml", ".yml")
        chosen = load_manual(path.read_text(encoding="utf-8"), str(path)) if is_file else builtin_manual(given)
    except UnicodeDecodeError:
        raise Trouble(f"{path} is not text in UTF-8: save it again as UTF-8") from None
    except OSError as error:
        raise Trouble(f"{path} cannot be read ({error.strerror}): check its name, or give one of our manuals") from None
    except (ValueError, KeyError) as error:
        raise Trouble(str(error.args[0] if isinstance(error, KeyError) else error)) from None
    return chosen
