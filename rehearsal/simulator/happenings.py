"""What happens outside when its time comes: a payment is made and told, a receipt is sent, a reply written, a page filled in."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

from rehearsal.simulator import characters, portal
from rehearsal.simulator.courier import Call, sendgrid_webhook, standard_webhook, stripe_webhook, twilio_webhook
from rehearsal.simulator.people import Bill, Debtor, Event, event, stable_id
from rehearsal.simulator.world import World

_BATCH = 100
_AT_ONCE = 8
_HARD_BOUNCE = {"reason": "550 5.1.1 The account does not exist.", "status": "5.1.1", "type": "bounce"}
_SMS_CODES = {"unknown_number": "30005", "handset_unreachable": "30003"}


async def fire_until(world: World, until: datetime) -> int:
    """Let everything happen that is due at `until` or before, in order, each awaited; how many events it were."""
    done = 0
    async with world.turn:
        while due := world.take_due(until):
            if not world.config.real_time:
                world.played_now = max(world.played_now, due[0].at)
            world.firing = due
            await _fire(world, due)
            world.firing = []
            done += len(due)
            for one in due:
                world.fired[one.kind] += 1
        if not world.config.real_time:
            world.played_now = max(world.played_now, until)
    return done


async def run_on_the_wall_clock(world: World) -> None:
    """For ever: wait for the next event or for something new, then let it happen.

    What is due together happens together and holds up nothing that comes later: one webhook that nobody acknowledges must not
    stop the world.
    """
    happening: set[asyncio.Task[None]] = set()
    try:
        while True:
            world.stirred.clear()
            if due := world.take_due(world.now()):
                world.firing += due
                task = asyncio.create_task(_fire_apart(world, due))
                happening.add(task)
                task.add_done_callback(happening.discard)
                continue
            next_at = world.next_at()
            pause = None if next_at is None else max((next_at - world.now()).total_seconds() / world.config.speed, 0.005)
            with suppress(TimeoutError):
                await asyncio.wait_for(world.stirred.wait(), pause)
    finally:
        for task in happening:
            task.cancel()
        await asyncio.gather(*happening, return_exceptions=True)


async def _fire_apart(world: World, due: list[Event]) -> None:
    """What was cut off by the end stays in `firing`, so that it happens after the next start."""
    try:
        await _fire(world, due)
    except Exception as error:
        world.courier.last_error = f"{due[0].kind} of {due[0].ref}: {type(error).__name__}: {error}"
    world.firing = [one for one in world.firing if not any(one is done for done in due)]
    for one in due:
        world.fired[one.kind] += 1


async def _fire(world: World, due: list[Event]) -> None:
    """Receipts of one instant go together, since no two concern one contact's next status; all else one after another."""
    receipts = [one for one in due if one.kind == "receipt"]
    if len(receipts) == len(due):
        await _send_receipts(world, receipts)
        return
    for one in due:
        if one.kind == "receipt":
            await _send_receipts(world, [one])
        else:
            await _ACTS[one.kind](world, world.debtors[one.ref], one)


async def _send_receipts(world: World, receipts: list[Event]) -> None:
    mail = [one for one in receipts if one.detail["channel"] == "email"]
    batches = [mail[i : i + _BATCH] for i in range(0, len(mail), _BATCH)]
    chains = [[_mail_batch(world, batch)] for batch in batches]
    chains += [_carrier_calls(world, one) for one in receipts if one.detail["channel"] != "email"]
    gate = asyncio.Semaphore(_AT_ONCE)

    async def run(chain: list[Call]) -> None:
        async with gate:
            for call in chain:
                await world.courier.deliver(call)

    await asyncio.gather(*(run(chain) for chain in chains if chain))


def _mail_batch(world: World, batch: list[Event]) -> Call:
    events: list[dict[str, Any]] = []
    for one in batch:
        about = one.detail
        base = {
            "email": about["to"],
            "timestamp": int(one.at.timestamp()),
            "contact_id": about["contact_id"],
            "sg_message_id": f"{about['ref']}.recvd-simulator-1-0",
            "smtp-id": f"<{about['ref']}@simulator>",
        }
        last = (
            {"event": "delivered", "response": "250 OK"}
            if about["outcome"] == "delivered"
            else {"event": "bounce"} | _HARD_BOUNCE
        )
        steps = [{"event": "processed"}, last] if world.config.all_statuses else [last]
        if world.dice.faults.shuffle_webhooks:
            steps.reverse()
        events += [base | step | {"sg_event_id": stable_id("sg", about["ref"], step["event"])} for step in steps]
    return sendgrid_webhook(
        f"{_public(world)}/webhooks/sendgrid", events, world.keys, stable_id("batch", events[0]["sg_event_id"])
    )


def _carrier_calls(world: World, one: Event) -> list[Call]:
    about = one.detail
    failed = about["outcome"] != "delivered"
    if about["channel"] == "sms":
        if not about["url"]:
            return []
        steps = [("failed" if failed else "delivered", _SMS_CODES.get(about["outcome"], "30008") if failed else "")]
        if world.config.all_statuses:
            steps.insert(0, ("sent", ""))
        calls = [_twilio_status(world, about, status, code) for status, code in steps]
    else:
        kinds = ["message.failed" if failed else "message.delivered"]
        if world.config.all_statuses:
            kinds.insert(0, "message.accepted")
        calls = [_carrier_event(world, kind, one) for kind in kinds]
    return calls[::-1] if world.dice.faults.shuffle_webhooks else calls


def _twilio_status(world: World, about: dict[str, Any], status: str, code: str) -> Call:
    said = "undelivered" if status == "failed" else status
    form = {
        "AccountSid": world.keys.twilio_account_sid,
        "ApiVersion": "2010-04-01",
        "MessageSid": about["ref"],
        "MessageStatus": said,
        "SmsSid": about["ref"],
        "SmsStatus": said,
        "To": about["to"],
    } | ({"ErrorCode": code} if code else {})
    return twilio_webhook(about["url"], form, world.keys, stable_id("tw", about["ref"], status))


def _carrier_event(world: World, kind: str, one: Event) -> Call:
    about = one.detail
    data = {"contact_id": about["contact_id"], "id": about["ref"], "channel": about["channel"]}
    if kind == "message.failed":
        data["code"] = about["outcome"]
    url, event_id = f"{_public(world)}/webhooks/carrier", stable_id("msg", about["ref"], kind)
    return standard_webhook(url, world.keys.carrier_secret, kind, one.at, data, event_id)


def _public(world: World) -> str:
    return (world.config.public_url or world.config.api_url).rstrip("/")


async def _pay(world: World, debtor: Debtor, one: Event) -> None:
    """Pay so much of what is still owed, and let the gateway tell the creditor."""
    bill = debtor.bills[one.detail["number"]]
    payment_id = stable_id("pay", world.config.seed, one.tie)
    owed = bill.owed_minor + bill.paid.get(payment_id, 0)
    asked = one.detail["amount"]
    amount = owed if asked == "all" else min(int(asked), owed)
    if amount <= 0:
        return
    bill.paid[payment_id] = amount
    world.money["payment", payment_id] = amount
    if debtor.character == "charges_back":
        at = one.at + timedelta(days=debtor.drawn("reversal_days", bill, 5, 12))
        tie = f"{bill.number}|reversal|{payment_id}"
        world.plan([event(at, "reversal", debtor.ref, tie, number=bill.number, payment=payment_id, amount=amount)])
    paid_on = debtor.local_date(one.at)
    for call in _payment_calls(bill, payment_id, amount, paid_on, one.at):
        await world.courier.deliver(call)


def _payment_calls(bill: Bill, payment_id: str, amount: int, paid_on: date, at: datetime) -> list[Call]:
    hook = bill.webhook
    if hook is None:
        return []
    event_id = f"evt_{payment_id}"
    if hook["gateway"] == "stripe":
        thing = {
            "id": f"pi_{payment_id}", "object": "payment_intent", "amount": amount, "amount_received": amount,
            "currency": bill.currency.lower(), "created": int(at.timestamp()), "status": "succeeded",
            "latest_charge": f"ch_{payment_id}", "metadata": {"invoice_number": bill.number}, "description": bill.number,
        }  # fmt: skip
        return [stripe_webhook(hook["url"], hook["secret"], "payment_intent.succeeded", at, thing, event_id)]
    data = {
        "id": payment_id, "amount_minor": amount, "currency": bill.currency, "invoice": bill.number,
        "paid_on": paid_on.isoformat(), "value_on": _next_weekday(paid_on).isoformat(),
    }  # fmt: skip
    return [standard_webhook(hook["url"], hook["secret"], "payment.succeeded", at, data, event_id)]


async def _reverse(world: World, debtor: Debtor, one: Event) -> None:
    """Take a payment back, as a chargeback does."""
    bill, payment_id, amount = debtor.bills[one.detail["number"]], one.detail["payment"], int(one.detail["amount"])
    bill.paid.pop(payment_id, None)
    hook = bill.webhook
    if hook is None:
        return
    reversal_id = payment_id.replace("pay_", "rev_", 1)
    world.money["reversal", reversal_id] = amount
    day = debtor.local_date(one.at).isoformat()
    if hook["gateway"] == "stripe":
        thing = {
            "id": f"dp_{payment_id}", "object": "dispute", "amount": amount, "currency": bill.currency.lower(),
            "charge": f"ch_{payment_id}", "payment_intent": f"pi_{payment_id}", "created": int(one.at.timestamp()),
            "reason": "fraudulent", "status": "needs_response", "metadata": {},
        }  # fmt: skip
        # Both are sent: the money is taken once.
        calls = [
            stripe_webhook(hook["url"], hook["secret"], kind, one.at, thing, f"evt_{reversal_id}_{n}")
            for n, kind in enumerate(("charge.dispute.created", "charge.dispute.funds_withdrawn"))
        ]
    else:
        data = {
            "id": reversal_id, "reverses": payment_id, "amount_minor": amount, "currency": bill.currency,
            "invoice": bill.number, "paid_on": day, "value_on": day, "reason": "chargeback",
        }  # fmt: skip
        calls = [standard_webhook(hook["url"], hook["secret"], "payment.reversed", one.at, data, f"evt_{reversal_id}")]
    for call in calls:
        await world.courier.deliver(call)


async def _reply(world: World, debtor: Debtor, one: Event) -> None:
    about = one.detail
    reply_id = stable_id("re", world.config.seed, one.tie)
    if about["channel"] == "sms":
        sid = "SM" + reply_id.removeprefix("re_").ljust(32, "0")
        form = {
            "MessageSid": sid, "SmsMessageSid": sid, "SmsSid": sid, "SmsStatus": "received", "NumMedia": "0", "NumSegments": "1",
            "AccountSid": world.keys.twilio_account_sid, "ApiVersion": "2010-04-01", "From": about["sender"],
            "To": "+15005550006", "Body": about["text"],
        }  # fmt: skip
        if about["text"] == "STOP":
            form["OptOutType"] = "STOP"
        if about["text"] in ("STOP", "BAJA", "SAIR"):
            world.blocked.add(("sms", about["sender"]))
        call = twilio_webhook(f"{_public(world)}/webhooks/twilio/inbound", form, world.keys, reply_id)
    else:
        data = {name: about[source] for name, source in (("channel", "channel"), ("from", "sender"), ("text", "text"))}
        url = f"{_public(world)}/webhooks/carrier"
        data["contact_id"] = about["contact_id"]
        call = standard_webhook(url, world.keys.carrier_secret, "message.received", one.at, data, reply_id)
    await world.courier.deliver(call)


async def _visit_portal(world: World, debtor: Debtor, one: Event) -> None:
    """Answer through the link of the message, and pay afterwards as the character pays what it agreed to."""
    about = one.detail
    purpose: str = about["purpose"]
    if purpose == "stop":
        answered = await portal.stop(world.courier.http, world.courier.reach(about["link"]))
        world.answers.append({"ref": debtor.ref, "purpose": purpose, "outcome": answered.outcome, "status": answered.status})
        return
    bill = debtor.bills[about["number"]]
    if bill.owed_minor == 0 and purpose != "paid":
        return
    answered = portal.Answered("no_form")
    for link in (link for link in about["links"] if "/p/" in link):
        answered = await portal.answer(world.courier.http, world.courier.reach(link), purpose, about["values"], bill.currency)
        if answered.outcome in ("done", "refused"):
            break
    world.answers.append(
        {"ref": debtor.ref, "number": bill.number, "purpose": purpose, "outcome": answered.outcome, "status": answered.status}
    )
    if purpose == "promise" and debtor.character == "promiser_keeper":
        day = date.fromisoformat(answered.sent.get("on") or about["values"]["on"])
        world.plan([characters.pay(debtor, bill, _payday(debtor, bill, day, one.at), "all")])
    elif purpose == "plan" and answered.outcome == "done":
        world.plan(_plan_payments(debtor, bill, answered, one.at))


def _plan_payments(debtor: Debtor, bill: Bill, answered: portal.Answered, at: datetime) -> list[Event]:
    """The parts that the page shows, or equal ones, each on its day; the last is whatever is left then."""
    keeps = str(debtor.traits.get("keeps") or ("all", "all", "first", "none")[debtor.drawn("keeps_draw", bill, 0, 3)])
    count = int(answered.sent["count"])
    sums = portal.read_parts(answered.page, bill.owed_minor, bill.currency)
    if len(sums) != count:
        sums = [-(-bill.owed_minor // count)] * count
    days = portal.plan_days(answered.sent, count)
    paying = {"all": count, "first": 1, "none": 0}[keeps]
    return [
        characters.pay(debtor, bill, _payday(debtor, bill, day, at), "all" if n == count - 1 else sums[n])
        for n, day in enumerate(days[:paying])
    ]


def _payday(debtor: Debtor, bill: Bill, day: date, now: datetime) -> datetime:
    """The debtor's hour of that day, and not before it was agreed."""
    if "reaction_seconds" in debtor.traits:
        return now + timedelta(seconds=int(debtor.traits["reaction_seconds"]) * max((day - debtor.local_date(now)).days, 1))
    return max(debtor.on(day, debtor.drawn("hour", bill, 9, 18)), now + timedelta(hours=1))


def _next_weekday(day: date) -> date:
    """The day the bank shows it: the next one that is not a Saturday or Sunday."""
    after = day + timedelta(days=1)
    return after if after.weekday() < 5 else after + timedelta(days=7 - after.weekday())


_ACTS = {"payment": _pay, "reversal": _reverse, "reply": _reply, "portal": _visit_portal}
