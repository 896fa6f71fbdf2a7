"""Which words a reminder uses: no text goes twice to one person about one debt (playbook 2).

A ladder that starts again after a broken promise or a reversal reaches its rungs again; they then speak in other words, and where
none are left the rung is passed over.
"""

from __future__ import annotations

from policies.case import NOT_MADE, Case
from policies.facts import Reach
from policies.messages import IN_OTHER_WORDS
from policies.terms import Channel, ContactKey

TEXT_TWICE = "text.twice"
"""The rule that passes a rung over because its person has had all the words there are for it."""


def unsaid(case: Case, template: str, reach: Reach, instalment: int) -> str | None:
    """The text itself, else the first in other words that this person has not had about this instalment; None when all were used.

    Texts that announce something name a new day and are never the same; a call to whoever answers says nothing of the debt.
    """
    if not case.manual.limits.text_once or reach.channel is Channel.VOICE or template not in IN_OTHER_WORDS:
        return template
    told = {
        contact.template
        for contact in case.facts.contacts
        if contact.state not in NOT_MADE
        and contact.channel is not Channel.VOICE
        and contact.person_id == reach.person_id
        and ContactKey.parse(contact.key).instalment == instalment
    }
    return next((words for words in (template, *IN_OTHER_WORDS[template]) if words not in told), None)
