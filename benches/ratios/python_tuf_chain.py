#!/usr/bin/env python3
"""Verifies DIR/1.root.json and those after it as python-tuf's client does; prints the seconds.

Start-up and reading the files are left out of the time, as on keyrite's side.
"""

import sys
import time
from pathlib import Path

from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

directory = Path(sys.argv[1])
files = [path.read_bytes() for path in sorted(directory.iterdir(), key=lambda path: int(path.name.split(".")[0]))]
began = time.perf_counter()
trusted = TrustedMetadataSet(files[0], EnvelopeType.METADATA)
for data in files[1:]:
    trusted.update_root(data)
seconds = time.perf_counter() - began
assert trusted.root.version == len(files)
print(seconds)
