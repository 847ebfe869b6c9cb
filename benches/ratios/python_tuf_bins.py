#!/usr/bin/env python3
"""A repository of 16,384 delegated bins (TAP 15), by python-tuf's own calls.

    python_tuf_bins.py make DIR      writes it, each document by its name
    python_tuf_bins.py verify DIR    verifies all of it as python-tuf's client does; prints the seconds

Start-up and reading the files are left out of the time, as on keyrite's side.
"""

import hashlib
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    Delegations,
    MetaFile,
    Metadata,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

BITS = 14
FILES_EACH = 10
UNTIL = datetime(2099, 1, 1, tzinfo=timezone.utc)


def make(directory):
    signers = {role: CryptoSigner.generate_ed25519() for role in ("root", "timestamp", "snapshot", "targets", "bins")}

    def write(name, signed, role):
        metadata = Metadata(signed)
        metadata.sign(signers[role])
        data = metadata.to_bytes()
        (directory / name).write_bytes(data)
        return MetaFile(1, len(data), {"sha256": hashlib.sha256(data).hexdigest()})

    root = Root(expires=UNTIL, consistent_snapshot=True)
    for role in ("root", "timestamp", "snapshot", "targets"):
        root.add_key(signers[role].public_key, role)
    write("1.root.json", root, "root")

    key = signers["bins"].public_key
    roles = SuccinctRoles([key.keyid], 1, BITS, "bins")
    bins = {name: {} for name in roles.get_roles()}
    for number in range(FILES_EACH << BITS):
        path = f"packages/package-{number}.whl"
        digest = hashlib.sha256(path.encode()).hexdigest()
        bins[roles.get_role_for_target(path)][path] = TargetFile(1000 + number, {"sha256": digest}, path)

    delegations = Delegations({key.keyid: key}, None, roles)
    meta = {"targets.json": write("1.targets.json", Targets(expires=UNTIL, delegations=delegations), "targets")}
    for name, files in bins.items():
        meta[f"{name}.json"] = write(f"1.{name}.json", Targets(expires=UNTIL, targets=files), "bins")
    listed = write("1.snapshot.json", Snapshot(expires=UNTIL, meta=meta), "snapshot")
    write("timestamp.json", Timestamp(expires=UNTIL, snapshot_meta=listed), "timestamp")


def verify(directory):
    files = {path.name: path.read_bytes() for path in directory.glob("*.json")}
    began = time.perf_counter()
    trusted = TrustedMetadataSet(files["1.root.json"], EnvelopeType.METADATA)
    trusted.update_timestamp(files["timestamp.json"])
    trusted.update_snapshot(files["1.snapshot.json"])
    targets = trusted.update_targets(files["1.targets.json"])
    for name in targets.delegations.succinct_roles.get_roles():
        trusted.update_delegated_targets(files[f"1.{name}.json"], name, "targets")
    seconds = time.perf_counter() - began
    assert len(trusted) == 4 + (1 << BITS)
    print(seconds)


{"make": make, "verify": verify}[sys.argv[1]](Path(sys.argv[2]))
