#!/usr/bin/env python3
"""Takes the key in DIR/keyid out of every delegation of DIR/targets.json that lists it, and signs the
next version, with python-tuf's own calls; prints the seconds. Start-up is left out of the time.
"""

import sys
import time
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Targets

directory = Path(sys.argv[1])
keyid = (directory / "keyid").read_text()
signer = CryptoSigner.generate_ed25519()
began = time.perf_counter()
targets = Metadata[Targets].from_file(str(directory / "targets.json"))
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
