#!/usr/bin/env python3
"""Makes a small TUF repository with python-tuf, for our reader to be tried on.

    make_tuf_repo.py DIR [--keys ed25519|ecdsa|rsa|mixed] [--rotate] [--slashes]
                         [--expires-in-days N] [--private PHRASE]

DIR must not exist. Written below it:

    root.json              the root to trust first (version 1)
    metadata/              <n>.root.json, 1.targets.json, 1.app1.json, 1.sub.json,
                           1.snapshot.json, timestamp.json (consistent snapshots)
    targets/               the files, each twice: as app1/<sha256>.firmware.bin, which is what the
                           specification and python-tuf call it, and as <sha256>.app1/firmware.bin,
                           which is where tough looks
    expected.json          what a client must see: root's version and key ids, targets, expiry

Root has three keys with a threshold of two, the other roles one key each. `targets` lists
`hello.txt` and delegates `app1/*` to `app1`, which delegates `app1/sub/*` to `sub`. With
`--rotate` there is a root version 2 that replaces a root key. With `--slashes` the roles are
called `targets/app1` and `targets/app1/sub`, as in Notary; their files are `1.targets%2Fapp1.json`
and so on. `mixed` uses each kind once for root. A negative N makes a repository that has expired.
Keys are new each time and are thrown away; with `--private` they stay in keys/, as PKCS#8 under that
pass-phrase, named by role: root-0.pem, targets.pem.
"""

import argparse
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from cryptography.hazmat.primitives import serialization
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

MAKERS = {
    "ed25519": CryptoSigner.generate_ed25519,
    "ecdsa": CryptoSigner.generate_ecdsa,
    "rsa": lambda: CryptoSigner.generate_rsa(size=2048),
}
FILES = {
    "targets": ("hello.txt", b"hello\n"),
    "app1": ("app1/firmware.bin", b"firmware of app1\n"),
    "sub": ("app1/sub/patch.bin", b"patch of sub\n"),
}
SLASHES = {"app1": "targets/app1", "sub": "targets/app1/sub"}


def main() -> None:
    parser = argparse.ArgumentParser(description="make a small TUF repository")
    parser.add_argument("dir", type=Path)
    parser.add_argument("--keys", choices=[*MAKERS, "mixed"], default="ed25519")
    parser.add_argument("--rotate", action="store_true")
    parser.add_argument("--slashes", action="store_true")
    parser.add_argument("--expires-in-days", type=int, default=365)
    parser.add_argument("--private")
    args = parser.parse_args()

    metadata, targets = args.dir / "metadata", args.dir / "targets"
    args.dir.mkdir(parents=True)
    metadata.mkdir()
    targets.mkdir()
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=args.expires_in_days)

    root_kinds = list(MAKERS) if args.keys == "mixed" else [args.keys] * 3
    kind = "ecdsa" if args.keys == "mixed" else args.keys
    root_keys = [MAKERS[each]() for each in root_kinds]
    keys = {role: MAKERS[kind]() for role in ("targets", "snapshot", "timestamp", "app1", "sub")}

    def write(document: Metadata, name: str, signers: list) -> bytes:
        for signer in signers:
            document.sign(signer, append=True)
        data = document.to_bytes(JSONSerializer(compact=False))
        (metadata / name).write_bytes(data)
        return data

    root = Root(expires=expires, consistent_snapshot=True)
    for signer in root_keys:
        root.add_key(signer.public_key, "root")
    root.roles["root"].threshold = 2
    for role in ("targets", "snapshot", "timestamp"):
        root.add_key(keys[role].public_key, role)
    first = write(Metadata(root), "1.root.json", root_keys)
    (args.dir / "root.json").write_bytes(first)
    if args.rotate:
        root.version = 2
        root.revoke_key(root_keys[0].public_key.keyid, "root")
        added = MAKERS[root_kinds[0]]()
        root.add_key(added.public_key, "root")
        # The leaving key signs once more, as it would in a ceremony.
        write(Metadata(root), "2.root.json", [*root_keys, added])
        root_keys.append(added)

    def called(name: str) -> str:
        return SLASHES.get(name, name) if args.slashes else name

    def delegated(name: str, paths: list[str]) -> Delegations:
        key = keys[name].public_key
        role = DelegatedRole(called(name), [key.keyid], 1, terminating=False, paths=paths)
        return Delegations({key.keyid: key}, {called(name): role})

    snapshot = Snapshot(expires=expires)
    seen = {}
    for role, delegations in (
        ("sub", None),
        ("app1", delegated("sub", ["app1/sub/*"])),
        ("targets", delegated("app1", ["app1/*", "app1/sub/*"])),
    ):
        name, content = FILES[role]
        listed = {name: TargetFile.from_data(name, content)}
        document = Metadata(Targets(expires=expires, targets=listed, delegations=delegations))
        write(document, f"1.{quote(called(role), safe='')}.json", [keys[role]])
        snapshot.meta[f"{called(role)}.json"] = MetaFile(1)
        digest = hashlib.sha256(content).hexdigest()
        path = targets / name
        for file in (path.with_name(f"{digest}.{path.name}"), targets / f"{digest}.{name}"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        seen[name] = {"length": len(content), "sha256": digest, "role": called(role)}
    write(Metadata(snapshot), "1.snapshot.json", [keys["snapshot"]])
    write(Metadata(Timestamp(expires=expires)), "timestamp.json", [keys["timestamp"]])

    if args.private:
        (args.dir / "keys").mkdir()
        named = keys | {f"root-{n}": signer for n, signer in enumerate(root_keys)}
        lock = serialization.BestAvailableEncryption(args.private.encode())
        for name, signer in named.items():
            private = serialization.load_pem_private_key(signer.private_bytes, None)
            pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
            (args.dir / "keys" / f"{name}.pem").write_bytes(pem)
            (args.dir / "keys" / f"{name}.pem").chmod(0o600)

    expected = {
        "root": root.version,
        "root_keyids": root.roles["root"].keyids,
        "root_threshold": 2,
        "targets": seen,
        "expires": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    (args.dir / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")
    print(json.dumps(expected, indent=2))


if __name__ == "__main__":
    main()
