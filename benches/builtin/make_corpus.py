"""Makes the labelled texts on which the built-in detectors are measured.

Personal data comes from Faker in many locales, so that the forms are not those that a detector was written for; each
stands in a sentence, a log line, a JSON object or a table. As many texts have none of it, but things that look like it.
Keys of well-known formats are random; they are not committed, as hosts of code refuse files with such keys.

    python benches/builtin/make_corpus.py benches/data
"""

from __future__ import annotations

import base64
import json
import random
import string
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from faker import Faker

SEED = 20_260_401
LOCALES = ["en_US", "en_GB", "en_IN", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "pt_BR", "sv_SE", "cs_CZ"]

# Faker's numbers of JCB begin with digits that JCB does not have, and its British IBANs lack a digit: neither is used.
ISSUERS = ["visa16", "visa13", "visa19", "mastercard", "amex", "discover", "diners", "maestro"]

# A text is a template with one `{}`; a label says where the value came to stand.
Case = tuple[str, str, str | None]


def main(folder: Path) -> None:
    """Writes `pii.jsonl` and `secrets.jsonl`: a text and its labels (kind, start and end in characters) a line."""
    chance = random.Random(SEED)
    for name, cases in (("pii", pii(chance)), ("secrets", secrets(chance))):
        rows = [row(*case) for case in cases]
        chance.shuffle(rows)
        lines = (json.dumps(each, ensure_ascii=False) + "\n" for each in rows)
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def row(template: str, value: str, kind: str | None) -> dict[str, object]:
    """A text with its label, if it has one."""
    start = template.index("{}")
    labels = [[kind, start, start + len(value)]] if kind else []
    return {"text": template.replace("{}", value, 1), "labels": labels}


# ---- personal data

SENTENCES = {
    "email": [
        "Write to {} before Friday.",
        '{"contact": {"email": "{}"}}',
        "From: Alice <{}>",
        "user={} status=200",
        "{}",
        "mailto:{}?subject=hi",
        "My address is {}, thanks",
    ],
    "phone": [
        "Call me at {} tomorrow.",
        '{"phone": "{}"}',
        "Tel. {}",
        "You can reach the office on {}.",
        "Mobile: {}",
        "| Smith | {} | Berlin |",
        "My number is {} if needed",
        "Fax {}",
    ],
    "card": [
        "Please charge {} for the room.",
        '{"card_number": "{}", "cvv": "***"}',
        "Card {} was declined",
        "pan={};amount=20.00",
        "{}",
        "paid with {} on 2026-01-05",
    ],
    "iban": ["Transfer it to {} today.", '{"iban": "{}"}', "IBAN: {}", "account {} (main)", "{}"],
    "ssn": [
        "Her SSN is {}.",
        '{"ssn": "{}"}',
        "Social Security Number: {}",
        "applicant {} approved",
        "ssn={}",
        "Employee {} starts Monday",
    ],
    "ip": [
        "Login from {} failed.",
        '{"client_ip": "{}"}',
        '{} - - [10/Oct/2026:13:55:36] "GET / HTTP/1.1" 200',
        "connect to {} refused",
        "src={} dst=gateway",
        "http://{}/status",
    ],
}


def pii(chance: random.Random) -> Iterator[Case]:
    """300 texts of each kind, and as many with things that look like it."""
    fakers = []
    for locale in LOCALES:
        faker = Faker(locale)
        faker.seed_instance(chance.random())
        fakers.append(faker)
    english = fakers[0]

    def card() -> str:
        digits = english.credit_card_number(chance.choice(ISSUERS))
        separator = chance.choice(["", " ", "-"])
        parts = [4, 6, 5] if len(digits) == 15 else [4] * 5
        groups, rest = [], digits
        for part in parts:
            groups.append(rest[:part])
            rest = rest[part:]
        return separator.join(group for group in groups if group)

    def iban() -> str:
        number = chance.choice(fakers[3:]).iban()
        return " ".join(number[i : i + 4] for i in range(0, len(number), 4)) if chance.random() < 0.4 else number

    def ipv6() -> str:
        number = english.ipv6()
        return number if chance.random() < 0.5 else ":".join(number.split(":")[:2]) + "::" + number.split(":")[-1]

    def address() -> str:
        return chance.choice([chance.choice(fakers).email, chance.choice(fakers).company_email, english.free_email])()

    makers: dict[str, Callable[[], str]] = {
        "email": lambda: address(),
        "phone": lambda: chance.choice(fakers).phone_number(),
        "card": card,
        "iban": iban,
        "ssn": english.ssn,
        "ip": lambda: english.ipv4() if chance.random() < 0.6 else ipv6(),
    }
    for kind, make in makers.items():
        for _ in range(300):
            yield chance.choice(SENTENCES[kind]), make(), kind
    for _ in range(1800):
        yield chance.choice(HARMLESS)(chance, english)


def digits(chance: random.Random, count: int) -> str:
    """Random digits that do not begin with 0."""
    return str(chance.randint(1, 9)) + "".join(chance.choices(string.digits, k=count - 1))


def wrong_card(chance: random.Random, english: Faker) -> Case:
    """A card's number with one digit changed: its checksum is wrong."""
    number = english.credit_card_number()
    at = chance.randrange(len(number))
    return "Reference {} was booked", number[:at] + str((int(number[at]) + 1) % 10) + number[at + 1 :], None


def wrong_iban(chance: random.Random, english: Faker) -> Case:
    """An account number with wrong check digits."""
    number = english.iban()
    return "code {} in the list", number[:2] + f"{(int(number[2:4]) + 1) % 100:02}" + number[4:], None


def number(template: str, count: int) -> Callable[[random.Random, Faker], Case]:
    """So many digits in a template."""
    return lambda chance, _: (template, digits(chance, count), None)


def version(chance: random.Random, _: Faker) -> Case:
    """A version with four parts."""
    parts = ".".join(str(chance.randint(0, 40)) for _ in range(4))
    return (
        chance.choice(["upgraded to version {} today", "build v{} passed", "release {} is out", "firmware {}"]),
        parts,
        None,
    )


HARMLESS: list[Callable[[random.Random, Faker], Case]] = [
    wrong_card,
    wrong_iban,
    version,
    number("order {} has shipped", 10),
    number("invoice no. {} is open", 9),
    number("tracking number {}", 12),
    number('{"created_ms": {}}', 13),
    number('{"id": {}, "name": "chair"}', 16),
    number("in {} rows", 8),
    lambda c, f: ("ISBN {}", f.isbn13(), None),
    lambda c, f: ("at {} the job ended", f.date_time().strftime("%Y-%m-%d %H:%M:%S"), None),
    lambda c, f: ("ran from {}", f.date_time().strftime("%H:%M:%S.%f"), None),
    lambda c, f: ('{"trace": "{}"}', f.uuid4(), None),
    lambda c, f: ("commit {} fixes it", f.sha1(), None),
    lambda c, f: ("nic {} is up", f.mac_address(), None),
    lambda c, f: ("{}", f.paragraph(nb_sentences=6), None),
    lambda c, f: ("see {} for details", f.uri(), None),
    lambda c, f: ("from {} import engine", f"std::{f.word()}::{f.word()}", None),
    lambda c, f: ("git clone git@{}:group/project.git", f.domain_name(), None),
    lambda c, f: ("thanks to @{} for the fix", f.user_name(), None),
    lambda c, f: ("npm install {}", f"@scope/{f.word()}@{c.randint(0, 9)}.{c.randint(0, 9)}.1", None),
    lambda c, f: ("icon{}.png is missing", f"@{c.randint(2, 3)}x", None),
    lambda c, f: ("at {} in the north", f"{f.latitude()}, {f.longitude()}", None),
    lambda c, f: ("between {} units", f"{c.randint(100, 999)}-{c.randint(1000, 9999)}", None),
    lambda c, f: ("part {} in stock", f"{c.randint(10, 99)}-{c.randint(100, 999)}-{c.randint(10000, 99999)}", None),
    lambda c, f: (
        "sum of {} EUR",
        f"{c.randint(1, 999)}.{c.randint(100, 999)}.{c.randint(100, 999)},{c.randint(10, 99)}",
        None,
    ),
]

# ---- secrets

ALNUM = string.ascii_letters + string.digits
WORDY = ALNUM + "_-"
HEX = "0123456789abcdef"
BASE64 = ALNUM + "+/"


def text(alphabet: str, count: int) -> Callable[[random.Random], str]:
    """So many random signs."""
    return lambda chance: "".join(chance.choices(alphabet, k=count))


def prefixed(prefix: str, alphabet: str, count: int) -> Callable[[random.Random], str]:
    """A prefix and so many random signs."""
    return lambda chance: prefix + "".join(chance.choices(alphabet, k=count))


def jwt(chance: random.Random) -> str:
    """A token with a header, claims and a signature."""
    parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": digits(chance, 8), "iat": int(digits(chance, 10))}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "".join(chance.choices(WORDY, k=43))])


def private_key(chance: random.Random) -> str:
    """A block of a private key."""
    kind = chance.choice(["RSA ", "EC ", "OPENSSH ", ""])
    lines = ["".join(chance.choices(BASE64, k=64)) for _ in range(chance.randint(3, 12))]
    return "\n".join([f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY-----"])


def password(chance: random.Random) -> str:
    """What a password manager makes."""
    return "".join(chance.choices(ALNUM, k=6)) + chance.choice("!#%*+-") + "".join(chance.choices(ALNUM, k=6)) + "7k"


FORMATS: dict[str, list[Callable[[random.Random], str]]] = {
    "aws_access_key": [
        prefixed("AKIA", string.ascii_uppercase + "234567", 16),
        prefixed("ASIA", string.ascii_uppercase + "234567", 16),
    ],
    "github_token": [
        prefixed("ghp_", ALNUM, 36),
        prefixed("gho_", ALNUM, 36),
        prefixed("ghs_", ALNUM, 36),
        lambda c: "github_pat_" + text(ALNUM, 22)(c) + "_" + text(ALNUM, 59)(c),
    ],
    "gitlab_token": [prefixed("glpat-", WORDY[:-1], 20), prefixed("glrt-", WORDY[:-1], 20)],
    "slack_token": [
        lambda c: f"xoxb-{digits(c, 12)}-{digits(c, 12)}-{text(ALNUM, 24)(c)}",
        lambda c: f"xoxp-{digits(c, 12)}-{digits(c, 12)}-{digits(c, 12)}-{text(HEX, 32)(c)}",
    ],
    "google_api_key": [prefixed("AIza", ALNUM, 35)],
    "stripe_key": [prefixed("sk_live_", ALNUM, 24), prefixed("rk_live_", ALNUM, 24), prefixed("sk_test_", ALNUM, 99)],
    "jwt": [jwt],
    "private_key": [private_key],
    "npm_token": [prefixed("npm_", ALNUM, 36)],
    "pypi_token": [prefixed("pypi-AgEIcHlwaS5vcmc", ALNUM, 150)],
    "llm_key": [prefixed("sk-proj-", ALNUM, 96), prefixed("sk-", ALNUM, 48), prefixed("sk-ant-api03-", ALNUM, 93)],
    "sendgrid_key": [lambda c: f"SG.{text(ALNUM, 22)(c)}.{text(ALNUM, 43)(c)}"],
}
PLACES = [
    "{}",
    "key: {}",
    "export TOKEN={}",
    '{"value": "{}"}',
    "curl -H 'X-Key: {}' https://api.example.com",
    "It is {}, do not share it.",
    'let k = "{}";',
]
ASSIGNED: dict[str, tuple[Callable[[random.Random], str], list[str]]] = {
    "aws_secret_key": (
        text(BASE64, 40),
        ["aws_secret_access_key = {}", 'AWS_SECRET_ACCESS_KEY="{}"', '{"aws_secret_access_key": "{}"}'],
    ),
    "api_key": (
        text(ALNUM, 32),
        [
            "api_key = '{}'",
            "API_KEY={}",
            '{"apiKey": "{}"}',
            "client_secret: {}",
            "auth_token => '{}'",
            "export SERVICE_TOKEN={}",
        ],
    ),
    "password": (
        password,
        ["password = '{}'", "DB_PASSWORD={}", '{"password": "{}"}', "passwd: {}", "The password is {}"],
    ),
    "password_in_url": (
        text(ALNUM, 14),
        ["postgres://app:{}@db.internal:5432/app", "redis://:{}@cache:6379/0", "amqp://user:{}@broker/"],
    ),
    "bearer_token": (text(ALNUM, 40), ["Authorization: Bearer {}", '{"Authorization": "Bearer {}"}']),
}


def secrets(chance: random.Random) -> Iterator[Case]:
    """100 texts of each kind, and as many with things that look like a secret."""
    english = Faker("en_US")
    english.seed_instance(SEED)
    for kind, makers in FORMATS.items():
        for _ in range(100):
            yield chance.choice(PLACES), chance.choice(makers)(chance), kind
    for kind, (make, places) in ASSIGNED.items():
        for _ in range(100):
            yield chance.choice(places), make(chance), kind
    for _ in range(1700):
        yield chance.choice(NO_SECRET)(chance, english)


NO_SECRET: list[Callable[[random.Random, Faker], Case]] = [
    lambda c, f: ("commit {}", f.sha1(), None),
    lambda c, f: ("sha256:{}", f.sha256(), None),
    lambda c, f: ('"integrity": "sha512-{}"', base64.b64encode(c.randbytes(64)).decode(), None),
    lambda c, f: ('{"id": "{}"}', f.uuid4(), None),
    lambda c, f: ("data:image/png;base64,{}", base64.b64encode(c.randbytes(120)).decode(), None),
    lambda c, f: (
        "password = {}",
        c.choice(
            [
                "os.environ['DB_PASSWORD']",
                "${DB_PASSWORD}",
                "<your-password>",
                "changeme",
                "getpass()",
                "None",
                "********",
                "{{ db_password }}",
            ]
        ),
        None,
    ),
    lambda c, f: (
        "api_key: {}",
        c.choice(
            [
                "YOUR_API_KEY_HERE",
                "process.env.API_KEY",
                "xxxxxxxxxxxxxxxxxxxxxxxx",
                "example-api-key-1234",
                "[REDACTED]",
                "settings.api_key",
            ]
        ),
        None,
    ),
    lambda c, f: ("max_tokens: {}", digits(c, 4), None),
    lambda c, f: ("token_type = {}", "urn:ietf:params:oauth:token-type:jwt", None),
    lambda c, f: ("the secret to {} is patience and practice", f.word(), None),
    lambda c, f: ("reset your password at {}", f.uri(), None),
    lambda c, f: ("password policy: {}", "minimum-length-12", None),
    lambda c, f: ("pk_live_{}", "".join(c.choices(ALNUM, k=24)), None),
    lambda c, f: ("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", "".join(c.choices(BASE64, k=64)), None),
    lambda c, f: ("ssh-rsa {} alice@laptop", "AAAAB3NzaC1yc2E" + "".join(c.choices(BASE64, k=160)), None),
    lambda c, f: ("{}", f.paragraph(nb_sentences=6), None),
    lambda c, f: ("GET {} HTTP/1.1", f.uri_path(6) + "?page=" + digits(c, 3), None),
    lambda c, f: ("desk-{} is free", "".join(c.choices(string.ascii_lowercase, k=30)), None),
    lambda c, f: ("class {}:", "".join(f.word().capitalize() for _ in range(5)) + "Factory", None),
    lambda c, f: ("https://example.com/{}", "-".join(f.words(7)), None),
    lambda c, f: ('ETag: "{}"', f.md5(), None),
    lambda c, f: ("trace_id={}", f.md5(), None),
]

if __name__ == "__main__":
    main(Path(sys.argv[1]))
