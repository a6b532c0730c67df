"""Secrets in the formats of their issuers, values that only a name makes a secret, and harmless things like them."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable, Iterator

from faker import Faker

from carriers import KEYS, NAMED, Case, Split
from personal import digits, seeded

ALNUM = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
WORDY = ALNUM + "_-"
HEX = "0123456789abcdef"
BASE64 = ALNUM + "+/"

Maker = Callable[[random.Random], str]


def texts(chance: random.Random, split: Split, each: int) -> Iterator[Case]:
    """So many texts of each kind, and as many with things that look like a secret."""
    english = seeded("en_US", chance)
    for kind, makers in FORMATS.items():
        for _ in range(each):
            yield Case(chance.choice(KEYS.of(split)), chance.choice(makers)(chance), kind)
    for kind, maker in VALUES.items():
        for _ in range(each):
            yield Case(chance.choice(NAMED[kind].of(split)), maker(chance), kind)
    harmless = BOTH + (DEVELOPMENT if split is Split.DEVELOPMENT else HELD_OUT)
    for _ in range(each * (len(FORMATS) + len(VALUES))):
        yield Case(*chance.choice(harmless)(chance, english), None)


def some(alphabet: str, count: int, prefix: str = "") -> Maker:
    """A prefix and so many random signs."""
    return lambda chance: prefix + "".join(chance.choices(alphabet, k=count))


def jwt(chance: random.Random) -> str:
    """A token with a header, claims and a signature."""
    parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": digits(chance, 8), "iat": int(digits(chance, 10))}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "".join(chance.choices(WORDY, k=42)) + chance.choice(ALNUM)])


def private_key(chance: random.Random) -> str:
    """A block of a private key."""
    kind = chance.choice(["RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", ""])
    lines = ["".join(chance.choices(BASE64, k=64)) for _ in range(chance.randint(3, 12))]
    return "\n".join([f"-----BEGIN {kind}PRIVATE KEY-----", *lines, f"-----END {kind}PRIVATE KEY-----"])


def password(chance: random.Random) -> str:
    """What password managers make, and what people make of words."""
    if chance.random() < 0.5:
        length = chance.randint(10, 24)
        return "".join(chance.choices(ALNUM, k=length - 3)) + chance.choice("!#%*+-_") + chance.choice(ALNUM) + "7"
    word = chance.choice(
        ["sunshine", "Welcome", "dragon", "Winter", "manchester", "s3cret", "Tr0ub4dor", "correcthorse"]
    )
    return (
        word + chance.choice(["", "!", "_", "#", "-"]) + str(chance.randint(10, 2030)) + chance.choice(["", "!", "x"])
    )


# Issuers' formats as they document them; none is taken from the detector.
FORMATS: dict[str, list[Maker]] = {
    "aws_access_key": [some(string.ascii_uppercase + "234567", 16, prefix) for prefix in ("AKIA", "ASIA")],
    "github_token": [
        *(some(ALNUM, 36, prefix) for prefix in ("ghp_", "gho_", "ghs_")),
        lambda c: "github_pat_" + some(ALNUM, 22)(c) + "_" + some(ALNUM, 59)(c),
    ],
    "gitlab_token": [lambda c: c.choice(["glpat-", "glrt-"]) + some(WORDY, 19)(c) + c.choice(ALNUM)],
    "slack_token": [
        lambda c: f"xoxb-{digits(c, 12)}-{digits(c, 12)}-{some(ALNUM, 24)(c)}",
        lambda c: f"xoxp-{digits(c, 12)}-{digits(c, 12)}-{digits(c, 12)}-{some(HEX, 32)(c)}",
        lambda c: f"xapp-1-A{some(UPPER, 10)(c)}-{digits(c, 13)}-{some(HEX, 64)(c)}",
    ],
    "google_api_key": [lambda c: "AIzaSy" + some(WORDY, 32)(c) + c.choice(ALNUM)],
    "stripe_key": [some(ALNUM, 24, "sk_live_"), some(ALNUM, 24, "rk_live_"), some(ALNUM, 99, "sk_test_")],
    "jwt": [jwt],
    "private_key": [private_key],
    "npm_token": [some(ALNUM, 36, "npm_")],
    "pypi_token": [some(ALNUM, 150, "pypi-AgEIcHlwaS5vcmc")],
    "llm_key": [
        some(ALNUM, 96, "sk-proj-"),
        some(ALNUM, 48, "sk-"),
        some(ALNUM, 93, "sk-ant-api03-"),
        some(HEX, 64, "sk-or-v1-"),
        some(ALNUM, 52, "gsk_"),
        some(string.ascii_letters, 34, "hf_"),
    ],
    "mail_key": [
        lambda c: f"SG.{some(ALNUM, 22)(c)}.{some(ALNUM, 43)(c)}",
        lambda c: f"xkeysib-{some(HEX, 64)(c)}-{some(ALNUM, 16)(c)}",
        some(HEX, 32, "key-"),
        lambda c: f"{some(HEX, 32)(c)}-us{c.randint(1, 21)}",
    ],
    "cloud_token": [
        some(HEX, 64, "dop_v1_"),
        some(HEX, 32, "dapi"),
        some(ALNUM, 95, "hvs."),
        lambda c: f"hooks.slack.com/services/T{some(UPPER, 8)(c)}/B{some(UPPER, 10)(c)}/{some(ALNUM, 24)(c)}",
        lambda c: f"{some(ALNUM, 14)(c)}.atlasv1.{some(ALNUM, 67)(c)}",
        lambda c: f"{digits(c, 10)}:AA{some(WORDY, 32)(c)}{c.choice(ALNUM)}",
        lambda c: f"{some(ALNUM, 3)(c)}8Q~{some(ALNUM, 34)(c)}",
    ],
}
VALUES: dict[str, Maker] = {
    "aws_secret_key": some(BASE64, 40),
    "api_key": lambda c: c.choice([some(ALNUM, 32), some(HEX, 40), some(WORDY, 27, "a")])(c) + "7",
    "password": password,
    "password_in_url": lambda c: some(ALNUM, c.randint(8, 20))(c) + c.choice(["", "!", "%21"]),
    "bearer_token": lambda c: some(ALNUM, c.randint(24, 60))(c) + "4",
}


KINDS = {*FORMATS, *VALUES}

Harmless = Callable[[random.Random, Faker], tuple[str, str]]


def one_of(carrier: str, *values: str) -> Harmless:
    """One of the values in a carrier."""
    return lambda chance, _: (carrier, chance.choice(values))


BOTH: list[Harmless] = [
    lambda c, f: ("commit {}", f.sha1()),
    lambda c, f: ('{"id": "{}"}', f.uuid4()),
    lambda c, f: ("{}", f.paragraph(nb_sentences=6)),
    lambda c, f: ("pk_live_{}", some(ALNUM, 24)(c)),
    one_of("aws_access_key_id = {}", "AKIAIOSFODNN7EXAMPLE"),
]
DEVELOPMENT: list[Harmless] = [
    lambda c, f: ("sha256:{}", f.sha256()),
    lambda c, f: ('"integrity": "sha512-{}"', base64.b64encode(c.randbytes(64)).decode()),
    lambda c, f: ("data:image/png;base64,{}", base64.b64encode(c.randbytes(120)).decode()),
    one_of(
        "password = {}",
        "os.environ['DB_PASSWORD']",
        "${DB_PASSWORD}",
        "<your-password>",
        "changeme",
        "getpass()",
        "None",
        "********",
        "{{ db_password }}",
    ),
    one_of(
        "api_key: {}",
        "YOUR_API_KEY_HERE",
        "process.env.API_KEY",
        "xxxxxxxxxxxxxxxxxxxxxxxx",
        "example-api-key-1234",
        "[REDACTED]",
        "settings.api_key",
    ),
    lambda c, f: ("max_tokens: {}", digits(c, 4)),
    one_of("token_type = {}", "urn:ietf:params:oauth:token-type:jwt"),
    lambda c, f: ("the secret to {} is patience and practice", f.word()),
    lambda c, f: ("reset your password at {}", f.uri()),
    one_of("password policy: {}", "minimum-length-12"),
    lambda c, f: ("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", some(BASE64, 64)(c)),
    lambda c, f: ("ssh-rsa {} alice@laptop", "AAAAB3NzaC1yc2E" + some(BASE64, 160)(c)),
    lambda c, f: ("GET {} HTTP/1.1", f.uri_path(6) + "?page=" + digits(c, 3)),
    lambda c, f: ("desk-{} is free", some(string.ascii_lowercase, 30)(c)),
    lambda c, f: ("class {}:", "".join(f.word().capitalize() for _ in range(5)) + "Factory"),
    lambda c, f: ("https://example.com/{}", "-".join(f.words(7))),
    lambda c, f: ('ETag: "{}"', f.md5()),
    lambda c, f: ("trace_id={}", f.md5()),
]
HELD_OUT: list[Harmless] = [
    lambda c, f: ('"resolved": "https://registry.example/«word»/-/«word»-1.2.3.tgz#{}"', f.sha1()),
    lambda c, f: ("--hash=sha256:{}", f.sha256()),
    lambda c, f: ('checksum = "{}"', f.sha256()),
    lambda c, f: ("ssh-ed25519 {} «name»@laptop", "AAAAC3NzaC1lZDI1NTE5AAAAI" + some(BASE64, 43)(c)),
    lambda c, f: ("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----", some(BASE64, 64)(c)),
    lambda c, f: ('<img src="data:image/gif;base64,{}">', base64.b64encode(c.randbytes(90)).decode()),
    one_of(
        "DB_PASSWORD={}", "$POSTGRES_PASSWORD", "$(cat /run/secrets/db)", "/run/secrets/db_password", "CHANGE_ME_123"
    ),
    one_of(
        "secret: {}",
        "vault:secret/data/app#key",
        "!Ref AppSecret1",
        "ssm:/prod/app/secret1",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-x1y2z3",
        "<paste-your-secret-1-here>",
    ),
    one_of(
        "token = {}", "get_token(user_1)", "tokens[index_12]", "request.headers['x-token-2']", "self._token_cache_v2"
    ),
    one_of("const password = {};", "form.password1", "useState('')", "await hash(input2)", "props.value"),
    one_of('{"password": "{}"}', "Password must be 8 characters", "Passwort vergessen?", "string", "********"),
    one_of('{"token_endpoint": "{}"}', "https://login.example.com/oauth2/v2.0/token"),
    lambda c, f: ("password_hash: {}", f"$2b$12${some(ALNUM, 53)(c)}"),
    lambda c, f: ("total_tokens: {}", digits(c, 5)),
    lambda c, f: ("secret santa: {} gets «name»", f.first_name()),
    lambda c, f: ("next_page_token_id={}", f.uuid4()),
    lambda c, f: ("«word»/{}.js", f"chunk-{f.md5()[:16]}.min"),
    lambda c, f: ("arn:aws:iam::{}:role/«word»-deploy", digits(c, 12)),
    lambda c, f: ("kubectl get pod {}", f"{f.word()}-{f.md5()[:10]}-{some('bcdfghjklmnpqrstvwxz2456789', 5)(c)}"),
    lambda c, f: ("https://docs.example/d/{}/edit", some(WORDY, 44)(c)),
    lambda c, f: ("video {} is public", some(WORDY, 11)(c)),
    lambda c, f: ("0x{} received «price» ETH", some(HEX, 40)(c)),
]
