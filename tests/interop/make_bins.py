#!/usr/bin/env python3
"""Makes a TUF repository of hash bins with python-tuf, for our client to be tried on.

    make_bins.py DIR --bits N [--prefixes] [--files M] [--loose]

DIR must not exist. Written below it: root.json, metadata/ and expected.json (path -> role), as
make_tuf_repo.py has them, but no target files. The top-level targets delegate to 2^N bins: as
succinct roles (TAP 15), or with `--prefixes` as that many delegations by path_hash_prefixes.
`--loose` writes names of metadata files without version numbers (no consistent snapshots).
"""

import argparse
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer


def main() -> None:
    parser = argparse.ArgumentParser(description="make a TUF repository of hash bins")
    parser.add_argument("dir", type=Path)
    parser.add_argument("--bits", type=int, required=True)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--prefixes", action="store_true")
    parser.add_argument("--loose", action="store_true")
    args = parser.parse_args()

    metadata = args.dir / "metadata"
    metadata.mkdir(parents=True)
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=365)
    keys = {role: CryptoSigner.generate_ed25519() for role in ("root", "targets", "snapshot", "timestamp", "bin")}

    def write(signed: object, name: str, version: str, signer: str) -> bytes:
        document = Metadata(signed)
        document.sign(keys[signer])
        data = document.to_bytes(JSONSerializer(compact=True))
        (metadata / f"{'' if args.loose else version}{name}.json").write_bytes(data)
        return data

    root = Root(expires=expires, consistent_snapshot=not args.loose)
    for role in ("root", "targets", "snapshot", "timestamp"):
        root.add_key(keys[role].public_key, role)
    document = Metadata(root)
    document.sign(keys["root"])
    first = document.to_bytes(JSONSerializer(compact=True))
    (args.dir / "root.json").write_bytes(first)
    (metadata / "1.root.json").write_bytes(first)

    key = keys["bin"].public_key
    succinct = SuccinctRoles([key.keyid], 1, args.bits, "bin")
    names = list(succinct.get_roles())
    if args.prefixes:
        digits = len(names[0].rsplit("-", 1)[1])
        step = 1 << (4 * digits - args.bits)
        roles = {}
        for number, name in enumerate(names):
            covered = range(number * step, (number + 1) * step)
            prefixes = [f"{prefix:0{digits}x}" for prefix in covered]
            roles[name] = DelegatedRole(name, [key.keyid], 1, terminating=True, path_hash_prefixes=prefixes)
        delegations = Delegations({key.keyid: key}, roles)
    else:
        delegations = Delegations({key.keyid: key}, succinct_roles=succinct)

    bins = {name: Targets(expires=expires) for name in names}
    expected = {}
    for number in range(args.files):
        path = f"app/{number}.bin"
        role = succinct.get_role_for_target(path)
        bins[role].targets[path] = TargetFile.from_data(path, path.encode())
        expected[path] = role

    snapshot = Snapshot(expires=expires)
    for name, signed, signer in [("targets", Targets(expires=expires, delegations=delegations), "targets")] + [
        (name, bins[name], "bin") for name in names
    ]:
        data = write(signed, name, "1.", signer)
        digest = hashlib.sha256(data).hexdigest()
        snapshot.meta[f"{name}.json"] = MetaFile(1, len(data), {"sha256": digest})
    data = write(snapshot, "snapshot", "1.", "snapshot")
    timestamp = Timestamp(expires=expires)
    timestamp.snapshot_meta = MetaFile(1, len(data), {"sha256": hashlib.sha256(data).hexdigest()})
    write(timestamp, "timestamp", "", "timestamp")
    (args.dir / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main()
