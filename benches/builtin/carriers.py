"""The texts around what is looked for. `{}` is where it stands; `«name»` and the like are filled at random."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# Stands inside of keys in the files, and in no text.
BREAK = "¦"


class Split(StrEnum):
    """Which corpus a text belongs to."""

    DEVELOPMENT = "development"
    HELD_OUT = "held-out"


@dataclass(frozen=True)
class Case:
    """A value in its carrier, and what kind it is; `None` is a value that is no finding."""

    carrier: str
    value: str
    kind: str | None


@dataclass(frozen=True)
class Carriers:
    """Carriers of one kind. Those of one corpus are not those of the other."""

    development: list[str]
    held_out: list[str]

    def of(self, split: Split) -> list[str]:
        """The carriers of a corpus."""
        return self.development if split is Split.DEVELOPMENT else self.held_out


PERSONAL = {
    "email": Carriers(
        [
            "{}",
            "Write to {} before Friday.",
            '{"contact": {"email": "{}"}, "active": true}',
            "From: «name» <{}>",
            "«date» «time» INFO user={} status=200 ms=«int»",
            "mailto:{}?subject=hi",
            "My address is {}, thanks",
            "| «name» | {} | «word» |",
            "«name»,«name»,{},«int»",
            "owner: {} # since «date»",
            "Schreiben Sie bitte an {}, danke.",
            "const admin = '{}';",
        ],
        [
            "Please cc {} and «name» on the reply.",
            '{"to": ["{}"], "subject": "«word»", "retries": «int»}',
            "[«date» «time»] smtp: delivered to <{}> in «int»ms",
            "https://shop.example/unsubscribe?user={}&list=«int»",
            "Contact: {}.",
            "git commit --author=\"«name» <{}>\" -m '«word»'",
            "Pouvez-vous écrire à {} avant le «date» ?",
            "Mi correo es {}; gracias",
            "MAIL_FROM={}",
            "«name»: can you loop in {}?\n«name»: done",
            '<a href="mailto:{}">«word»</a>',
            "SELECT * FROM users WHERE email = '{}';",
            "Email|{}|verified",
        ],
    ),
    "phone": Carriers(
        [
            "Call me at {} tomorrow.",
            '{"phone": "{}", "name": "«name»"}',
            "Tel. {}",
            "You can reach the office on {}.",
            "Mobile: {}",
            "| «name» | {} | «word» |",
            "My number is {} if needed",
            "Fax {}",
            "Telefon: {}",
            "Appelez-moi au {} demain.",
            "«name»,{},«date»",
            "whatsapp me: {}",
        ],
        [
            "Please ring «name» on {} after six.",
            '{"customer": {"mobile_number": "{}", "tier": "«word»"}}',
            "Phone number: {}",
            "«date» «time» sms sent to {} ok",
            "telephone;{};«word»",
            "If anything breaks, text {}.",
            "Contact phone {} (work)",
            "Llámame al {} por favor",
            "Ich bin unter {} erreichbar.",
            "Il mio numero di telefono è {}.",
            "Proszę dzwonić pod numer {}.",
            "«name» <{}> joined the call",
            "emergency_contact: {}",
            "«name» · {} · «word»",
        ],
    ),
    "card": Carriers(
        [
            "{}",
            "Please charge {} for the room.",
            '{"card_number": "{}", "cvv": "***"}',
            "Card {} was declined",
            "pan={};amount=«price»",
            "paid with {} on «date»",
            "| «name» | {} | «price» |",
            "Ma carte {} a été refusée.",
        ],
        [
            "I lost my card, the number is {}, please block it.",
            '{"payment": {"pan": "{}", "expiry": "09/29"}, "amount": «price»}',
            "«date» «time» WARN charge failed card={} code=«int»",
            "«name»,{},«price»,«date»",
            "Visa or so: {}, exp 04/28, thanks!",
            "https://pay.example/refund?card={}&amount=«int»",
            "CARD_NUMBER={}",
            "Meine Kartennummer lautet {}.",
            "Mi tarjeta es {} y vence en mayo.",
            'card:\n  number: "{}"\n  holder: «name»',
        ],
    ),
    "iban": Carriers(
        [
            "{}",
            "Transfer it to {} today.",
            '{"iban": "{}", "currency": "EUR"}',
            "IBAN: {}",
            "account {} (main)",
            "| «name» | {} | «price» |",
            "Bitte auf {} überweisen.",
        ],
        [
            "Please send «price» euros to {}, «name».",
            '{"beneficiary": "«name»", "account": {"number": "{}"}}',
            "«date»;{};«price»;«word»",
            "my bank details are {} BIC to follow",
            "Le virement vers {} a échoué.",
            "Konto: {}.",
            "debtor_iban: {}",
            "https://bank.example/transfer?to={}&sum=«int»",
        ],
    ),
    "ssn": Carriers(
        [
            "Her SSN is {}.",
            '{"ssn": "{}", "state": "TX"}',
            "Social Security Number: {}",
            "applicant {} approved",
            "ssn={}",
            "Employee {} starts Monday",
            "| «name» | {} | «date» |",
        ],
        [
            "My social is {}, can you check my benefits?",
            '{"taxpayer": {"ssn": "{}", "year": 2025}}',
            "«name»,{},«date»,«word»",
            "SSN {} belongs to «name»",
            "W-2 for {} was mailed on «date».",
            "The patient ({}) was admitted at «time».",
            "social_security_number: {}",
            "verify identity with {} and the zip code",
        ],
    ),
    "ip": Carriers(
        [
            "Login from {} failed.",
            '{"client_ip": "{}", "ms": «int»}',
            '{} - - [10/Oct/2026:13:55:36] "GET /«path» HTTP/1.1" 200',
            "connect to {} refused",
            "src={} dst=gateway",
            "http://{}/status",
            "allow {};",
            "host: {}",
        ],
        [
            "The request came from {}, please block it.",
            '{"peer": {"address": "{}"}, "bytes": «int»}',
            "«date» «time» sshd: Failed password for root from {} port «int»",
            "ping {} gives «int» ms",
            "X-Forwarded-For: {}",
            "«date»,{},«word»,«int»",
            "Die Adresse {} ist gesperrt.",
            "curl --interface {} https://api.example.com/«path»",
            "nameserver {}",
            "| «name» | {} | «time» |",
        ],
    ),
}

# Where a key of a well-known format stands.
KEYS = Carriers(
    [
        "{}",
        "key: {}",
        "export TOKEN={}",
        '{"value": "{}"}',
        "curl -H 'X-Key: {}' https://api.example.com",
        "It is {}, do not share it.",
        'let k = "{}";',
        "«date» «time» DEBUG using {} for «word»",
        "| ci | {} | «date» |",
    ],
    [
        "I pasted {} into the chat by mistake",
        '{"args": {"headers": {"X-Auth": "{}"}}, "id": «int»}',
        "PROD_CREDENTIAL={} # prod",
        "env:\n  - name: UPSTREAM\n    value: {}",
        "https://api.example.com/v1/«path»?k={}&page=«int»",
        "«name»: use this one: {}\n«name»: thanks!",
        "client = Client('{}', timeout=«int»)",
        'body: "[\\n  \\"{}\\"\\n]"',
        "«word»,{},«date»",
        "machine git.example login bot password {}",
        "Unser Schlüssel lautet {}.",
        "redirect=%2Fhome%3Fcode%3D{}",
    ],
)

# Where a value stands that only its name makes a secret.
NAMED = {
    "aws_secret_key": Carriers(
        [
            "aws_secret_access_key = {}",
            'AWS_SECRET_ACCESS_KEY="{}"',
            '{"aws_secret_access_key": "{}"}',
        ],
        [
            "export AWS_SECRET_ACCESS_KEY={}",
            '{"Credentials": {"SecretAccessKey": "{}"}}',
            "[default]\nregion = eu-west-1\naws_secret_access_key={}",
            "- name: AWS_SECRET_ACCESS_KEY\n  value: {}",
        ],
    ),
    "api_key": Carriers(
        [
            "api_key = '{}'",
            "API_KEY={}",
            '{"apiKey": "{}"}',
            "client_secret: {}",
            "auth_token => '{}'",
            "export SERVICE_TOKEN={}",
            "const secret: string = '{}';",
            "deploy --token {} --env prod",
        ],
        [
            '{"config": {"serviceApiKey": "{}", "retries": «int»}}',
            "x-api-key: {}",
            "the api key is {}",
            "STRIPE_WEBHOOK_SECRET={}",
            "https://maps.example.com/tiles?api_key={}&zoom=«int»",
            'api_token: str = "{}"',
            '<add key="ClientSecret" value="{}" />',
            "spring.datasource.secret={}",
            "my_login --access-token={} sync",
            'body: "[\\"token\\": \\"{}\\"]"',
        ],
    ),
    "password": Carriers(
        [
            "password = '{}'",
            "DB_PASSWORD={}",
            '{"password": "{}"}',
            "passwd: {}",
            "The password is {}",
            "Passwort: {}",
            "smtp_pass = {}",
            "<password>{}</password>",
        ],
        [
            '{"user": "«name»", "pwd": "{}"}',
            "mysql --user=root --password={} shop",
            "spring.datasource.password={}",
            "your new password is: {}",
            'MYSQL_ROOT_PASSWORD: "{}"',
            "contraseña: {}",
            "Le mot de passe est {}",
            "login «name» / pass: {}",
            'adminPassword := "{}"',
            "Server=db;User Id=sa;Password={};Encrypt=true",
            "hasło: {}",
            "please set the password to {} today",
        ],
    ),
    "password_in_url": Carriers(
        [
            "postgres://app:{}@db.internal:5432/app",
            "redis://:{}@cache:6379/0",
            "amqp://user:{}@broker/",
        ],
        [
            "DATABASE_URL=mysql://shop:{}@10.0.0.5/shop",
            "git clone https://«name»:{}@git.example.com/team/repo.git",
            '{"dsn": "mongodb+srv://svc:{}@cluster0.example.net/prod"}',
            "proxy: http://svc:{}@proxy.example:3128",
        ],
    ),
    "bearer_token": Carriers(
        [
            "Authorization: Bearer {}",
            '{"Authorization": "Bearer {}"}',
        ],
        [
            'curl -H "Authorization: Bearer {}" https://api.example.com/«path»',
            "headers = (('authorization', 'bearer {}'),)",
            "> authorization: Bearer {}\n> accept: */*",
        ],
    ),
}
