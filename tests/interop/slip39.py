#!/usr/bin/env python3
"""Splits and recombines by the SLIP-39 authors' own program, one JSON request a line.

{"groups": [[2, 3]], "needed": 1, "secret": "<hex>", "passphrase": "", "extendable": true, "exponent": 0}
    answers the shares, a list of words for each group
{"shares": ["…"], "passphrase": ""}
    answers the secret in hexadecimal, or null if it refuses the shares
"""

import json
import sys

import shamir_mnemonic as slip39

for line in sys.stdin:
    asked = json.loads(line)
    passphrase = asked["passphrase"].encode()
    if "shares" in asked:
        try:
            answer = slip39.combine_mnemonics(asked["shares"], passphrase).hex()
        except slip39.MnemonicError:
            answer = None
    else:
        answer = slip39.generate_mnemonics(
            asked["needed"],
            [tuple(group) for group in asked["groups"]],
            bytes.fromhex(asked["secret"]),
            passphrase,
            extendable=asked["extendable"],
            iteration_exponent=asked["exponent"],
        )
    print(json.dumps(answer), flush=True)
