"""Forms of the record's files and of keys, as ceremonies/FORMAT.md has them; for verify_record.py."""

import base64
import calendar
import hashlib
import json
import re
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

SHA = r"[0-9a-f]{64}"
NUMBER = r"(?:0|[1-9][0-9]*)"
# Not the names that Windows keeps for devices.
NAME = r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?![a-z0-9_-]))[a-z0-9_][a-z0-9_-]{0,63}"
ROLE = r"(?:[a-z0-9_-]|%[0-9A-F]{2})+"
KIB, MIB = 1024, 1024 * 1024
ROOT_ROLES = ("root", "targets", "snapshot", "timestamp")

# Each form that a file's path may have, and its cap.
FORMS = {
    "trust": (r"trust\.json", 64 * KIB),
    "limits": (rf"limits/({NUMBER})\.({SHA})\.toml", 256 * KIB),
    "key": (rf"keys/({NAME})/({SHA})\.json", 64 * KIB),
    "statement": (rf"statements/({SHA})\.json", 64 * KIB),
    "change": (rf"changes/({SHA})/change\.json", 4 * MIB),
    "runbook": (rf"changes/({SHA})/runbook\.toml", 256 * KIB),
    "payload": (rf"changes/({SHA})/({NUMBER})\.payload\.json", 64 * MIB),
    "sig": (rf"changes/({SHA})/({SHA})\.({SHA})\.sig\.json", 64 * KIB),
    "metadata": (rf"metadata/({ROLE})/({NUMBER})\.({SHA})\.json", 64 * MIB),
    "transcript": (rf"transcripts/([0-9a-f]{{32}})/([0-9]{{6}})\.({SHA})\.json", MIB),
    "manifest": (rf"uploads/({SHA})/MANIFEST", 4 * MIB),
    "upload": (rf"uploads/({SHA})/([^/]+)", 64 * MIB),
    "receipt": (rf"receipts/({SHA})\.json", 64 * KIB),
}
# Not for a reader of the record: this copy's own, other trusts', wrapped keys, git's.
ASIDE = ("private/", "rehearsals/", "backups/", ".git/", ".gitattributes", ".gitignore")

MEMBERS = {
    "trust": "collection format id limits nonce profile shadows stage start",
    "key": "algorithm certificate change evidence format holder identity name possession purpose replaces spki token trust",
    "evidence": "attestation attributes exportable-under module",
    "statement": "format sig spki statement",
    "sentence": "_type body kind trust",
    "change": "base format held-at items keys kind limits nonce people rehearsal runbook sign-by summary title trust",
    "sig": "change format identity payload sig",
    "transcript": "act at by ceremony change format outcome previous private seq step",
    "sidecar": "format private",
    "receipt": "at format manifest reason result served server trust",
    "ask": "counts holder key scheme spki",
    "document": "asked expires item payload role version",
    "item statement": "asked item kind payload",
    "new-key": "algorithm certificate holder item name purpose",
    "enrolled-key": "certificate holder item name possession purpose spki",
    "certificate": "certificate identity item key replaces",
    "destroyed-key": "identity item key",
}
BODIES = {
    "possession": "key name holder purpose nonce",
    "limits": "number limits chain",
    "withdrawal": "change reason",
    "refusal": "change reason",
    "key-life": "key event at root",
    "roll-call": "key nonce",
    "transcript-head": "ceremony sequence head witness",
    "decision": "what keep over",
}
# What no limits may be looser than.
FLOOR = {
    "root": {"max-valid-for": "10 years"},
    "targets": {"max-valid-for": "3 years"},
    "delegations": {"max-valid-for": "3 years"},
    "ceremony": {"sign-within": "1 year", "record-no-older": "90 days"},
}
# A missing member has the built-in value, which is the one in the page's example.
LIMITS = {
    "root": {"threshold-floor": 2, "spare-keys": 1, "max-valid-for": "3 years", "witnesses": 1, "rehearsed": False},
    "targets": {"threshold-floor": 1, "max-valid-for": "2 years", "software-keys": False, "witnesses": 0, "rehearsed": False},
    "delegations": {
        "threshold-floor": 1,
        "max-valid-for": "2 years",
        "software-keys": True,
        "possession": "proved",
        "witnesses": 0,
        "rehearsed": False,
    },
    "ceremony": {"sign-within": "30 days", "record-no-older": "14 days", "excluded": []},
    "online": {"snapshot": [], "timestamp": []},
    "clients": {"named": []},
}
# Members without a built-in value, and the least that each may be.
OPTIONAL = {
    "root": {"keys-changed": 1, "attested-keys": False},
    "targets": {"attested-keys": False},
    "clients": {"oldest-root": 1},
}


class Wrong(Exception):
    """What makes a file no part of a good record."""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def need(condition: object, what: str) -> None:
    if not condition:
        raise Wrong(what)


def canonical(value: object) -> bytes:
    """Canonical JSON: sorted by the bytes of the names, no white space, `\\` and `"` escaped."""

    def text(string: str) -> str:
        return '"' + string.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def write(value: object) -> str:
        match value:
            case None | True | False:
                return {None: "null", True: "true", False: "false"}[value]
            case int():
                return str(value)
            case str():
                return text(value)
            case list():
                return "[" + ",".join(map(write, value)) + "]"
            case dict():
                members = sorted(value.items(), key=lambda member: member[0].encode())
                return "{" + ",".join(f"{text(name)}:{write(member)}" for name, member in members) + "}"
        raise Wrong(f"{type(value).__name__} in JSON")

    return write(value).encode()


def strict(data: bytes, *, line_ends: bool = False) -> object:
    """Strict JSON: no equal members, floats, trailing bytes or byte order mark, 32 levels at most.

    With `line_ends` the payload of a document, where the line ends of PEM texts stand as they are.
    """

    def members(pairs: list) -> dict:
        need(len({name for name, _ in pairs}) == len(pairs), "equal members")
        return dict(pairs)

    def refuse(text: str) -> None:
        raise Wrong(f"the number {text}")

    def depth(value: object, level: int) -> None:
        need(level <= 32, "nested more than 32 deep")
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            depth(inner, level + 1 if isinstance(inner, dict | list) else level)

    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=members,
            parse_float=refuse,
            parse_constant=refuse,
            strict=not line_ends,
        )
    except (ValueError, RecursionError) as error:
        raise Wrong(f"no strict JSON: {error}") from error
    depth(value, 1)
    return value


def ours(data: bytes, form: str) -> dict:
    """A file that keyrite made: canonical, format 1, exactly the members of its form."""
    value = strict(data)
    need(isinstance(value, dict), "no object")
    need(value.get("format") == 1, f"RECORD-FORMAT: {value.get('format')!r}")
    members(value, form)
    need(canonical(value) == data, "not canonical JSON")
    return value


def members(value: object, form: str, names: str | None = None) -> None:
    need(isinstance(value, dict), f"{form} is no object")
    listed = set((names or MEMBERS[form]).split())
    need(set(value) == listed, f"RECORD-MEMBER: {form} has {sorted(set(value) ^ listed)} too many or too few")


def date(text: object) -> datetime:
    need(isinstance(text, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text), f"{text!r} is no date")
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def after(start: datetime, term: str) -> datetime:
    """A term after a date, by the calendar."""
    need(match := re.fullmatch(r"(\d+) (day|week|month|year)s?", term), f"{term!r} is no term")
    count, unit = int(match[1]), match[2]
    if unit in ("day", "week"):
        return start + timedelta(days=count * (7 if unit == "week" else 1))
    months = start.month - 1 + count * (12 if unit == "year" else 1)
    year, month = start.year + months // 12, months % 12 + 1
    return start.replace(year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1]))


class Key:
    """A public key, by its identity."""

    def __init__(self, public: object) -> None:
        self.public = public
        self.spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.identity = sha256(self.spki)

    @classmethod
    def of_spki(cls, text: str) -> "Key":
        try:
            der = base64.b64decode(text, validate=True)
            key = cls(serialization.load_der_public_key(der))
        except ValueError as error:
            raise Wrong(f"no public key: {error}") from error
        need(key.spki == der, "the public key is not in the form that identities are made of")
        return key

    @classmethod
    def of_certificate(cls, pem: bytes) -> "Key":
        return cls(x509.load_pem_x509_certificate(pem).public_key())

    def signed(self, message: bytes, sig: bytes, *, raw: bool = False, sha384: bool = True) -> bool:
        """Whether `sig` is this key's over `message`; `raw` is ECDSA as r and s."""
        try:
            match self.public:
                case ed25519.Ed25519PublicKey():
                    self.public.verify(sig, message)
                case ec.EllipticCurvePublicKey():
                    if raw:
                        need(len(sig) == 2 * ((self.public.key_size + 7) // 8), "")
                        half = len(sig) // 2
                        sig = encode_dss_signature(
                            int.from_bytes(sig[:half], "big"), int.from_bytes(sig[half:], "big")
                        )
                    digest = hashes.SHA384() if sha384 and self.public.key_size == 384 else hashes.SHA256()
                    self.public.verify(sig, message, ec.ECDSA(digest))
                case rsa.RSAPublicKey():
                    salted = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
                    self.public.verify(sig, message, salted, hashes.SHA256())
                case _:
                    return False
        except (InvalidSignature, ValueError, Wrong):
            return False
        return True


@dataclass
class Document:
    """One file of metadata/, read by the profile."""

    place: str
    role: str
    version: int
    signed: dict
    payload: bytes
    signatures: list
    trusted: bool = False
    withdrawn: bool = False

    @property
    def digest(self) -> str:
        return sha256(self.payload)


def listed_key(profile: str, keyid: str, entry: dict) -> Key:
    """A key as a document lists it; its declared id must be the one its content has."""
    need(keyid == sha256(canonical(entry)), f"KEY-ID: {keyid[:8]} is not the id of its key")
    kind, public = entry["keytype"], entry["keyval"]["public"]
    try:
        if profile == "notary":
            content = base64.b64decode(public, validate=True)
            if kind.endswith("-x509"):
                return Key.of_certificate(content)
            if kind == "ed25519":
                return Key(ed25519.Ed25519PublicKey.from_public_bytes(content))
            return Key(serialization.load_der_public_key(content))
        if kind == "ed25519":
            return Key(ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)))
        return Key(serialization.load_pem_public_key(public.encode()))
    except ValueError as error:
        raise Wrong(f"key {keyid[:8]}: {error}") from error


def signers(profile: str, keys: dict, role: dict, document: Document) -> set[str]:
    """The identities of a role's keys that signed a document."""
    found = set()
    for keyid in role["keyids"]:
        need(keyid in keys, f"key id {keyid[:8]} is listed without its key")
        key = listed_key(profile, keyid, keys[keyid])
        for signature in document.signatures:
            if signature["keyid"] != keyid:
                continue
            try:
                if profile == "notary":
                    sig, raw, long = base64.b64decode(signature["sig"], validate=True), True, False
                else:
                    scheme = keys[keyid]["scheme"]
                    sig, raw, long = bytes.fromhex(signature["sig"]), False, scheme.endswith("nistp384")
            except ValueError:
                continue
            if key.signed(document.payload, sig, raw=raw, sha384=long):
                found.add(key.identity)
    return found


def threshold_met(profile: str, keys: dict, role: dict, document: Document) -> bool:
    threshold = role["threshold"]
    need(isinstance(threshold, int) and threshold >= 1, "THRESHOLD-RANGE: below 1")
    return len(signers(profile, keys, role, document)) >= threshold


@dataclass
class Record:
    """What was read, by form; and what was found on the way."""

    root: Path
    found: list = field(default_factory=list)
    files: dict = field(default_factory=lambda: {form: {} for form in FORMS})

    def refused(self, place: str, what: object) -> None:
        self.found.append(("refused", place, str(what)))

    def note(self, place: str, what: str) -> None:
        self.found.append(("note", place, what))

    def each(self, form: str, act: object) -> None:
        """Runs `act(place, captures, data)` over every file of a form; what is wrong is told."""
        for place, (captures, data) in sorted(self.files[form].items()):
            try:
                act(place, captures, data)
            except (Wrong, KeyError, TypeError, AttributeError, ValueError) as error:
                self.refused(place, error if isinstance(error, Wrong) else f"{type(error).__name__}: {error}")


def read(root: Path) -> Record:
    """Takes in every regular file whose path has one of the forms."""
    record = Record(root)
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root).as_posix()
        kind = path.lstat()
        if place.startswith(ASIDE) or f"{place}/" in ASIDE or stat.S_ISDIR(kind.st_mode):
            continue
        if not stat.S_ISREG(kind.st_mode):
            record.refused(place, "MEDIA-KIND: no regular file")
            continue
        for form, (pattern, cap) in FORMS.items():
            if (match := re.fullmatch(pattern, place)) and not path.name.startswith(".tmp-"):
                if kind.st_size > cap:
                    record.refused(place, f"MEDIA-SIZE: {kind.st_size} bytes, at most {cap}")
                else:
                    record.files[form][place] = (match.groups(), path.read_bytes())
                break
        else:
            record.note(place, "ignored: none of the forms")
    return record
