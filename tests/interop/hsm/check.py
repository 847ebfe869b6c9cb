#!/usr/bin/env python3
"""Checks the simulated YubiHSM 2 from the other side, with Yubico's own client.

    check.py PROGRAM FOLDER CHECK

PROGRAM is tests/standins/yubihsm, FOLDER a new folder for its devices, CHECK one of the functions
beside this whose names begin with `check_`; `all` lists them. Says `CHECK: N seen` and exits 0, or
fails where the device is not as Yubico says that a YubiHSM 2 is.
"""

import sys

import access
import device
import evidence
import objects
import trouble

CHECKS = {
    name.removeprefix("check_"): check
    for module in (access, objects, evidence, trouble)
    for name, check in vars(module).items()
    if name.startswith("check_")
}


def main() -> None:
    if sys.argv[3] == "all":
        print("\n".join(CHECKS))
        return
    CHECKS[sys.argv[3]]()
    print(f"{sys.argv[3]}: {device.seen} seen")


if __name__ == "__main__":
    main()
