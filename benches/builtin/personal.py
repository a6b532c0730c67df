"""Personal data from Faker in many locales, and harmless things that look like it."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable, Iterator

from faker import Faker

from carriers import PERSONAL, Case, Split

LOCALES = ["en_US", "en_GB", "en_IN", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "pt_BR", "sv_SE", "cs_CZ"]
ISSUERS = ["visa16", "visa13", "visa19", "mastercard", "amex", "discover", "diners", "maestro", "jcb16"]
# Faker 37 also makes what nobody has: JCB's cards begin with 3528 to 3589, its with 3500 to 3599; some of its Maestro
# cards begin with 0; and its locale en_IN makes British account numbers of 21 signs, where Britain's have 22.
NOBODYS = ("0", *map(str, range(3500, 3528)), *map(str, range(3590, 3600)))

Maker = Callable[[], str]
Harmless = Callable[[random.Random, Faker], tuple[str, str]]


def texts(chance: random.Random, split: Split, each: int) -> Iterator[Case]:
    """So many texts of each kind, and as many with things that look like it."""
    make = makers(chance)
    for kind, maker in make.items():
        for _ in range(each):
            yield Case(chance.choice(PERSONAL[kind].of(split)), maker(), kind)
    english = seeded("en_US", chance)
    harmless = BOTH + (DEVELOPMENT if split is Split.DEVELOPMENT else HELD_OUT)
    for _ in range(each * len(make)):
        yield Case(*chance.choice(harmless)(chance, english), None)


def disguised(chance: random.Random, split: Split, each: int) -> Iterator[Case]:
    """The same data written so that people read it and machines may not; the kind tells the disguise."""
    make = makers(chance)
    for name, disguise in DISGUISES.items():
        for kind in ("email", "card", "iban", "phone"):
            for text in [make[kind]() for _ in range(each)]:
                value = disguise(chance, text)
                if value != text:
                    yield Case(chance.choice(PERSONAL[kind].of(split)), value, name)


def seeded(locale: str, chance: random.Random) -> Faker:
    """A Faker whose texts depend on `chance` alone."""
    faker = Faker(locale)
    faker.seed_instance(chance.random())
    return faker


def makers(chance: random.Random) -> dict[str, Maker]:
    """What makes each kind."""
    fakers = [seeded(locale, chance) for locale in LOCALES]
    english = fakers[0]

    def email() -> str:
        faker = chance.choice(fakers)
        address: str = chance.choice([faker.email, faker.company_email, english.free_email])()
        return address

    def card() -> str:
        number = "0"
        while number.startswith(NOBODYS):
            number = english.credit_card_number(chance.choice(ISSUERS))
        parts = [4, 6, 5] if len(number) == 15 else [4, 6, 4] if len(number) == 14 else [4] * 5
        return grouped(number, parts, chance.choice(["", "", " ", "-"]))

    def iban() -> str:
        number = "GB"
        while number.startswith("GB") and len(number) != 22:
            number = chance.choice(fakers).iban()
        return grouped(number, [4] * 9, chance.choice(["", "", " "]))

    def ip() -> str:
        if chance.random() < 0.6:
            address: str = english.ipv4()
            return address
        number: str = english.ipv6()
        return number if chance.random() < 0.5 else ":".join(number.split(":")[:2]) + "::" + number.split(":")[-1]

    return {
        "email": email,
        "phone": lambda: chance.choice(fakers).phone_number(),
        "card": card,
        "iban": iban,
        "ssn": english.ssn,
        "ip": ip,
    }


def grouped(text: str, parts: list[int], separator: str) -> str:
    """A text in groups of so many signs."""
    groups, rest = [], text
    for part in parts:
        groups.append(rest[:part])
        rest = rest[part:]
    return separator.join(group for group in groups if group)


def full_width(_: random.Random, text: str) -> str:
    """Digits and `@` in the width of East Asian signs."""
    return "".join(chr(ord(sign) + 0xFEE0) if sign in string.digits + "@" else sign for sign in text)


def without_width(chance: random.Random, text: str) -> str:
    """A sign without width in the middle."""
    at = chance.randrange(1, len(text))
    return text[:at] + chance.choice("\u200b\u200d\u2060\ufeff\u00ad") + text[at:]


def typeset(chance: random.Random, text: str) -> str:
    """Spaces that do not break, and dashes of typesetters."""
    return text.replace(" ", chance.choice("\u00a0\u202f\u2009")).replace("-", chance.choice("\u2010\u2011\u2013"))


def homoglyph(_: random.Random, text: str) -> str:
    """Cyrillic letters that look like Latin ones."""
    return text.translate(str.maketrans("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ"))


def broken(chance: random.Random, text: str) -> str:
    """A line break in the middle."""
    at = chance.randrange(3, len(text) - 3)
    return text[:at] + "\n" + text[at:]


DISGUISES: dict[str, Callable[[random.Random, str], str]] = {
    "full-width digits and @": full_width,
    "a sign without width inside": without_width,
    "no-break spaces and typeset dashes": typeset,
    "Cyrillic letters for Latin ones": homoglyph,
    "a line break inside": broken,
    "percent-encoded": lambda _, text: "".join(f"%{ord(sign):02X}" if ord(sign) < 128 else sign for sign in text),
    "Base64": lambda _, text: base64.b64encode(text.encode()).decode(),
    "at and dot in words": lambda _, text: text.replace("@", " at ").replace(".", " dot ") if "@" in text else text,
}


# ---- harmless


def digits(chance: random.Random, count: int) -> str:
    """Random digits that do not begin with 0."""
    return str(chance.randint(1, 9)) + "".join(chance.choices(string.digits, k=count - 1))


def number(carrier: str, count: int) -> Harmless:
    """So many digits in a carrier."""
    return lambda chance, _: (carrier, digits(chance, count))


def with_luhn(chance: random.Random, start: str, count: int) -> str:
    """A number with a right check digit: an IMEI has one as a card does."""
    body = start + "".join(chance.choices(string.digits, k=count - 1 - len(start)))
    for check in string.digits:
        doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(body + check))]
        if sum(d - 9 * (d > 9) for d in doubled) % 10 == 0:
            return body + check
    raise AssertionError


def wrong_card(_: random.Random, english: Faker) -> tuple[str, str]:
    """A card's number whose last digit is another."""
    number = english.credit_card_number()
    return "Reference {} was booked", number[:-1] + str((int(number[-1]) + 1) % 10)


def wrong_iban(_: random.Random, english: Faker) -> tuple[str, str]:
    """An account number with wrong check digits."""
    number = english.iban()
    return "code {} in the list", number[:2] + f"{(int(number[2:4]) + 1) % 97 + 2:02}" + number[4:]


def version(chance: random.Random, _: Faker) -> tuple[str, str]:
    """A version with four parts."""
    carrier = chance.choice(["upgraded to version {} today", "build v{} passed", "release {} is out", "firmware {}"])
    return carrier, ".".join(str(chance.randint(0, 40)) for _ in range(4))


BOTH: list[Harmless] = [
    wrong_card,
    wrong_iban,
    number('{"created_ms": {}}', 13),
    number('{"id": {}, "name": "chair"}', 16),
    lambda c, f: ("ISBN {}", f.isbn13()),
    lambda c, f: ('{"trace": "{}"}', f.uuid4()),
    lambda c, f: ("{}", f.paragraph(nb_sentences=6)),
]
DEVELOPMENT: list[Harmless] = [
    version,
    number("order {} has shipped", 10),
    number("invoice no. {} is open", 9),
    number("tracking number {}", 12),
    number("in {} rows", 8),
    lambda c, f: ("at {} the job ended", f.date_time().strftime("%Y-%m-%d %H:%M:%S")),
    lambda c, f: ("ran from {}", f.date_time().strftime("%H:%M:%S.%f")),
    lambda c, f: ("commit {} fixes it", f.sha1()),
    lambda c, f: ("nic {} is up", f.mac_address()),
    lambda c, f: ("see {} for details", f.uri()),
    lambda c, f: ("from {} import engine", f"std::{f.word()}::{f.word()}"),
    lambda c, f: ("git clone git@{}:group/project.git", f.domain_name()),
    lambda c, f: ("thanks to @{} for the fix", f.user_name()),
    lambda c, f: ("npm install {}", f"@scope/{f.word()}@{c.randint(0, 9)}.{c.randint(0, 9)}.1"),
    lambda c, f: ("icon{}.png is missing", f"@{c.randint(2, 3)}x"),
    lambda c, f: ("at {} in the north", f"{f.latitude()}, {f.longitude()}"),
    lambda c, f: ("between {} units", f"{c.randint(100, 999)}-{c.randint(1000, 9999)}"),
    lambda c, f: ("part {} in stock", f"{c.randint(10, 99)}-{c.randint(100, 999)}-{c.randint(10000, 99999)}"),
    lambda c, f: (
        "sum of {} EUR",
        f"{c.randint(1, 999)}.{c.randint(100, 999)}.{c.randint(100, 999)},{c.randint(10, 99)}",
    ),
]
HELD_OUT: list[Harmless] = [
    number("Your order {} is on its way, «name»!", 12),
    number("case #{} was closed on «date»", 8),
    number("«date» «time» INFO txn={} ok", 18),
    number('{"epoch_us": {}, "level": "info"}', 16),
    number("parcel {} left the depot", 14),
    number("EAN {}", 13),
    lambda c, f: ("IMEI {}", with_luhn(c, "35", 15)),
    lambda c, f: ("device {} is online", f.mac_address().upper().replace(":", "-")),
    lambda c, f: ("image: registry.example/app@sha256:{}", f.sha256()),
    lambda c, f: ("data:image/png;base64,{}", base64.b64encode(c.randbytes(150)).decode()),
    lambda c, f: ("pip install {}", f"{f.word()}=={c.randint(1, 99)}.{c.randint(0, 99)}.{c.randint(0, 99)}.post1"),
    lambda c, f: ("Chromium {} on Linux", f"{c.randint(90, 140)}.0.{c.randint(1000, 7000)}.{c.randint(10, 200)}"),
    lambda c, f: ("OID {}", "1.3.6.1.4.1." + ".".join(str(c.randint(1, 9999)) for _ in range(3))),
    lambda c, f: ("doi:10.{}", f"{c.randint(1000, 9999)}/{digits(c, 7)}.{digits(c, 7)}"),
    lambda c, f: ("table «word»: {}", "  ".join(digits(c, c.randint(3, 6)) for _ in range(8))),
    lambda c, f: ("[{}]", ", ".join(str(round(c.uniform(-1, 1), 8)) for _ in range(12))),
    lambda c, f: ("@decorator{}\ndef «word»(): pass", f".{f.word()}.{f.word()}"),
    lambda c, f: ("import {} from 'lib'", f"@{f.word()}/{f.word()}.js"),
    lambda c, f: ("style.css: .a{}", f":hover::{f.word()} (color: #{f.sha1()[:6]})"),
    lambda c, f: ("score {} after extra time", f"{c.randint(0, 9)}-{c.randint(0, 9)}"),
    lambda c, f: ("«name», born «date», room {}", f"{c.randint(1, 9)}-{c.randint(100, 999)}"),
    lambda c, f: ("budget {} USD for «word»", f"{c.randint(1, 99)},{c.randint(100, 999)},{c.randint(100, 999)}.00"),
    lambda c, f: (
        "ratio 16:9, at {}",
        f"{c.randint(0, 23)}:{c.randint(10, 59)}:{c.randint(10, 59)}:{c.randint(10, 29)}",
    ),
    lambda c, f: ("session {} expired", f.uuid4().replace("-", "")),
]
