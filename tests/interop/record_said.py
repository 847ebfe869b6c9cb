"""What signed statements and snapshots take away from documents, or settle between them.

Withdrawals and decisions as ceremonies/FORMAT.md has them; for verify_record.py, and like it
written from that page alone.
"""

import base64

from record_format import (
    ROOT_ROLES, Document, Record, Wrong, canonical, listed_key, sha256, strict, threshold_met,
)  # fmt: skip


def met(profile: str, keys: dict, role: dict, identities: set) -> bool:
    """Whether these public keys are a threshold of a role's."""
    listed = {listed_key(profile, each, keys[each]).identity for each in role["keyids"]}
    return len(listed & identities) >= role["threshold"]


def rank(role: str) -> tuple:
    """Root over targets over a delegator over its delegation."""
    return (("root", "targets").index(role) if role in ("root", "targets") else 2, role.count("/"), role)


class Said:
    """Statements about documents, and what snapshots name."""

    def __init__(self, profile: str, record: Record, statements: dict, documents: list) -> None:
        self.profile = profile
        self.makers, self.highest = {}, {}
        for captures, data in record.files["change"].values():
            self.read_change(captures[0], data)
        self.withdrawers, self.decisions = {}, {}
        for sentence, key in statements.values():
            body = sentence["body"]
            if sentence["kind"] == "withdrawal" and body["change"] in self.highest:
                self.withdrawers.setdefault(body["change"], set()).add(key.identity)
            elif sentence["kind"] == "decision":
                same = self.decisions.setdefault(body["what"], {})
                statement = sha256(canonical(sentence))
                same.setdefault(statement, (body["keep"], set(body["over"]), set()))[2].add(key.identity)
        self.gone = set()  # changes whose withdrawal counts
        self.named = self.read_snapshots(documents)

    def read_change(self, sha: str, data: bytes) -> None:
        try:
            items = strict(data)["items"]
            kinds = [item["kind"] for item in items if item["item"] == "statement"]
            made = [(item["role"], item["payload"]) for item in items if item["item"] == "document"]
        except (Wrong, KeyError, TypeError):
            return  # told of where changes are checked
        if made and "withdrawal" not in kinds:
            self.highest[sha] = min((role for role, _ in made), key=rank)
            for _, payload in made:
                self.makers.setdefault(payload, set()).add(sha)

    def read_snapshots(self, documents: list) -> list:
        """Role, version and digest (either may be None) of all that snapshots name which a root here vouches for."""
        roots = [document.signed for document in documents if document.role == "root"]
        named = []
        for snapshot in documents:
            if snapshot.role != "snapshot":
                continue
            try:
                vouched = [r for r in roots if threshold_met(self.profile, r["keys"], r["roles"]["snapshot"], snapshot)]
            except (Wrong, KeyError, TypeError):
                continue
            for name, meta in snapshot.signed["meta"].items() if vouched else []:
                digest = (meta.get("hashes") or {}).get("sha256")
                if self.profile == "notary":
                    named.append((name, None, base64.b64decode(digest).hex()))
                else:
                    named.append((name.removesuffix(".json"), meta["version"], digest))
        return named

    def is_named(self, document: Document) -> bool:
        """Whether clients were to have this very file."""
        file = document.place.split(".")[-2]
        return any(
            role == document.role and version in (None, document.version) and digest in (None, file)
            for role, version, digest in self.named
        )

    def withdrawn(self, document: Document, counts: object) -> bool:
        """Whether every change that made a document is withdrawn; `counts` judges who signed that."""
        makers = self.makers.get(document.digest, set())
        for change in makers:
            if self.highest[change] == document.role and counts(self.withdrawers.get(change, set())):
                self.gone.add(change)
        document.withdrawn = bool(makers) and makers <= self.gone and not self.is_named(document)
        return document.withdrawn

    def root_withdrawn(self, root: Document, before: list, all_roots: list) -> bool:
        """A root leaves by the threshold of the one before and its own, while no newer one rests on it alone."""

        def role_of(document: Document) -> tuple:
            return document.signed["keys"], document.signed["roles"]["root"]

        def verifies(newer: Document, older: Document) -> bool:
            try:
                return all(threshold_met(self.profile, *role_of(each), newer) for each in (older, newer))
            except (Wrong, KeyError, TypeError):
                return False

        siblings = [each for each in all_roots if each.version == root.version and each.digest != root.digest]
        rests = any(
            verifies(newer, root) and not any(verifies(newer, other) for other in siblings)
            for newer in all_roots
            if newer.version == root.version + 1
        )
        return self.withdrawn(
            root,
            lambda signed: not rests and all(met(self.profile, *role_of(each), signed) for each in [*before, root]),
        )

    def decided(self, what: str, decider: tuple | None) -> tuple:
        """What the decisions in force keep (or None), and what they are over, for a thing in conflict."""
        counted = {
            statement: (keep, over)
            for statement, (keep, over, signed) in self.decisions.get(what, {}).items()
            if decider and met(self.profile, *decider, signed)
        }
        overruled = {sha for _, over in counted.values() for sha in over}
        standing = [said for statement, said in counted.items() if statement not in overruled]
        keeps = {keep for keep, _ in standing}
        out = {sha for _, over in standing for sha in over}
        if keeps & out:
            return None, set()  # two that contradict each other decide nothing
        return (keeps.pop() if len(keeps) == 1 else None), out

    def settle(self, rivals: list, delegator: tuple | None, decider: tuple | None) -> list:
        """Of documents of one role and version that differ, those that are left after all that decides."""
        role = rivals[0].role
        if delegator and role not in ROOT_ROLES:
            # Whoever holds a revoked key can sign any number: those conflict with nothing.
            today = [each for each in rivals if threshold_met(self.profile, *delegator, each)]
            rivals = today or rivals
        named = [each for each in rivals if self.is_named(each)]
        if named:
            return named
        _, out = self.decided(rivals[0].place.rsplit(".", 2)[0], decider)
        payloads = {each.digest for each in rivals if each.digest in out or each.place.split(".")[-2] in out}
        return [each for each in rivals if each.digest not in payloads]
