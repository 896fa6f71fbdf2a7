"""From a template's name and a customer's values to the words of one channel.

The body of a text is plain paragraphs; the same paragraphs become the text part and, escaped, the HTML part.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from itertools import product
from typing import Any, Final

import jinja2

from messages import formats, notices, short, sms
from messages.catalogue import TEMPLATES, Template, TextError, common, layout_source, template
from messages.registers import LANGUAGES, default_register, effective_register, in_register
from messages.values import LetterParts, Line, MessageValues, OfferTerms, Rendered, Table
from policies.law.notices import NO_LAW, Wording
from policies.messages import ANNOUNCING, LISTING, STATEMENT
from policies.terms import Channel

__all__ = [
    "LANGUAGES", "TEMPLATES", "Line", "MessageValues", "OfferTerms", "Rendered", "TextError", "default_register", "render",
]  # fmt: skip

WHATSAPP_MAX: Final = 350
LINES_MAX: Final = 8
LINES_SHOWN: Final = 5

# "Gimnasio Andes S.A.S." at the end of a sentence brings its own full stop.
_TWO_STOPS: Final = re.compile(r"(?<!\.)\.\.(?!\.)")

_plain = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)
_html = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True)


def render(
    name: str, *, channel: Channel, language: str, register: str, values: MessageValues, wording: Wording = NO_LAW
) -> Rendered:
    """The message `name` for one channel. Raises TextError for an unknown template or language, or a value the text needs.

    `register` is tu, usted or vos in Spanish; Portuguese and English have one, whatever is given. What `wording` wants said and
    the text does not say is added (F54); TextError where the channel has no room for it or the creditor has not told what it
    needs.
    """
    language = language[:2].lower()
    if language not in LANGUAGES:
        raise TextError(f"no language {language!r}; there are: {', '.join(LANGUAGES)}")
    text = template(name)
    speaks = effective_register(language, register, company=text.address == "company")
    page = _Page(text, language, speaks, channel, values, wording)
    try:
        if channel is Channel.SMS:
            return page.sms()
        if channel is Channel.WHATSAPP:
            return page.whatsapp()
        if channel is Channel.VOICE:
            return page.voice()
        return page.letter() if channel is Channel.LETTER else page.email()
    except jinja2.UndefinedError as error:
        raise TextError(f"the text {name} ({language}, {channel}) needs a value that was not given: {error.message}") from None


@lru_cache(maxsize=8192)
def _compiled(source: str, language: str, register: str) -> jinja2.Template:
    return _plain.from_string(in_register(source, language, register))


@lru_cache(maxsize=1)
def _frame() -> jinja2.Template:
    return _html.from_string(layout_source())


class _Page:
    """One message being written."""

    def __init__(
        self, text: Template, language: str, register: str, channel: Channel, values: MessageValues, wording: Wording
    ) -> None:
        self.template = text
        self.section = text.sections[language]
        self.common = common()[language]
        self.language = language
        self.register = register
        self.values = values
        self.channel = channel
        self.wording = wording
        self.small = channel is Channel.SMS
        self.context = self._context(short_days=self.small)

    # -- values as people write them

    def money(self, amount_minor: int, currency: str = "") -> str:
        v = self.values
        rates = v.conversions if self.channel in (Channel.EMAIL, Channel.LETTER) else ()
        return short.units(amount_minor, currency or v.currency, self.language, v.country, rates, plain=self.small)

    def day(self, when: date, *, short: bool = False) -> str:
        """A date in words: with its year in a letter, without the day of the week when short."""
        v, year = self.values, self.channel is Channel.LETTER
        if short:
            return self._name(formats.short_day(when, v.today, self.language, v.country, year=year))
        return formats.day(when, v.today, self.language, v.country, year=year)

    def totals(self) -> dict[str, int]:
        """What is owed by currency, in the order of the currencies' first lines."""
        v = self.values
        if not v.several:
            return {v.currency: v.amount_minor if v.amount_total_minor is None else v.amount_total_minor}
        found: dict[str, int] = {}
        for line in v.lines:
            found[line.currency or v.currency] = found.get(line.currency or v.currency, 0) + line.amount_minor
        return found

    def _name(self, text: str) -> str:
        return sms.to_gsm7(text) if self.small else text

    def _context(self, *, short_days: bool) -> dict[str, Any]:
        v = self.values
        deadline = v.action_on or v.today + timedelta(days=self.template.deadline_days)

        def day(when: date) -> str:
            return self.day(when, short=short_days)

        agreed = v.agreement_amount_minor if self.template.about_agreement else None
        sums = [self.money(amount_minor, currency) for currency, amount_minor in self.totals().items()]
        total = sums[0] if len(sums) == 1 else ", ".join(sums[:-1]) + self.common["and"] + sums[-1]
        folded = v.several and len(v.lines) > 1 and self.channel not in (Channel.EMAIL, Channel.LETTER)
        context: dict[str, Any] = {
            "creditor": self._name((v.creditor_short if self.small else "") or v.creditor_name),
            "team": v.team or self.common["team"],
            "salutation": self._name(v.salutation.strip()),
            "number": self._name(v.invoice_number),
            "due": day(v.due_on),
            "oldest": day(min((line.due_on for line in v.lines), default=v.due_on)),
            "amount": total if folded else self.money(v.amount_minor),
            "total": total,
            "asked": self.money(agreed) if agreed is not None else total if len(v.lines) > 1 else self.money(v.amount_minor),
            "count": max(len(v.lines), 1),
            "deadline": day(deadline),
            "today": day(v.today),
            "days_late": v.days_late,
            "interest_minor": v.interest_minor,
            "interest": self.money(v.interest_minor),
            "costs": self.money(v.costs_minor),
            "principal": self.money(v.amount_minor - v.interest_minor - v.costs_minor),
            "instalment": v.instalment_number,
            "instalments": v.instalments_count,
            "first_contact": v.first_contact,
            "pay_url": v.pay_url,
            "answer_url": v.answer_url,
            "stop_url": v.stop_url,
            "check_url": v.check_url,
            "reply_to": v.reply_to,
            "phone": v.phone,
            **short.about(v.deductions, self.language, self.money),
        }
        if folded:
            context["number"] = self._and_more(context)
        if v.issued_on is not None:
            context["issued"] = day(v.issued_on)
        if v.agreement_date is not None:
            context["agreement_date"] = day(v.agreement_date)
        if v.agreement_amount_minor is not None:
            context["agreement_amount"] = self.money(v.agreement_amount_minor)
        return context

    def _and_more(self, context: dict[str, Any]) -> str:
        """`F-1042 y 4 más`, or `F-1042 +4` where there is little room, for words that were written for one invoice."""
        number, more = context["number"], context["count"] - 1
        if self.small:
            return f"{number} +{more}"
        return _compiled(self.common["number_and_more"], self.language, self.register).render(number=number, more=more)

    def say(self, source: str, **more: object) -> str:
        said = _compiled(source, self.language, self.register).render(self.context, **more).strip()
        return _TWO_STOPS.sub(".", said)

    def shared(self, key: str, **more: object) -> str:
        return self.say(self.common[key], **more)

    def greeting(self) -> str:
        return self.shared("greeting" if self.context["salutation"] else "greeting_plain")

    def offer(self) -> str:
        """What this rung may offer, in one or two sentences, with its end date; empty when nothing is offered."""
        v, terms = self.values, self.values.offer
        if terms is None or self.template.asks == "nothing":
            return ""
        until, ends = v.offer_until, ""
        parts = []
        if terms.extension_days_max:
            parts.append(self.shared("offer_extension", days=terms.extension_days_max))
        if (terms.instalments_max or 0) > 1:
            parts.append(self.shared("offer_instalments", n=terms.instalments_max, share=terms.first_share_min_pct or 0))
        if terms.discount_max_pct:
            last = until or (v.today + timedelta(days=terms.discount_days) if terms.discount_days else None)
            ends = self.day(last) if last and not until else ""
            parts.append(self.shared("offer_discount", pct=terms.discount_max_pct, ends=ends))
        if not parts:
            return ""
        listed = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + self.common["or"] + parts[-1]
        said = self.shared("offer", listed=listed)
        if until:
            said += " " + self.shared("offer_until", ends=self.day(until))
        return said

    # -- the table

    def table(self) -> Table | None:
        v, kind = self.values, self.template.table
        if kind == "none":
            return None
        if (len(v.lines) > 1 and not self.template.about_agreement) or (kind == "lines" and v.lines):
            return self._lines()
        rows = [(self.common["row_invoice"], v.invoice_number)]
        if v.instalments_count > 1:
            rows.append((self.common["row_instalment"], f"{v.instalment_number}/{v.instalments_count}"))
        if v.issued_on is not None:
            rows.append((self.common["row_issued"], self.context["issued"]))
        if kind == "documents":
            missing = [one for one in v.deductions if one.missing]
            return Table(head=(), rows=(*rows[:1], *short.deduction_rows(missing, self.language, self.money)), totals=())
        rows.append((self.common["row_due"], self.context["due"]))
        if self.template.about_agreement:
            rows.append((self.common["row_agreed_on"], self.context["agreement_date"]))
            return Table(head=(), rows=tuple(rows), totals=((self.common["row_agreed"], self.context["asked"]),))
        if kind == "breakdown" or v.interest_minor or v.costs_minor:
            rows.append((self.common["row_principal"], self.context["principal"]))
            rows.append((self.common["row_interest"], self.context["interest"]))
            rows.append((self.common["row_costs"], self.context["costs"]))
        rows += short.deduction_rows(v.deductions, self.language, self.money)
        rows += short.conversion_rows(self.totals(), v.conversions, self.language, v.country, self.day)
        label = short.net_label(v.deductions, self.language) or self.common["row_total"]
        return Table(head=(), rows=tuple(rows), totals=((label, self.context["amount"]),))

    def _lines(self, *, whole: bool = False) -> Table:
        v = self.values
        oldest = sorted(v.lines, key=lambda line: (line.due_on, line.invoice_number))
        note = ""
        if len(oldest) > LINES_MAX and not whole:
            note = self.shared("lines_left_out", shown=LINES_SHOWN)
            oldest = oldest[:LINES_SHOWN]
        rows = tuple(
            (
                line.invoice_number + (f" ({line.instalment})" if line.instalment else ""),
                self.day(line.due_on, short=True),
                self.money(line.amount_minor, line.currency),
            )
            for line in oldest
        )
        head = (self.common["row_invoice"], self.common["row_due"], self.common["row_open"])
        return Table(head=head, rows=rows, totals=self._total_rows(), note=note)

    def _total_rows(self) -> tuple[tuple[str, str], ...]:
        """One total for each currency; sums of different currencies are never added (F38)."""
        v, totals = self.values, self.totals()
        counts = Counter(line.currency or v.currency for line in v.lines)
        converted = short.conversion_rows(totals, v.conversions, self.language, v.country, self.day)
        return converted + tuple(
            (self.shared("total_of", count=counts[currency] if len(totals) > 1 else len(v.lines)), self.money(amount, currency))
            for currency, amount in totals.items()
        )

    def notices(self, text: str) -> tuple[str, str]:
        """What the law wants said and `text` does not say: before the rest, and after it (F54)."""
        return notices.missing(self.wording, text, self.values, self.language, small=self.small, say=self.say, money=self.money)

    def _version(self) -> str:
        if not self.wording.says:
            return self.section.version
        named = ":".join((self.section.version, notices.texts().version, *(notice.item for notice in self.wording.says)))
        return hashlib.sha256(named.encode()).hexdigest()[:12]

    # -- channels

    def email(self) -> Rendered:
        return self._written(self.section.email, stop="stop_email")

    def letter(self) -> Rendered:
        return self._written(self.section.letter, stop="stop_letter")

    def _written(self, source: str, *, stop: str) -> Rendered:
        v, private = self.values, self.template.private
        paragraphs = [" ".join(p.split("\n")) for p in self.say(source).split("\n\n") if p.strip()]
        asked = self.shared("first_contact") if v.first_contact and not private else ""
        greeting, table = self.greeting(), self.table()
        footer = self.shared("genuine_private") if private else self.shared("genuine")
        own_words = v.several and len(v.lines) > 1 and self.template.name not in LISTING and self.template.name in ANNOUNCING
        if own_words:
            paragraphs.append(self.shared("same_for_all"))
        subject = self.say(self.section.subject, **({"number": self._and_more(self.context)} if own_words else {}))
        parts = LetterParts(
            dated=v.today,
            date_line=formats.letter_day(v.today, self.language, v.country),
            greeting=greeting,
            paragraphs=tuple(paragraphs),
            after=tuple(filter(None, (self.offer(), asked))),
            table=table,
            ways=self._ways(),
            signature=("" if private else self.context["team"], v.creditor_name),
            footer=footer + (" " + self.shared("reply") if v.reply_to else ""),
            reference_label=self.common["reference"],
            stop=(self.shared("stop_private"), "") if private else (self.shared(stop), v.stop_url),
        )
        first, last = self.notices(subject + "\n" + parts.as_text())
        parts = replace(parts, paragraphs=(*filter(None, (first,)), *paragraphs), notices=last)
        is_letter = self.channel is Channel.LETTER
        html = _frame().render(language=self.language, subject=subject, parts=parts, is_letter=is_letter)
        return Rendered(
            subject,
            parts.as_text(),
            html,
            self._version(),
            body_words=len(" ".join((greeting, *paragraphs)).split()),
            letter=parts if is_letter else None,
            whole=self._lines(whole=True) if table is not None and (table.note or self.template.name == STATEMENT) else None,
        )

    def _ways(self) -> tuple[tuple[str, str], ...]:
        """The one way to pay and the one way to answer, the more important first."""
        if self.template.private:
            return ()
        asks, v = self.template.asks, self.values
        pay = (self.common["pay"], v.pay_url)
        answer = (self.common["answer" if asks == "payment" else "answer_first"], v.answer_url)
        return {"payment": (pay, answer), "answer": (answer, pay), "nothing": (answer,)}[asks]

    def whatsapp(self) -> Rendered:
        """The first candidate within 350 characters: with the offer if it can be, without the day of the week if it must.

        The question for channel and hours stays away where there is no room for it.
        """
        v, private = self.values, self.template.private
        opening = self.greeting() + " " + self.shared("who_private" if private else "who")
        way = "" if private else self.shared("way_pay" if self.template.asks == "payment" else "way_answer")
        first = self.shared("first_contact_short") if v.first_contact and not private else ""
        worth = short.worth(self.totals(), v.conversions, self.language, v.country, lambda day: self.day(day, short=True))
        blocks = ("", "", "", "")
        for asked in dict.fromkeys((first, "")):
            tail = "\n".join(filter(None, (asked, way, self.shared("stop_whatsapp"))))
            for short_days in (False, True):
                self.context = self._context(short_days=short_days)
                offers = dict.fromkeys((f"{self.offer()}\n{worth}".strip(), worth, ""))
                for offer, source in product(offers, self.section.whatsapp):
                    blocks = (opening, " ".join(self.say(source).split("\n")), offer, tail)
                    if len("\n\n".join(filter(None, blocks))) <= WHATSAPP_MAX:
                        return self._noticed(blocks)
        return self._noticed(blocks)

    def _noticed(self, blocks: tuple[str, str, str, str]) -> Rendered:
        """The WhatsApp message with what the law wants said; its own words keep their limit."""
        opening, body, offer, tail = blocks
        first, last = self.notices("\n".join(blocks))
        text = "\n\n".join(filter(None, (opening, first, body, offer, tail, last)))
        if (first or last) and len(text) > notices.WHATSAPP_MAX:
            raise TextError(
                f"with the notices of the law a WhatsApp message takes {len(text)} of {notices.WHATSAPP_MAX} characters"
            )
        return Rendered("", text, "", self._version())

    def sms(self) -> Rendered:
        """One segment: the fullest candidate that fits, the sum always after the link so that it is not on a locked screen."""
        if self.template.private:
            tails = [""]
        elif self.template.asks == "payment":
            way = self.shared("sms_pay")
            tails = [f"{way} {self.shared('sms_sum')}", way, self.shared("sms_short")]
        else:
            tails = [self.shared("sms_answer"), self.values.answer_url]
        stop = self.shared("stop_sms")
        bodies = [" ".join(self.say(source).split()) for source in self.section.sms]
        candidates = [
            " ".join(filter(None, (f"{self.context['creditor']}:", body, tail, stop))) for tail in tails for body in bodies
        ]
        text = sms.first_that_fits(candidates)
        added = " ".join(filter(None, self.notices(text)))
        if added:
            text = f"{text} {added}"
        if added and sms.segments(text) > notices.SMS_SEGMENTS_MAX:
            raise TextError(
                f"with the notices of the law an SMS takes {sms.segments(text)} of {notices.SMS_SEGMENTS_MAX} segments"
            )
        return Rendered("", text, "", self._version(), segments=sms.segments(text))

    def voice(self) -> Rendered:
        """The script of a call to a number whose answerer is not confirmed: who calls and how to call back, nothing else.

        What the law wants said beyond that cannot be said to whoever answers: TextError, and another channel is used.
        """
        told = notices.check_call(self.wording, self.values, self.language)
        script = self.common["voice_limited"] if self.wording.nothing_else else self.section.voice
        return Rendered("", " ".join(self.say(script, **told).split()), "", self._version())
