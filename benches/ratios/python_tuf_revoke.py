#!/usr/bin/env python3
"""Checks DIR/targets.json by DIR/root.json, takes the key in DIR/keyid out of every delegation that
lists it, and signs the next version, with python-tuf's own calls; prints the seconds. Start-up and
reading the root are left out of the time.
"""

import sys
import time
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, Targets

directory = Path(sys.argv[1])
keyid = (directory / "keyid").read_text()
signer = CryptoSigner.generate_ed25519()
root = Metadata[Root].from_file(str(directory / "root.json")).signed
began = time.perf_counter()
targets = Metadata[Targets].from_file(str(directory / "targets.json"))
root.verify_delegate("targets", targets.signed_bytes, targets.signatures)
delegations = targets.signed.delegations
for name, role in delegations.roles.items():
    if keyid in role.keyids:
        targets.signed.revoke_key(keyid, name)
targets.signed.version += 1
targets.sign(signer)
targets.to_file(str(directory / "python.json"))
seconds = time.perf_counter() - began
assert keyid not in delegations.keys
print(seconds)
