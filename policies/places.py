"""Countries, their regions and their time zones, from the pinned tzdata package and one small table.

Where a state or region keeps two zones, the one in which most people live is taken; `zone` on the account always wins.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers.timezone import time_zones_for_number

_EAST, _CENTRAL, _MOUNTAIN, _PACIFIC = "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"

# country -> (zone of every region not named here, or "" where each region must be known; zone -> its regions)
_REGIONS: dict[str, tuple[str, dict[str, str]]] = {
    "US": (
        "",
        {
            _EAST: "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC VA VT WV",
            _CENTRAL: "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
            _MOUNTAIN: "CO ID MT NM UT WY",
            "America/Phoenix": "AZ",
            _PACIFIC: "CA NV OR WA",
            "America/Anchorage": "AK",
            "Pacific/Honolulu": "HI",
        },
    ),
    "CA": (
        "",
        {
            "America/Vancouver": "BC",
            "America/Edmonton": "AB NT",
            "America/Regina": "SK",
            "America/Winnipeg": "MB",
            "America/Toronto": "ON QC",
            "America/Moncton": "NB",
            "America/Halifax": "NS PE",
            "America/St_Johns": "NL",
            "America/Whitehorse": "YT",
            "America/Iqaluit": "NU",
        },
    ),
    "MX": (
        "America/Mexico_City",
        {
            "America/Tijuana": "BCN",
            "America/Mazatlan": "BCS SIN NAY",
            "America/Hermosillo": "SON",
            "America/Chihuahua": "CHH",
            "America/Cancun": "ROO",
            "America/Merida": "YUC CAM",
            "America/Monterrey": "NLE COA DUR TAM",
        },
    ),
    "BR": (
        "America/Sao_Paulo",
        {
            "America/Rio_Branco": "AC",
            "America/Manaus": "AM",
            "America/Boa_Vista": "RR",
            "America/Porto_Velho": "RO",
            "America/Cuiaba": "MT",
            "America/Campo_Grande": "MS",
            "America/Belem": "PA AP",
            "America/Fortaleza": "MA PI CE RN PB",
            "America/Recife": "PE",
            "America/Maceio": "AL SE",
            "America/Bahia": "BA",
            "America/Araguaina": "TO",
        },
    ),
    "CL": ("America/Santiago", {"America/Punta_Arenas": "MA", "America/Coyhaique": "AI"}),
    "ES": ("Europe/Madrid", {"Atlantic/Canary": "CN TF GC", "Africa/Ceuta": "CE ML"}),
    "PT": ("Europe/Lisbon", {"Atlantic/Azores": "20", "Atlantic/Madeira": "30"}),
    "EC": ("America/Guayaquil", {"Pacific/Galapagos": "W"}),
    "AU": (
        "",
        {
            "Australia/Sydney": "NSW ACT",
            "Australia/Melbourne": "VIC",
            "Australia/Brisbane": "QLD",
            "Australia/Adelaide": "SA",
            "Australia/Perth": "WA",
            "Australia/Hobart": "TAS",
            "Australia/Darwin": "NT",
        },
    ),
}
_NEARLY_ONE = frozenset(("CL", "EC", "ES", "PT"))
"""Islands apart, at least 95 of 100 people of these countries live in one zone: it holds where no region is given."""
_SPANISH = frozenset("AR BO CL CO CR CU DO EC ES GQ GT HN MX NI PA PE PR PY SV UY VE".split())
_PORTUGUESE = frozenset("AO BR CV GW MZ PT ST TL".split())


class UnknownZone(ValueError):
    """The time zone cannot be told from what was given (`part` is `country` or `region`); the text says what to give."""

    def __init__(self, part: str, text: str) -> None:
        super().__init__(text)
        self.part = part


@cache
def zones_of_countries() -> dict[str, tuple[str, ...]]:
    """ISO 3166-1 alpha-2 code -> its IANA zones, the most populous first, as tzdata's zone.tab lists them."""
    found: dict[str, list[str]] = {}
    for line in files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found.setdefault(country, []).append(zone)
    return {country: tuple(zones) for country, zones in found.items()}


@cache
def known_zones() -> frozenset[str]:
    """Every zone name of the pinned tzdata."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def plain_region(country: str, region: str) -> str:
    """`CO-ANT` and `ant` -> `ANT`: the part of ISO 3166-2 after the country."""
    code = region.strip().upper()
    return code.removeprefix(f"{country}-")


def default_language(country: str) -> str:
    """The language of a country's messages unless the account says another: es, pt or en."""
    return "es" if country in _SPANISH else "pt" if country in _PORTUGUESE else "en"


@cache
def zone_of(country: str, region: str = "") -> str | None:
    """The zone of a place; None when the country keeps several and the region does not settle it.

    Raises UnknownZone for a country that is not in ISO 3166 or a region that is not in the table of its country.
    """
    zones = zones_of_countries().get(country)
    if zones is None:
        raise UnknownZone("country", f"{country!r} is not an ISO 3166 country code such as CO, MX or ES")
    if len(zones) == 1 or _all_agree(zones):
        return zones[0]
    if not region and country in _NEARLY_ONE:
        return _REGIONS[country][0]
    if not region or country not in _REGIONS:
        return None
    rest, table = _REGIONS[country]
    for zone, regions in table.items():
        if region in regions.split():
            return zone
    if not rest:
        known = " ".join(sorted(" ".join(table.values()).split()))
        raise UnknownZone(
            "region", f"{region!r} is not a region of {country} that is known here ({known}): correct it, or give account.zone"
        )
    return rest


def zone_of_phone(country: str, phone_e164: str) -> str | None:
    """The zone a telephone number of that country points to, when it is only one."""
    zones = time_zones_for_number(phonenumbers.parse(phone_e164, None))
    own = [zone for zone in zones if zone in zones_of_countries().get(country, ())]
    return own[0] if len(own) == 1 and len(zones) == 1 else None


def _all_agree(zones: tuple[str, ...]) -> bool:
    """Whether the zones keep the same time in every winter and summer of these years."""
    moments = [datetime(year, month, 15, tzinfo=UTC) for year in range(2020, 2036) for month in (1, 4, 7, 10)]
    return len({tuple(ZoneInfo(zone).utcoffset(m) for m in moments) for zone in zones}) == 1
