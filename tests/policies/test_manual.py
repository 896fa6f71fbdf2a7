from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policies.manual import (
    BUILTIN,
    Manual,
    ManualError,
    RungDay,
    builtin_manual,
    load_manual,
    manual_schema,
    parse_day,
    resolve,
)

GOOD = """\
name: small
version: 1
ladder:
  - rung: A
    day: D-5
    channels: [email]
    template: pre_due
  - rung: B
    day: D+3
    channels: [sms, email]
    template: first_reminder
"""


def problems(text: str, **more: Any) -> list[str]:
    with pytest.raises(ManualError) as caught:
        load_manual(text, "small.yaml", **more)
    return caught.value.problems


def test_a_small_manual_is_complete_by_its_defaults() -> None:
    manual = load_manual(GOOD, "small.yaml")
    assert (manual.send_at, manual.deadline_basis, manual.agency) == ("09:00", "effective", None)
    assert manual.limits.windows["sun"] == ("00:00-24:00",)
    assert manual.rung("B").expires_days == 30
    with pytest.raises(KeyError, match="it has A, B"):
        manual.rung("C")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("day: D-5", "day: D-five", "small.yaml:5: ladder[0].day (rung A): 'D-five' is not a day: write D, D-5"),
        ("day: D+3", "days: D+3", "small.yaml:9: ladder[1].days (rung B): is not a field here; did you mean day?"),
        ("day: D+3", "tone: warm", "small.yaml:8: ladder[1].day (rung B): is missing; add it"),
        ("[sms, email]", "[sms, telegram]", "small.yaml:10: ladder[1].channels[1] (rung B): 'telegram' is not known; use"),
        ("[sms, email]", "[sms, sms]", "small.yaml:10: ladder[1].channels: rung B names a channel twice"),
        ("[sms, email]", "[]", "small.yaml:8: ladder[1]: rung B has no channels; name at least one, or make it action: task"),
        ("rung: B", "rung: A", "small.yaml:8: ladder[1].rung: rung A stands twice; give each rung its own id"),
        ("rung: B", "rung: B.1", "small.yaml:8: ladder[1].rung (rung B.1): string should match pattern"),
        ("day: D+3", "day: D-6", "small.yaml:9: ladder[1].day: rung B (D-6) goes back in time after A (D-5); move it up"),
        ("version: 1", "version: 0", "small.yaml:2: version: input should be greater than or equal to 1, not 0"),
        ("version: 1", "version: 1\nname: other", "small.yaml:3: name: stands twice (first on line 1); keep one of them"),
        ("version: 1", "version: 1\nsend_at: 25:00", "small.yaml:3: send_at: '25:00' is not a time of day: write HH:MM"),
        (
            "template: first_reminder",
            "template: first_reminder\n    repeat: {every_days: 5}",
            "small.yaml:12: ladder[1].repeat.at_most (rung B): is missing; add it (a repeat without an end is not allowed)",
        ),
        (
            "template: first_reminder",
            "template: first_reminder\n    repeat: {every_days: 5, at_most: 999}",
            "small.yaml:12: ladder[1].repeat.at_most (rung B): input should be less than or equal to 60, not 999",
        ),
        (
            "template: first_reminder",
            "template: first_reminder\n    repeat: {every_days: 0, at_most: 3}",
            "small.yaml:12: ladder[1].repeat.every_days (rung B): input should be greater than or equal to 1, not 0",
        ),
        ("template: first_reminder", "tone: warm", "small.yaml:8: ladder[1]: rung B has no template; name the message it sends"),
        (
            "channels: [sms, email]\n    template: first_reminder",
            "action: decision",
            "small.yaml:10: ladder[1].action: rung B decides by the agency figures, and there are none; add agency:",
        ),
        (
            "channels: [email]\n    template: pre_due",
            "action: decision",
            "small.yaml:6: ladder[0].action: rung A is a decision but not the last rung; nothing may follow it",
        ),
        (
            "version: 1",
            "version: 1\nlimits: {gap: 4}",
            "small.yaml:3: limits.gap: is not a field here; there are windows, channel_windows",
        ),
        (
            "version: 1",
            "version: 1\nlimits:\n  windows: {mon: ['19:00-09:00']}",
            "small.yaml:4: limits.windows.mon[0]: '19:00-09:00' never opens",
        ),
        (
            "version: 1",
            "version: 1\nlimits:\n  windows: {mon: ['09:00-12:00', '11:00-13:00']}",
            "small.yaml:4: limits.windows.mon: windows overlap",
        ),
        (
            "version: 1",
            "version: 1\nlimits:\n  windows: {mon: []}",
            "small.yaml:4: limits.windows: no window ever opens for rung A on email; give some weekday a window",
        ),
        (
            "version: 1",
            "version: 1\nlimits:\n  channel_windows:\n    email: {mon: [], tue: [], wed: [], thu: [], fri: [], sat: [], sun: []}",
            "small.yaml:3: limits.windows: no window ever opens for rung A on email",
        ),
        (
            "version: 1",
            "version: 1\nlimits:\n  contacts:\n    - {max: 0, days: 1, channels: [email]}",
            "small.yaml:3: limits.windows: no window ever opens for rung A on email",
        ),
        ("version: 1", "version: 1\nlimits: {closed_days: [12-24, 02-30]}", "small.yaml:3: limits.closed_days[1]: 02-30 is no"),
        ("version: 1", "version: 1\nlimits: {closed_days: [easter]}", "small.yaml:3: limits.closed_days[0]: 'easter' is"),
        ("version: 1", "version: &v 1\nlimits: *v", "small.yaml:3: manual: an alias (*name) is not read here"),
        ("  - rung: B", " - rung: B", "small.yaml:8: manual: not valid YAML"),
    ],
)
def test_an_error_names_the_line_the_field_and_what_to_do(old: str, new: str, expected: str) -> None:
    assert old in GOOD
    found = problems(GOOD.replace(old, new, 1))
    assert any(problem.startswith(expected) for problem in found), found


def test_all_errors_are_told_at_once_in_the_order_of_the_file() -> None:
    found = problems(GOOD.replace("version: 1", "versoin: 1").replace("D-5", "5 days").replace("[sms, email]", "[fax]"))
    assert [int(problem.split(":")[1]) for problem in found] == [1, 2, 5, 10]


def test_a_firm_rung_needs_a_firm_day_with_a_window() -> None:
    text = GOOD.replace("version: 1", "version: 1\nlimits:\n  windows: {fri: ['09:00-10:00']}\n  firm_days: [mon]")
    load_manual(text, "small.yaml")
    assert "no window opens on a firm day for rung B" in problems(text + "    firm: true\n")[0]


def test_a_message_that_does_not_exist_is_found_when_the_messages_are_known() -> None:
    load_manual(GOOD, "small.yaml", templates={"pre_due", "first_reminder"})
    found = problems(GOOD, templates={"pre_due"})
    assert found == ["small.yaml:11: ladder[1].template (rung B): there is no message 'first_reminder'; use one of pre_due"]


@pytest.mark.parametrize(
    ("bands", "expected"),
    [
        ([("USD", 100), ("USD", None)], None),
        ([("USD", 100), ("USD", 100), ("USD", None)], "USD bands must grow: 100 comes after 100"),
        ([("USD", None), ("USD", 100)], "this USD band is never reached"),
        ([("USD", 100)], "USD bands stop at 100"),
        ([("USD", 100), ("COP", 5), ("USD", None), ("COP", None)], None),
    ],
)
def test_bands_grow_and_have_an_open_end(bands: list[tuple[str, int | None]], expected: str | None) -> None:
    rest = "extension_days_max: 1, instalments_max: 2, first_share_min_pct: 0, discount_max_pct: 0"
    lines = [f"  - {{currency: {c}, up_to_minor: {'null' if u is None else u}, {rest}}}" for c, u in bands]
    text = GOOD + "\n".join(["bands:", *lines])
    if expected is None:
        load_manual(text, "small.yaml")
    else:
        assert any(expected in problem for problem in problems(text))


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b", "\t: x", "a: [", "!!python/object:os.system x: 1", "? [a]\n: b"])
def test_what_is_no_manual_at_all_is_an_error_and_never_a_crash(text: str) -> None:
    assert problems(text)


@given(st.text(max_size=80))
def test_no_text_can_crash_the_reader(text: str) -> None:
    try:
        load_manual(GOOD + text, "small.yaml")
    except ManualError as error:
        assert all(problem.startswith("small.yaml:") for problem in error.problems)


def test_times_and_dates_of_yaml_1_1_stay_text() -> None:
    text = GOOD.replace("version: 1", "version: 1\nsend_at: 10:30\nlimits: {closed_days: [2026-12-24]}\nx: no")
    assert problems(text) == ["small.yaml:5: x: is not a field here; there are " + ", ".join(Manual.model_fields)]
    manual = load_manual(text.replace("\nx: no", ""), "small.yaml")
    assert (manual.send_at, manual.limits.closed_days) == ("10:30", ("2026-12-24",))


# --- days ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("D", RungDay("due", 0, False)),
        ("D-5", RungDay("due", -5, False)),
        ("D+6wd", RungDay("due", 6, True)),
        ("D-3wd", RungDay("due", -3, True)),
        ("I+2wd", RungDay("issued", 2, True)),
        ("I", RungDay("issued", 0, False)),
    ],
)
def test_a_day_counts_from_the_due_date_or_from_the_issue(text: str, day: RungDay) -> None:
    assert parse_day(text) == day


@pytest.mark.parametrize("text", ["", "5", "D5", "D+", "d+5", "D+5w", "D + 5", "X-1", "D-5\n", "Dwd", "D+1234"])
def test_a_day_that_cannot_be_read_says_how_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match="write D, D-5, D\\+14, D\\+6wd, I\\+2wd"):
        parse_day(text)


@pytest.mark.parametrize(
    ("first", "second", "fine"),
    [("D+5", "D+5", True), ("D+5wd", "D+6", True), ("D+5wd", "D+7", True), ("D+9", "D+3wd", False), ("D+10", "I+2wd", True)],
)
def test_only_a_rung_that_is_surely_earlier_goes_back_in_time(first: str, second: str, fine: bool) -> None:
    text = GOOD.replace("D-5", first).replace("D+3", second)
    if fine:
        load_manual(text, "small.yaml")
    else:
        assert "goes back in time" in problems(text)[0]


# --- id, levels ---------------------------------------------------------------------------------------------------------


def test_the_id_names_the_content_and_not_how_it_was_written() -> None:
    manual = load_manual(GOOD, "small.yaml")
    assert len(manual.id) == 64
    assert load_manual("# a remark\n" + GOOD, "other.yaml").id == manual.id
    assert Manual.model_validate_json(manual.model_dump_json()).id == manual.id
    assert load_manual(GOOD.replace("D+3", "D+4"), "small.yaml").id != manual.id
    assert load_manual(GOOD.replace("[sms, email]", "[email, sms]"), "small.yaml").id != manual.id


def test_the_invoice_wins_over_the_account_and_the_account_over_the_creditor() -> None:
    account = {"send_at": "11:00", "limits": {"gap_hours": 24, "windows": {"sat": []}}}
    found = resolve(load_manual(GOOD, "small.yaml"), account, {"limits": {"gap_hours": 72}})
    assert (found.manual.send_at, found.manual.limits.gap_hours) == ("11:00", 72)
    assert found.manual.limits.windows["sat"] == () and found.manual.limits.windows["mon"] == ("00:00-24:00",)
    assert found.origin["name"] == "creditor"
    assert found.origin["send_at"] == "account"
    assert found.origin["limits"] == "invoice"
    assert found.origin["limits.gap_hours"] == "invoice"
    assert found.origin["limits.windows.sat"] == "account"


def test_a_ladder_is_merged_by_rung() -> None:
    manual = load_manual(GOOD, "small.yaml")
    changed = resolve(manual, {"ladder": [{"rung": "B", "channels": ["letter"]}]})
    assert [(r.rung, [str(c) for c in r.channels]) for r in changed.manual.ladder] == [("A", ["email"]), ("B", ["letter"])]
    assert changed.manual.rung("B").template == "first_reminder"
    assert (changed.origin["ladder"], changed.origin["ladder.B"]) == ("account", "account")
    new = {"rung": "N", "day": "D", "channels": ["email"], "template": "pre_due"}
    assert [r.rung for r in resolve(manual, {"ladder": [new]}).manual.ladder] == ["A", "N", "B"]
    removed = resolve(manual, {"ladder": [new]}, {"ladder": [{"rung": "A", "remove": True}]})
    assert [r.rung for r in removed.manual.ladder] == ["N", "B"]
    assert removed.origin["ladder.A"] == "invoice"


def test_without_patches_the_creditors_manual_stands() -> None:
    manual = builtin_manual("b2c_credit")
    found = resolve(manual)
    assert found.manual.id == manual.id
    assert set(found.origin.values()) == {"creditor"}
    assert resolve(manual.model_dump(mode="json"), {}, {}).manual.id == manual.id


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"limits": {"gap": 3}}, "account level: limits.gap: is not a field here"),
        ({"ladder": [{"rung": "N"}]}, "account level: ladder[2].day: is missing; add it"),
        ({"ladder": [{"rung": "N", "remove": True}]}, "account level: ladder: there is no rung N to remove"),
        ({"ladder": [{"day": "D"}]}, "account level: ladder: each change needs rung:"),
        ({"ladder": [{"rung": "B", "day": "D-9"}]}, "account level: ladder[1].day: rung B (D-9) goes back in time"),
        ({"limits": {"windows": {d: [] for d in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}}}, "no window ever opens"),
    ],
)
def test_a_patch_that_cannot_be_names_its_level(patch: dict[str, Any], expected: str) -> None:
    with pytest.raises(ManualError) as caught:
        resolve(load_manual(GOOD, "small.yaml"), patch)
    assert expected in str(caught.value)


# --- what comes with the product ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILTIN)
def test_each_manual_of_the_product_is_read_and_fits_the_published_schema(name: str) -> None:
    manual = builtin_manual(name)
    assert manual.name == name
    text = files("policies").joinpath("manuals", f"{name}.yaml").read_text(encoding="utf-8")
    jsonschema.validate(yaml.safe_load(text), manual_schema())
    assert text.startswith("# yaml-language-server: $schema=../manual.schema.json\n"), "an editor finds the schema"


def test_every_yaml_file_of_the_product_is_a_manual_with_a_name() -> None:
    there = {file.name.removesuffix(".yaml") for file in files("policies").joinpath("manuals").iterdir() if ".yaml" in file.name}
    assert there == set(BUILTIN)
    with pytest.raises(KeyError, match="there are b2b_corporate"):
        builtin_manual("none")


def test_the_published_schema_is_that_of_the_model() -> None:
    published = json.loads(files("policies").joinpath("manual.schema.json").read_text(encoding="utf-8"))
    # To publish a change: python -m policies.manual > policies/manual.schema.json
    assert published == manual_schema()


@pytest.mark.parametrize("name", [name for name in BUILTIN if name.startswith("b2")])
def test_a_manual_for_real_customers_keeps_the_house_limits_of_the_playbook(name: str) -> None:
    limits = builtin_manual(name).limits
    assert "sun" not in limits.windows and limits.holidays and not limits.firm_eves
    assert set(limits.firm_days) == {"mon", "tue", "wed", "thu"}
    rows = {(cap.days, cap.max) for cap in limits.contacts if cap.per == "person" and cap.channels is None}
    expected = {
        "b2c_subscription": ({(1, 1), (7, 2), (30, 7)}, 48),
        "b2c_credit": ({(1, 1), (7, 3), (30, 8)}, 48),
        "b2b_sme": ({(1, 1), (7, 2), (30, 6)}, 72),
        "b2b_corporate": ({(1, 1), (7, 1), (30, 4)}, 96),
    }
    assert (rows, limits.gap_hours) == expected[name]


@pytest.mark.parametrize("name", [name for name in BUILTIN if name.startswith("b2b")])
def test_businesses_get_no_automatic_call_and_corporate_ones_no_sms(name: str) -> None:
    channels = {str(channel) for rung in builtin_manual(name).ladder for channel in rung.channels}
    assert channels <= {"email", "letter"}


@pytest.mark.parametrize("name", [name for name in BUILTIN if name.startswith("b2")])
def test_sums_are_stated_for_the_same_currencies_everywhere(name: str) -> None:
    manual = builtin_manual(name)
    currencies = {band.currency for band in manual.bands}
    assert currencies == {"USD", "EUR", "BRL", "MXN", "PEN", "ARS", "CLP", "COP"}
    assert all(set(least) == currencies for least in manual.minimums.values())
    assert manual.agency is not None and set(manual.agency.house_cost_minor) == currencies
    assert manual.ladder[-1].action == "decision"
