"""E-mail addresses, telephone numbers and references: made canonical, or refused, without ever being repeated in an error."""

from __future__ import annotations

import re

import phonenumbers

from policies.terms import Channel, DebtorKind

_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])"
)
_LOOKS_LIKE_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_HOW_TO_DIAL = "write it with its country, like +57 ..., or as dialled in"
_PHONE_CHANNELS = frozenset({Channel.SMS, Channel.WHATSAPP, Channel.VOICE})


class BadAddress(ValueError):
    """Not an address of that channel; the text says what is expected and never what was given."""


def clean_address(channel: Channel, value: str, country: str) -> str:
    """The canonical form: lower-case e-mail domain, E.164 number, a letter's lines without stray blanks; raises BadAddress."""
    if channel is Channel.EMAIL:
        return clean_email(value)
    if channel in _PHONE_CHANNELS:
        return clean_phone(value, country)
    lines = [" ".join(line.split()) for line in value.splitlines()]
    text = "\n".join(line for line in lines if line)
    if len(text) < 8:
        raise BadAddress("a postal address needs its street and its town, one line each")
    return text


def clean_email(value: str) -> str:
    """Local part as given, domain in lower case and ASCII; raises BadAddress. No network is asked."""
    local, at, domain = value.strip().rpartition("@")
    host = domain.lower()
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            host = ""
    address = f"{local}@{host}"
    if not at or len(local) > 64 or len(address) > 254 or not _EMAIL.fullmatch(address):
        raise BadAddress("this is not an e-mail address: write it like name@company.example, one address and nothing else")
    return address


def clean_phone(value: str, country: str) -> str:
    """E.164, with the country's prefix added where the number has none; raises BadAddress."""
    try:
        number = phonenumbers.parse(value, country)
    except phonenumbers.NumberParseException:
        raise BadAddress(f"this is not a telephone number: {_HOW_TO_DIAL} {country}") from None
    if number.extension or not phonenumbers.is_valid_number(number):
        raise BadAddress(f"no such telephone number is in use: {_HOW_TO_DIAL} {country}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def is_personal_ref(ref: str, kind: DebtorKind, country: str) -> bool:
    """Whether an account reference is an e-mail address, a telephone number or a tax id, and must not travel as an id (design 4).

    Errs on the side of yes: a reference taken for personal only becomes opaque. A consumer's plain number of 6 to 11 digits is
    taken for an identity card, because those of Colombia, Peru and Argentina carry no check digit.
    """
    if "@" in ref:
        return _LOOKS_LIKE_EMAIL.search(ref) is not None
    digits = re.sub(r"[\s.\-/]", "", ref).upper()
    if ref.startswith("+") or ref.startswith("("):
        return sum(c.isdigit() for c in digits) >= 8
    if kind is DebtorKind.CONSUMER and digits.isdigit() and 6 <= len(digits) <= 11:
        return True
    return _is_mobile(ref, country) or _is_tax_id(digits, country)


def _is_mobile(ref: str, country: str) -> bool:
    if not re.fullmatch(r"[\d\s().\-]{9,18}", ref) or ref.startswith("0"):
        return False
    try:
        number = phonenumbers.parse(ref, country)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(number)


def _is_tax_id(text: str, country: str) -> bool:
    match country:
        case "BR":
            return text.isdigit() and (_cpf(text) or _cnpj(text))
        case "CL":
            return re.fullmatch(r"\d{7,8}[\dK]", text) is not None and _mod11(text[:-1], (2, 3, 4, 5, 6, 7), "0K") == text[-1]
        case "MX":
            return re.fullmatch(r"[A-ZÑ&]{3,4}\d{6}[A-Z0-9]{3}", text) is not None
        case "ES":
            return re.fullmatch(r"(\d{8}[A-Z]|[XYZ]\d{7}[A-Z]|[ABCDEFGHJNPQRSUVW]\d{7}[0-9A-J])", text) is not None
        case "CO":
            weights = (3, 7, 13, 17, 19, 23, 29, 37, 41)
            return re.fullmatch(r"[89]\d{8}\d?", text) is not None and (
                len(text) == 9 or str(_nit_digit(text[:9], weights)) == text[9]
            )
        case "PE":
            return re.fullmatch(r"(10|15|16|17|20)\d{9}", text) is not None and _mod11_weights(text, "5432765432")
        case "AR":
            return re.fullmatch(r"(20|23|24|25|26|27|30|33|34)\d{9}", text) is not None and _mod11_weights(text, "5432765432")
    return False


def _cpf(text: str) -> bool:
    if len(text) != 11 or len(set(text)) == 1:
        return False
    return all(text[n] == str(sum(int(text[i]) * (n + 1 - i) for i in range(n)) * 10 % 11 % 10) for n in (9, 10))


def _cnpj(text: str) -> bool:
    if len(text) != 14 or len(set(text)) == 1:
        return False
    weights = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]
    for n in (12, 13):
        rest = sum(int(d) * w for d, w in zip(text[:n], weights[13 - n :], strict=True)) % 11
        if text[n] != str(0 if rest < 2 else 11 - rest):
            return False
    return True


def _mod11(body: str, weights: tuple[int, ...], names: str) -> str:
    rest = 11 - sum(int(d) * weights[i % len(weights)] for i, d in enumerate(reversed(body))) % 11
    return names[0] if rest == 11 else names[1] if rest == 10 else str(rest)


def _mod11_weights(text: str, weights: str) -> bool:
    rest = 11 - sum(int(d) * int(w) for d, w in zip(text[:10], weights, strict=True)) % 11
    return int(text[10]) == rest % 11 % 10


def _nit_digit(body: str, weights: tuple[int, ...]) -> int:
    rest = sum(int(d) * w for d, w in zip(reversed(body), weights, strict=True)) % 11
    return rest if rest < 2 else 11 - rest
