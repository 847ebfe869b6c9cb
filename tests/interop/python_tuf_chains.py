#!/usr/bin/env python3
"""Follows chains of roots with python-tuf, the reference implementation.

    python_tuf_chains.py < CHAINS

Each line of CHAINS is JSON: `{"name":…,"roots":[BASE64…],"refused":[BASE64…]}`. The first root is
trusted, each further one has to be taken as a client takes it; and after the one before it, each
of `refused` (at the same place, from the second root on) must not be taken. Prints how many roots
were taken and how many refused; exits 1 at the first chain that goes otherwise.
"""

import base64
import json
import sys

from tuf.api.exceptions import UnsignedMetadataError
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType


def main() -> None:
    taken = refused = 0
    for line in sys.stdin:
        chain = json.loads(line)
        roots = [base64.b64decode(root) for root in chain["roots"]]
        trusted = TrustedMetadataSet(roots[0], EnvelopeType.METADATA)
        for root, bad in zip(roots[1:], chain["refused"], strict=True):
            try:
                trusted.update_root(base64.b64decode(bad))
            except UnsignedMetadataError:
                refused += 1
            else:
                sys.exit(f"{chain['name']}: took a root with a signature too few")
            try:
                trusted.update_root(root)
            except Exception as error:  # noqa: BLE001 - whatever it is, the chain is broken
                sys.exit(f"{chain['name']}: {error!r}")
            taken += 1
    print(json.dumps({"taken": taken, "refused": refused}))


if __name__ == "__main__":
    main()
