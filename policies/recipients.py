"""Who of an account's people a rung is for: its roles in order, guardians for minors, guarantors only by a rung of their own.

A role is a free word. These mean something here: `payables`, `approver`, `treasury`, `owner`, `legal`, `director` and `holder`
may be named by a rung (F85); `guardian` (tutor, parent) writes for a minor; `guarantor` (aval, avalista, fiador) and `co_debtor`
(codeudor) are told only by a rung that names them; `employee`, `related_party` and `shareholder` get courtesy rungs and no more;
`sales` and everybody who neither owes nor pays (family, references, employer, workmates) are never written to about a debt.
"""

from __future__ import annotations

from collections.abc import Sequence

from policies.facts import Reach
from policies.law.place import outsider_of
from policies.manual_model import Rung
from policies.messages import firmness

DEFAULT_ROLES = ("payables", "holder")
"""Who is asked first where a rung names nobody; then anybody who may be written to."""
GUARDIANS = frozenset({"guardian", "parent_of_minor"})
GUARANTORS = frozenset({"guarantor", "co_debtor", "joint_debtor"})
RELATED = frozenset({"employee", "related_party", "shareholder"})
"""Of the creditor's own house: a person speaks with them about anything firm."""
_NEVER = frozenset({"sales", "attorney", "personal_reference", "family_member", "employer", "workmate", "neighbour", "friend"})
_ASIDE = GUARANTORS | _NEVER


def group_of(role: str) -> str:
    """What a role word means here: `codeudor` is a `co_debtor`, `tutor` a `guardian`; any other word is itself."""
    word = role.strip().lower()
    return outsider_of(word) or word


def is_courtesy(rung: Rung) -> bool:
    """Whether a rung only reminds: neither firm, nor announcing, nor carrying anything out."""
    return rung.action == "contact" and firmness(rung.template, firm=rung.firm) < 2


def tiers(reach: Sequence[Reach], roles: Sequence[str], *, minor: bool = False, courtesy: bool = True) -> list[list[Reach]]:
    """Whom to try, best first: one list for each role named, then everybody else who may be written to.

    A rung that names guarantors is for them alone. A minor's own addresses are never used: the guardian's are.
    """
    wanted = [group_of(role) for role in roles]
    if any(role in GUARANTORS for role in wanted):
        return [[r for r in reach if group_of(r.role) in GUARANTORS]]
    if minor:
        return [[r for r in reach if group_of(r.role) in GUARDIANS]]
    known = [r for r in reach if _ordinary(group_of(r.role), courtesy)]
    named = [[r for r in known if group_of(r.role) == role] for role in dict.fromkeys(wanted) if role not in _NEVER]
    rest = [r for r in known if group_of(r.role) not in wanted]
    return [*filter(None, named), sorted(rest, key=lambda r: _rank(r.role))]


def _ordinary(role: str, courtesy: bool) -> bool:
    return role not in _ASIDE and (courtesy or role not in RELATED)


def _rank(role: str) -> int:
    return DEFAULT_ROLES.index(role) if role in DEFAULT_ROLES else len(DEFAULT_ROLES)
