#!/usr/bin/env python3
"""Verifies a record from what ceremonies/FORMAT.md says, and from nothing else.

    verify_record.py DIR [--anchor VERSION:DIGEST]

Written from that page alone, without a look at keyrite's code, so that two readings of the page
are compared whenever a test runs it, and so that an auditor who has only the page and Python can
do the same. What the page leaves to TUF 1.0 and to Notary v1, their documents and key ids, is
taken from there.

Prints one line for each thing found: `refused` for what must not be there, `note` for what is
shown and never acts. Exits 0 if nothing is refused, else 1. `--anchor` is the newest root that a
person knows: without it the record may be a whole other one, and the script says so. Needs the
package `cryptography`; scripts/test-deps puts it into target/test-venv.
"""

import argparse
import base64
import re
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from record_format import (
    BODIES,
    FLOOR,
    FORMS,
    LIMITS,
    NUMBER,
    OPTIONAL,
    ROLE,
    ROOT_ROLES,
    SHA,
    Document,
    Key,
    Record,
    Wrong,
    after,
    canonical,
    date,
    listed_key,
    members,
    need,
    ours,
    read,
    sha256,
    strict,
    threshold_met,
)
from record_said import Said, met


class Verifier:
    """The checks, each over the files of one form, in the order in which they rest on each other."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.trust = {}
        self.limits = {}  # (number, sha) -> values
        self.statements = {}  # sha -> (sentence, key)
        self.outcomes = []  # (place, entry)
        self.keys = {}  # (name, sha) -> (file, key)
        self.possessions = {}  # statement sha -> key names that rest on it
        self.documents = []
        self.roots = []
        self.changes = {}  # sha -> change
        self.sigs = {}  # change sha -> sig shas

    @property
    def profile(self) -> str:
        return self.trust.get("profile", "")

    def run(self, anchor: str | None) -> None:
        self.check_names()
        if not self.record.files["trust"]:
            self.record.refused("trust.json", "missing: the directory is no record")
            return
        for form, act in (
            ("trust", self.check_trust),
            ("limits", self.check_limits),
            ("statement", self.check_statement),
            ("transcript", self.check_entry),
            ("key", self.check_key),
            ("metadata", self.read_document),
        ):
            self.record.each(form, act)
        self.check_transcripts()
        self.said = Said(self.profile, self.record, self.statements, self.documents)
        self.check_chain(anchor)
        self.check_roles()
        self.check_names_of_keys()
        self.check_binding()
        for form, act in (
            ("change", self.check_change),
            ("sig", self.check_sig),
            ("manifest", self.check_upload),
            ("receipt", self.check_receipt),
        ):
            self.record.each(form, act)
        self.check_acts()
        self.check_finished()

    def check_names(self) -> None:
        """A name that holds a sha is checked against the content; what differs is torn."""
        for form, which in (
            ("limits", 1), ("key", 1), ("statement", 0), ("change", 0), ("sig", 2),
            ("metadata", 2), ("transcript", 2), ("manifest", 0), ("receipt", 0),
        ):  # fmt: skip
            for place, (captures, data) in list(self.record.files[form].items()):
                if sha256(data) != captures[which]:
                    self.record.refused(place, "torn: the content does not have the sha of the name")
                    del self.record.files[form][place]

    def of_trust(self, trust: object) -> None:
        need(trust == self.trust.get("id"), f"RECORD-OTHER: made for the trust {trust}")

    def check_trust(self, place: str, _captures: tuple, data: bytes) -> None:
        trust = self.trust = ours(data, "trust")
        rest = {name: value for name, value in trust.items() if name != "id"}
        need(trust["id"] == sha256(canonical(rest))[:32], "TRUST-ID: the id is not made from the other members")
        need(trust["profile"] in ("notary", "tuf"), f"profile {trust['profile']}")
        need(trust["stage"] in ("production", "rehearsal"), f"stage {trust['stage']}")
        rehearsed = trust["collection"].startswith("rehearsal.invalid/")
        need(rehearsed == (trust["stage"] == "rehearsal"), "stage and collection differ")
        if trust["start"] is not None:
            members(trust["start"], "start", "payload version")

    def check_limits(self, place: str, captures: tuple, data: bytes) -> None:
        number, sha = int(captures[0]), captures[1]
        need(number >= 1, "limits count from 1")
        read = tomllib.loads(data.decode())
        need(read.pop("format", None) == 1, "RECORD-FORMAT")
        values = {part: dict(built_in) for part, built_in in LIMITS.items()}
        for part, given in read.items():
            need(part in LIMITS and isinstance(given, dict), f"RECORD-MEMBER: [{part}]")
            known = LIMITS[part] | OPTIONAL.get(part, {})
            for name, value in given.items():
                need(name in known, f"RECORD-MEMBER: {part}.{name}")
                need(type(value) is type(known[name]), f"LIMITS-FORM: {part}.{name}")
            for name, least in OPTIONAL.get(part, {}).items():
                need(given.get(name, least) >= least, f"LIMITS-FLOOR: {part}.{name}")
            values[part].update(given)
        for part, most in FLOOR.items():
            least = 2 if part == "root" else 1
            need(values[part].get("threshold-floor", least) >= least, f"LIMITS-FLOOR: {part}.threshold-floor")
            for name, term in most.items():
                start = datetime(2000, 1, 1, tzinfo=UTC)
                need(after(start, values[part][name]) <= after(start, term), f"LIMITS-FLOOR: {part}.{name}")
        if number == 1:
            need(sha == self.trust["limits"], "trust.json names other limits 1")
        self.limits[number, sha] = values

    def check_statement(self, place: str, captures: tuple, data: bytes) -> None:
        file = ours(data, "statement")
        sentence, key = file["statement"], Key.of_spki(file["spki"])
        members(sentence, "sentence")
        need(sentence["_type"] == "keyrite-statement", "no statement of keyrite's")
        self.of_trust(sentence["trust"])
        if sentence["kind"] in BODIES:
            members(sentence["body"], sentence["kind"], BODIES[sentence["kind"]])
        else:
            self.record.note(place, f"a statement of the unknown kind {sentence['kind']!r}")
        need(key.signed(canonical(sentence), bytes.fromhex(file["sig"])), "SIGNATURE-WRONG")
        self.statements[captures[0]] = (sentence, key)

    def check_entry(self, place: str, captures: tuple, data: bytes) -> None:
        entry = ours(data, "transcript")
        need(entry["ceremony"] == captures[0], "its ceremony is not its folder's")
        need(entry["seq"] == int(captures[1]), "its seq is not its name's")
        date(entry["at"])
        for name, commitment in entry["private"].items():
            need(re.fullmatch(SHA, commitment), f"the private field {name} is no commitment")
            need(name not in entry["outcome"], f"the private field {name} is in the outcome too")
        self.check_sidecar(entry)
        self.outcomes.append((place, entry))

    def check_sidecar(self, entry: dict) -> None:
        """Private values, in the copy where the ceremony was held, are those that were committed to."""
        path = self.record.root / "private" / entry["ceremony"] / f"{entry['seq']:06}.json"
        if not entry["private"] or not path.is_file():
            return
        sidecar = ours(path.read_bytes(), "sidecar")["private"]
        need(set(sidecar) == set(entry["private"]), "SIDECAR: other fields than committed to")
        for name, field in sidecar.items():
            members(field, "private field", "salt value")
            salt = bytes.fromhex(field["salt"])
            committed = sha256(salt + field["value"].encode()) == entry["private"][name]
            need(len(salt) == 32 and committed, f"SIDECAR: {name} is not the value that was committed to")

    def check_transcripts(self) -> None:
        """Every entry names the one before, from `begin` on, and time does not run backwards."""
        ceremonies = {}
        for place, entry in self.outcomes:
            ceremonies.setdefault(entry["ceremony"], []).append((place, entry))
        shas = {place.split(".")[-2] for place in self.record.files["transcript"]}
        for ceremony, entries in ceremonies.items():
            before = None
            for number, (place, entry) in enumerate(entries):
                if entry["seq"] != number or entry["previous"] != before:
                    self.record.refused(place, "TRANSCRIPT-BROKEN: it does not follow on the entry before")
                    break
                begins = number == 0 or entries[number - 1][1]["act"] == "end"
                if begins != (entry["act"] == "begin"):
                    self.record.refused(place, "TRANSCRIPT-BROKEN: a session goes from `begin` to `end`")
                if number and date(entry["at"]) < date(entries[number - 1][1]["at"]):
                    self.record.refused(place, "CLOCK: earlier than the entry before")
                for head in entry["outcome"].get("heads", []) if entry["act"] == "begin" else []:
                    if head not in shas:
                        self.record.refused(place, f"TRANSCRIPT-BROKEN: the head {head[:8]} that it names is missing")
                before = place.split(".")[-2]
            if entries[-1][1]["act"] != "end":
                self.record.note(f"transcripts/{ceremony}", "has no end yet")

    def check_key(self, place: str, captures: tuple, data: bytes) -> None:
        name, sha = captures
        file = ours(data, "key")
        self.of_trust(file["trust"])
        need(file["name"] == name, "its name is not its folder's")
        members(file["evidence"], "evidence")
        attested = [len(base64.b64decode(der, validate=True)) for der in file["evidence"]["attestation"]]
        need(len(attested) <= 6 and all(1 <= size <= 4096 for size in attested), "RECORD-MEMBER: attestation")
        need(file["purpose"] in ("root", "targets", "delegation", "snapshot", "timestamp", "witness"), "purpose")
        key = Key.of_spki(file["spki"])
        need(file["identity"] == key.identity, "KEY-ID: the identity is not that of the public key")
        if file["certificate"] is not None:
            certified = Key.of_certificate(base64.b64decode(file["certificate"])).identity
            need(certified == key.identity, "CERTIFICATE-KEY: certified is another key")
        if self.profile == "notary" and file["purpose"] == "root":
            need(file["certificate"], "a root key of profile notary without a certificate")
        witnessed = [
            entry["outcome"] for _, entry in self.outcomes
            if entry["act"] in ("key", "enrol") and entry["outcome"]["file"] == sha
        ]  # fmt: skip
        need(witnessed, "KEY-UNWITNESSED: no transcript has it")
        # What a trusted document lists, clients trust already.
        adopted = self.trust["start"] and file["possession"]["by"] == "trusted-document"
        told = adopted or key.identity in self.read_back()
        need(told, "KEY-UNWITNESSED: its digest was not read back before a witness")
        for outcome in witnessed:
            need(outcome["name"] == name and outcome["identity"] == key.identity, "KEY-UNWITNESSED: another key")
        self.check_possession(file, key)
        self.keys[name, sha] = (file, key)

    def read_back(self) -> set:
        """Digests that people compared, before the witness of the session where its `begin` names one."""
        found, waiting, watched = set(), {}, {}
        for _, entry in self.outcomes:
            ceremony, outcome = entry["ceremony"], entry["outcome"]
            if entry["act"] == "begin":
                watched[ceremony] = "witness" in outcome["people"].values()
                waiting[ceremony] = []
            elif entry["act"] == "read-back":
                (waiting[ceremony].append if watched[ceremony] else found.add)(outcome["digest"])
            elif entry["act"] == "witness":
                found.update(waiting[ceremony])
                waiting[ceremony] = []
        return found

    def check_possession(self, file: dict, key: Key) -> None:
        possession = file["possession"]
        if possession["by"] != "statement":
            need(possession["by"] in ("first-publication", "backend-read-back", "trusted-document"), "possession")
            by_backend = possession["by"] == "backend-read-back"
            need(by_backend == (file["token"]["kind"] == "backend"), "KEY-POSSESSION: of no backend's key")
            need(not by_backend or file["purpose"] in ("snapshot", "timestamp"), "KEY-POSSESSION: of no online key")
            return
        need(possession["statement"] in self.statements, "KEY-POSSESSION: its statement is missing")
        sentence, signer = self.statements[possession["statement"]]
        body = sentence["body"]
        need(sentence["kind"] == "possession" and signer.identity == key.identity, "KEY-POSSESSION: of another key")
        need(body["key"] == key.identity, "KEY-POSSESSION: names another key")
        for member in ("name", "holder", "purpose"):
            need(body[member] == file[member], f"KEY-POSSESSION: another {member}")
        if file["replaces"] is None:
            first = self.possessions.setdefault(possession["statement"], file["name"])
            need(first == file["name"], "KEY-POSSESSION: the statement serves another key file")

    def read_document(self, place: str, captures: tuple, data: bytes) -> None:
        role = re.sub(r"%(..)", lambda escaped: chr(int(escaped[1], 16)), captures[0])
        value = strict(data)
        members(value, "metadata", "signatures signed")
        signed = value["signed"]
        kind = role if role in ROOT_ROLES else "targets"
        expected = kind.capitalize() if self.profile == "notary" else kind
        need(signed["_type"] == expected, f"its type is {signed['_type']}, expected {expected}")
        need(signed["version"] == int(captures[1]), "its version is not its name's")
        self.documents.append(
            Document(place, role, signed["version"], signed, canonical(signed), value["signatures"])
        )

    def check_chain(self, anchor: str | None) -> None:
        """Root N+1 verifies by the threshold of root N and by its own."""
        start = self.trust.get("start") or {"version": 1, "payload": None}
        versions = {}
        all_roots = [document for document in self.documents if document.role == "root"]
        for document in all_roots:
            versions.setdefault(document.version, []).append(document)
        for version in sorted(versions):
            by = self.roots[-1:]
            if version != (by[0].version + 1 if by else start["version"]):
                self.record.refused(f"metadata/root/{version}", "ROOT-VERSION: does not follow on the chain")
                break
            good = []
            for document in versions[version]:
                try:
                    for root in [*by, document]:
                        met = threshold_met(self.profile, root.signed["keys"], root.signed["roles"]["root"], document)
                        need(met, f"ROOT-THRESHOLD-{'NEW' if root is document else 'OLD'}")
                    if not by and start["payload"]:
                        need(document.digest == start["payload"], "not the root that trust.json starts from")
                    good.append(document)
                except (Wrong, KeyError, TypeError) as error:
                    self.record.refused(document.place, error)
            withdrawn = [document for document in good if self.said.root_withdrawn(document, by, all_roots)]
            for document in withdrawn:
                self.record.note(document.place, "withdrawn: whoever has it can still publish it")
            good = [document for document in good if document not in withdrawn]
            if len({document.digest for document in good}) > 1 and anchor:
                known = anchor.split(":")  # which root stands no decision says, but the root that people know
                good = [each for each in good if known == [str(version), each.digest]] or good
            if len({document.digest for document in good}) > 1:
                self.record.refused(f"metadata/root/{version}", "RECORD-CONFLICT: two roots verify")
            if len({document.digest for document in good}) != 1:
                break
            for document in good:
                document.trusted = True
            self.roots.append(good[0])
        if anchor is None:
            self.record.note("metadata/root", "no anchor given: compare the newest root's digest with paper")
        elif anchor not in [f"{root.version}:{root.digest}" for root in self.roots]:
            self.record.refused("metadata/root", f"ANCHOR: no root is {anchor}")

    def check_roles(self) -> None:
        """Other roles verify by a root or delegator of the chain; delegators come first."""
        waiting = [document for document in self.documents if document.role != "root"]
        while waiting:
            left = [document for document in waiting if not self.delegated(document)]
            if len(left) == len(waiting):
                break
            waiting = left
        for document in waiting:
            self.record.refused(document.place, f"ROLE-THRESHOLD: no root or delegator accepts {document.role}")
        rivals = {}
        for document in self.documents:
            if document.trusted and document.role != "root":
                rivals.setdefault((document.role, document.version), []).append(document)
        for (role, _), several in rivals.items():
            if len({document.digest for document in several}) == 1:
                continue
            left = self.said.settle(several, next(iter(self.delegators(role)), None), self.decider(role))
            # A backend that serves two of one version is its own affair; the next one counts.
            online = role in ("snapshot", "timestamp")
            conflict = len({document.digest for document in left}) > 1 and not online
            for document in several if conflict else []:
                self.record.refused(document.place, "RECORD-CONFLICT: two payloads of one version")
            for document in [] if conflict else several:
                if document not in left:
                    self.record.note(document.place, "kept: another of its version counts")

    def delegated(self, document: Document) -> bool:
        """Whether a document needs to wait no more: it is trusted, or withdrawn."""
        delegators = self.delegators(document.role)
        if delegators and self.said.withdrawn(
            document, lambda signed: met(self.profile, *delegators[0], signed)
        ):
            self.record.note(document.place, "withdrawn: whoever has it can still publish it")
            return True
        for keys, role in delegators:
            try:
                if threshold_met(self.profile, keys, role, document):
                    document.trusted = True
                    return True
            except (Wrong, KeyError, TypeError) as error:
                self.record.note(document.place, f"a delegator can't be read: {error}")
        return False

    def delegators(self, role: str) -> list:
        """Keys and role of every root, or trusted document, that speaks for a role."""
        if role in ROOT_ROLES:
            return [(root.signed["keys"], root.signed["roles"][role]) for root in reversed(self.roots)]
        found = []
        for document in sorted(self.documents, key=lambda document: -document.version):
            delegations = document.signed.get("delegations") or {}
            for entry in (delegations.get("roles") or []) if document.trusted else []:
                if entry["name"] == role:
                    found.append((delegations["keys"], entry))
        return found

    def decider(self, role: str | None) -> tuple | None:
        """Keys and role of those who decide between documents of a role, or between other files."""
        for document in self.documents if role not in (None, *ROOT_ROLES) else []:
            delegations = document.signed.get("delegations") or {}
            if document.trusted and role in [entry["name"] for entry in delegations.get("roles") or []]:
                return next(iter(self.delegators(document.role)), None)
        newest = self.roots[-1].signed if self.roots else None
        return newest and (newest["keys"], newest["roles"]["root"])

    def check_names_of_keys(self) -> None:
        """One file stands for a name: by a decision, by what clients trust, or as the end of one chain."""
        names = {}
        for (name, sha), (file, key) in self.keys.items():
            names.setdefault(name, {})[sha] = (file, key)
        newest = {}
        for document in [*self.roots, *(each for each in self.documents if each.trusted)]:
            if document.version >= newest.get(document.role, document).version:
                newest[document.role] = document
        listed = [each.signed if each.role == "root" else each.signed.get("delegations") for each in newest.values()]
        trusted = {
            listed_key(self.profile, keyid, entry["keys"][keyid]).identity
            for entry in listed if entry for keyid in entry.get("keys") or {}
        }  # fmt: skip
        for name, files in names.items():
            keep, out = self.said.decided(f"keys/{name}", self.decider(None))
            left = {sha: each for sha, each in files.items() if sha not in out}
            if keep is None:
                left = {sha: each for sha, each in left.items() if each[1].identity in trusted} or left
            ends = set(left) - {file["replaces"] for file, _ in left.values()}
            if not left or len(ends) > 1 or len({file["spki"] for file, _ in left.values()}) > 1:
                self.record.refused(f"keys/{name}", "RECORD-CONFLICT: several files stand for it")
            for sha in set(files) - set(left):
                self.record.note(f"keys/{name}/{sha}.json", "kept: another of its name counts")

    def check_binding(self) -> None:
        """Once there is a root, a threshold of the newest binds trust, limits and the whole chain."""
        if not self.roots:
            return
        once = set()  # what some root signed over the chain of its time: it acted then
        for length in range(1, len(self.roots) + 1):
            bound = self.bound(self.roots[:length])
            once |= bound
        if not bound:
            self.record.refused("statements", "TRUST-UNBOUND: no limits that a threshold of the newest root signed")
            return
        number = max(bound)[0]
        _, out = self.said.decided(f"limits/{number}", self.decider(None))
        rivals = sorted(sha for n, sha in bound if n == number and sha not in out)
        if len(rivals) != 1:
            self.record.refused(f"limits/{number}", "RECORD-CONFLICT: several are signed")
            return
        sha = rivals[0]
        if (number, sha) not in self.limits:
            self.record.refused(f"limits/{number}.{sha}.toml", "the limits in force are missing")
        for other in self.limits:
            if other[0] > number or (other[0] == number and other[1] != sha and other not in once):
                self.record.refused(f"limits/{other[0]}.{other[1]}.toml", "LIMITS-UNSIGNED")

    def bound(self, roots: list) -> set:
        """Number and digest of the limits that the last of these roots signed over their chain."""
        chain = sha256(b"".join(bytes.fromhex(root.digest) for root in roots))
        signed = {}
        for sentence, key in self.statements.values():
            body = sentence["body"]
            if sentence["kind"] == "limits" and body["chain"] == chain:
                signed.setdefault((body["number"], body["limits"]), set()).add(key.identity)
        newest = roots[-1].signed
        return {
            limits for limits, keys in signed.items()
            if met(self.profile, newest["keys"], newest["roles"]["root"], keys)
        }  # fmt: skip

    def check_change(self, place: str, captures: tuple, data: bytes) -> None:
        sha = captures[0]
        change = ours(data, "change")
        self.of_trust(change["trust"])
        folder = f"changes/{sha}"
        runbook = self.record.files["runbook"].get(f"{folder}/runbook.toml", (None, b""))[1]
        need(sha256(runbook) == change["runbook"], "CHANGE-RUNBOOK: not the runbook that it names")
        limits = change["limits"]
        need((limits["number"], limits["sha"]) in self.limits, "the limits that it names are missing")
        for role, base in change["base"].items():
            need(
                any((d.role, d.version, d.digest) == (role, base["version"], base["payload"]) for d in self.documents),
                f"its base, {role} {base['version']}, is missing",
            )
        for name, file in change["keys"].items():
            need((name, file) in self.keys, f"the key file of {name} that it names is missing or refused")
        need(date(change["held-at"]) <= date(change["sign-by"]), "signed by a date before it is held at")
        self.changes[sha], self.sigs[sha] = change, set()
        documents = []
        for number, item in enumerate(change["items"]):
            form = "item statement" if item["item"] == "statement" else item["item"]
            members(item, form)
            if item["item"] in ("document", "statement"):
                payload = self.record.files["payload"].get(f"{folder}/{number}.payload.json", (None, b""))[1]
                need(sha256(payload) == item["payload"], f"CHANGE-PAYLOAD: not the payload of item {number}")
                value = strict(payload, line_ends=item["item"] == "document")
                need(canonical(value) == payload, f"payload {number} is not canonical JSON")
                for ask in item["asked"]:
                    members(ask, "ask")
                if item["item"] == "document":
                    documents.append((item, value))
                else:
                    need(value["kind"] == item["kind"] and value["trust"] == change["trust"], f"payload {number}")
            elif item["item"] == "new-key":
                self.check_made(sha, item)
        for item, value in documents:
            self.check_proposed(change, item, value)
        sealed = {item["payload"] for item, _ in documents} & {d.digest for d in self.documents if d.trusted}
        need(len(sealed) in (0, len(documents)), "sealed in part")
        if sealed:
            told = [e for _, e in self.outcomes if e["act"] == "confirm" and e["outcome"]["change"] == sha]
            need(told, "sealed, and no transcript has anyone confirm it")
        elif documents:
            self.record.note(place, "open, or never sealed")

    def check_made(self, sha: str, item: dict) -> None:
        """A key that a change makes: its file names the change, and so does its proof of possession."""
        for file, _ in self.keys.values():
            if file["name"] == item["name"] and file["change"] == sha and file["replaces"] is None:
                need(file["holder"] == item["holder"] and file["purpose"] == item["purpose"], f"key {item['name']}")
                if file["possession"]["by"] == "statement":
                    nonce = self.statements[file["possession"]["statement"]][0]["body"]["nonce"]
                    need(nonce == sha, f"KEY-POSSESSION: the nonce of {item['name']} is not the change")

    def check_proposed(self, change: dict, item: dict, signed: dict) -> None:
        """A document that a change lists keeps to the item, to the limits and to keys on record."""
        role, limits = item["role"], self.limits[change["limits"]["number"], change["limits"]["sha"]]
        need(signed["version"] == item["version"] and signed["expires"] == item["expires"], f"{role}: not as listed")
        part = role if role in ("root", "targets") else "delegations"
        latest = after(date(change["held-at"]), limits[part]["max-valid-for"])
        need(date(signed["expires"]) <= latest, f"EXPIRY-LIMIT: {role} expires after {latest}")
        people = list(change["people"].values())
        need(people.count("witness") >= limits[part]["witnesses"], f"WITNESSES: {role}")
        keys, roles = listing(role, signed)
        on_record = {self.keys[named][1].identity: self.keys[named][0] for named in change["keys"].items()}
        for keyid, entry in keys.items():
            identity = listed_key(self.profile, keyid, entry).identity
            # Of an adopted history, keys may be listed that were given no name.
            need(identity in on_record or identity in self.nameless(role), f"{role}: key {keyid[:8]} has no file")
        before = self.listed_before(change, role)
        for part, entry in roles:
            identities = {listed_key(self.profile, each, keys[each]).identity for each in entry["keyids"]}
            # What a change leaves as it was, it doesn't answer for: limits may be younger, or a history adopted.
            if part != "root" and (entry.get("name", part), identities, entry["threshold"]) in before:
                continue
            need(entry["threshold"] >= limits[part]["threshold-floor"], f"THRESHOLD-FLOOR: {part}")
            need(len(identities) == len(entry["keyids"]), f"KEY-DUPLICATE: {part} lists one public key twice")
            need(entry["threshold"] <= len(identities), f"THRESHOLD-RANGE: {part}")
            if part == "root":
                need(len(identities) - entry["threshold"] >= limits["root"]["spare-keys"], "SPARE-KEYS")
            for file in (on_record[identity] for identity in identities & set(on_record)):
                if part != "delegations":
                    need(file["holder"] not in limits["ceremony"]["excluded"], f"PERSON-EXCLUDED: {file['holder']}")
                elif limits[part]["possession"] == "proved":
                    by = file["possession"]["by"]
                    need(by in ("statement", "trusted-document"), f"KEY-POSSESSION: {file['name']} is not proved")
                software = file["token"]["kind"] == "file" and self.trust["stage"] == "production"
                need(not software or limits[part].get("software-keys"), f"KEY-SOFTWARE: {file['name']} in {part}")

    def listed_before(self, change: dict, role: str) -> list:
        """Name, keys and threshold of each role that the document lists on which a change rests."""
        base = change["base"].get(role)
        for document in self.documents if base else []:
            if document.trusted and (document.role, document.digest) == (role, base["payload"]):
                keys, roles = listing(role, document.signed)
                identity = {each: listed_key(self.profile, each, entry).identity for each, entry in keys.items()}
                return [(e.get("name", part), {identity[i] for i in e["keyids"]}, e["threshold"]) for part, e in roles]
        return []

    def nameless(self, role: str) -> set:
        """Keys that documents of an adopted history list, and that have no file."""
        found = set()
        for document in self.documents if self.trust["start"] else []:
            if document.trusted and document.role == role:
                keys = document.signed["keys"] if role == "root" else document.signed["delegations"]["keys"]
                found |= {listed_key(self.profile, keyid, entry).identity for keyid, entry in keys.items()}
        return found

    def check_sig(self, place: str, captures: tuple, data: bytes) -> None:
        sha, payload_sha, sig_sha = captures
        file = ours(data, "sig")
        need(file["change"] == sha and file["payload"] == payload_sha, "of another change or payload")
        need(sha in self.changes, "its change is missing or refused")
        number, item = next(
            ((n, i) for n, i in enumerate(self.changes[sha]["items"]) if i.get("payload") == payload_sha), (0, None)
        )
        need(item, "its change lists no such payload")
        asked = [ask for ask in item["asked"] if Key.of_spki(ask["spki"]).identity == file["identity"]]
        need(asked, "made by a key that the change does not ask")
        payload = self.record.files["payload"][f"changes/{sha}/{number}.payload.json"][1]
        raw = self.profile == "notary" and item["item"] == "document"
        for ask in asked:
            right = Key.of_spki(ask["spki"]).signed(
                payload, bytes.fromhex(file["sig"]), raw=raw, sha384=ask["scheme"] == "ecdsa-p384-sha384"
            )
            need(right, "SIGNATURE-WRONG")
        self.sigs[sha].add(sig_sha)

    def check_upload(self, place: str, captures: tuple, data: bytes) -> None:
        folder = f"uploads/{captures[0]}"
        text = data.decode()
        need(text.endswith("\n"), "MANIFEST-FORM: does not end with a line end")
        first, *lines = text.removesuffix("\n").split("\n")
        need(match := re.fullmatch(rf"keyrite-upload 1 (\S+) (\S+) ({SHA}|-)", first), f"MANIFEST-FORM: {first!r}")
        self.of_trust(match[1])
        need(match[2] == self.trust["stage"], "UPLOAD-STAGE")
        need(match[3] == "-" or match[3] in self.changes, "its change is missing or refused")
        need(lines == sorted(lines), "MANIFEST-FORM: not sorted")
        listed, documents, ours = set(), {}, {}
        for line in lines:
            form = rf"({SHA})  ({NUMBER})  ([A-Za-z0-9._%-]+)  ({ROLE}|-)"
            need(entry := re.fullmatch(form, line), f"MANIFEST-FORM: {line!r}")
            sha, size, name, role = entry.groups()
            need(name not in (".", "..", "MANIFEST") and name not in listed, f"MANIFEST-PATH: {name}")
            listed.add(name)
            content = self.record.files["upload"].get(f"{folder}/{name}", (None, None))[1]
            need(content is not None, f"MANIFEST-MISMATCH: {name} is missing")
            need(sha256(content) == sha and len(content) == int(size), f"MANIFEST-MISMATCH: {name}")
            if role == "-":
                ours[name] = content.decode()
            else:
                documents[name] = unquote(role)
                known = [p for p in self.record.files["metadata"] if p.startswith(f"metadata/{role}/") and sha in p]
                need(known, f"{name} is not in metadata/")
        need("README.txt" in ours, "MANIFEST-FORM: no README.txt")
        self.check_lines(ours, documents)
        there = {p.removeprefix(f"{folder}/") for p in self.record.files["upload"] if p.startswith(f"{folder}/")}
        need(there == listed, f"MANIFEST-MISMATCH: {sorted(there - listed)} are not listed")

    def check_lines(self, ours: dict, documents: dict) -> None:
        """What an upload's lines hand to curl or a shell says nothing but what the documents are."""
        notary = self.profile == "notary"
        need(set(ours) <= {"README.txt", *(("post.curl", "fetch.curl") if notary else ("ORDER",))}, sorted(ours))
        careful = ["silent", "show-error", "globoff"]
        base = rf"https?://[A-Za-z0-9.:/\[\]_-]+/v2/{re.escape(self.trust['collection'])}/_trust/tuf/"
        if post := ours.get("post.curl"):
            *lines, url = post.removesuffix("\n").split("\n")
            forms = [f'form = "files=@{name};filename={role}"' for name, role in documents.items()]
            need(lines[:4] == [*careful, "fail-with-body"] and sorted(lines[4:]) == sorted(forms), "post.curl")
            need(re.fullmatch(f'url = "{base}"', url), f"post.curl: {url!r}")
        if fetch := ours.get("fetch.curl"):
            lines = fetch.removesuffix("\n").split("\n")
            need(lines[:6] == [*careful, "fail", "create-dirs", "connect-timeout = 30"], "fetch.curl")
            roles = []
            for url, output in zip(lines[6::2], lines[7::2], strict=True):
                need(one := re.fullmatch(f'url = "{base}([a-z0-9_/-]+).json"', url), f"fetch.curl: {url!r}")
                need(output == f'output = "published/{one[1]}.json"', f"fetch.curl: {output!r}")
                roles.append(one[1])
            need(roles[-4:] == ["root", "targets", "snapshot", "timestamp"], f"fetch.curl: {roles}")
        if order := ours.get("ORDER"):
            names = order.removesuffix("\n").split("\n")
            need(sorted(names) == sorted(documents), "ORDER")
            ranks = {"targets": 1, "snapshot": 2, "root": 3, "timestamp": 4}
            need(names == sorted(names, key=lambda name: ranks.get(documents[name], 0)), "ORDER is not in order")

    def check_finished(self) -> None:
        """What was cut off before its last file is no part of the record, and is shown."""
        for form, last in (("payload", "change.json"), ("upload", "MANIFEST")):
            folders = {place.rsplit("/", 1)[0] for place in self.record.files[form]}
            whole = {place.rsplit("/", 1)[0] for place in self.record.files["change"] | self.record.files["manifest"]}
            for folder in sorted(folders - whole):
                self.record.note(folder, f"has no {last} yet")

    def check_receipt(self, place: str, _captures: tuple, data: bytes) -> None:
        receipt = ours(data, "receipt")
        self.of_trust(receipt["trust"])
        date(receipt["at"])
        need(receipt["result"] in ("accepted", "rejected", "observed"), "result")

    def check_acts(self) -> None:
        """What transcripts say was made is there."""
        files = {form: set(self.record.files[form]) for form in FORMS}
        for place, entry in self.outcomes:
            outcome, missing = entry["outcome"], []
            match entry["act"]:
                case "key" | "enrol":
                    missing = [] if (outcome["name"], outcome["file"]) in self.keys else ["the key file"]
                case "sign":
                    known = any(outcome["file"] in p for p in files["sig"] | files["statement"])
                    missing = [] if known else ["the signature"]
                case "seal":
                    for role, sealed in outcome["documents"].items():
                        right = [d for d in self.documents if d.role == role and f".{sealed['file']}." in d.place]
                        kept = right and (right[0].trusted or right[0].withdrawn)
                        if not kept or right[0].version != sealed["version"]:
                            missing.append(f"{role} {sealed['version']}")
                        elif (ids := [s["keyid"] for s in right[0].signatures]) != sorted(ids):
                            self.record.refused(right[0].place, "its signatures are not sorted by key id")
                case "upload":
                    missing = [] if f"uploads/{outcome['manifest']}/MANIFEST" in files["manifest"] else ["the upload"]
                case "witness" if outcome.get("statement"):
                    missing = [] if outcome["statement"] in self.statements else ["the witness's statement"]
            if missing:
                self.record.refused(place, f"RECORD-REST: {', '.join(missing)} that it tells of is missing or refused")
            if entry["change"] is not None and entry["change"] not in self.changes:
                self.record.refused(place, "RECORD-REST: its change is missing or refused")


def listing(role: str, signed: dict) -> tuple[dict, list]:
    """The keys that a document lists, and its roles, each with the part of the limits for it."""
    if role == "root":
        return signed["keys"], [(part, signed["roles"][part]) for part in ("root", "targets")]
    delegations = signed.get("delegations") or {}
    return delegations.get("keys") or {}, [("delegations", each) for each in delegations.get("roles") or []]


def main() -> int:
    parser = argparse.ArgumentParser(description="verify a record from what FORMAT.md says")
    parser.add_argument("dir", type=Path)
    parser.add_argument("--anchor", metavar="VERSION:DIGEST")
    args = parser.parse_args()
    verifier = Verifier(read(args.dir))
    verifier.run(args.anchor)
    refused = 0
    for level, place, what in verifier.record.found:
        print(f"{level} {place}: {what}")
        refused += level == "refused"
    counts = {form: len(files) for form, files in verifier.record.files.items() if files}
    print(", ".join(f"{count} {form}" for form, count in counts.items()))
    for root in verifier.roots[-1:]:
        print(f"newest root {root.version}:{root.digest}")
    print(f"{refused} refused")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
