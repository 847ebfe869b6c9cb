"""A simulated YubiHSM 2, and what the checks of it share."""

import contextlib
import os
import subprocess
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from yubihsm import YubiHsm
from yubihsm.defs import ALGORITHM, AUDIT, CAPABILITY, COMMAND, ERROR
from yubihsm.exceptions import YubiHsmDeviceError
from yubihsm.objects import AsymmetricKey, AuthenticationKey


EXPORTABLE = CAPABILITY.EXPORTABLE_UNDER_WRAP
SIGN = CAPABILITY.SIGN_ECDSA
SERIAL = 7550123
seen = 0


def expect(fact: bool, what: str) -> None:
    global seen
    seen += 1
    if not fact:
        raise AssertionError(what)


@contextlib.contextmanager
def refused(code: ERROR, what: str):
    try:
        yield
    except YubiHsmDeviceError as error:
        expect(error.code == code, f"{what}: {error}, not {code.name}")
    else:
        expect(False, f"{what}: done")


class Device:
    """A simulated device, and its files."""

    def __init__(self, name: str = "device", firmware: str = "2.4.0", serial: int = SERIAL, idle: int = 30):
        self.state = os.path.join(sys.argv[2], f"{name}.json")
        self.faults_file = os.path.join(sys.argv[2], f"{name}.faults")
        self.options = ["--firmware", firmware, "--serial", str(serial), "--idle", str(idle)]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.argv[1], "--listen", "127.0.0.1:0", "--state", self.state, *self.options],
            stdout=subprocess.PIPE,
            text=True,
        )
        words = self.process.stdout.readline().split()
        expect(words[:1] == ["listening"], f"{words}")
        host, _, port = words[1].partition(":")
        self.address = (host, int(port))
        self.url = f"http://{words[1]}"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def connect(self) -> YubiHsm:
        return YubiHsm.connect(self.url)

    def session(self, key: int = 1, password: str = "password"):
        return self.connect().create_session_derived(key, password)

    def faults(self, *lines: str) -> None:
        with open(self.faults_file, "w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in lines)

    def faults_left(self) -> str:
        with open(self.faults_file, encoding="ascii") as file:
            return file.read()


def new_user(session, capabilities, delegated=CAPABILITY.NONE, domains=0xFFFF) -> int:
    return AuthenticationKey.put_derived(session, 0, "user", domains, capabilities, delegated, "user").id


def new_key(session, capabilities=SIGN, algorithm=ALGORITHM.EC_P256, domains=1, key_id=0) -> AsymmetricKey:
    return AsymmetricKey.generate(session, key_id, "key", domains, capabilities, algorithm)


def log_all(session) -> None:
    quiet = (COMMAND.ERROR, COMMAND.DEVICE_INFO, COMMAND.GET_LOG_ENTRIES, COMMAND.ECHO, COMMAND.SESSION_MESSAGE)
    session.set_command_audit({command: AUDIT.ON for command in COMMAND if command not in quiet})


def sign_entries(entries) -> list:
    return [e for e in entries if e.command in (COMMAND.SIGN_ECDSA, COMMAND.SIGN_EDDSA)]


def verify(public, signature: bytes, data: bytes, digest=hashes.SHA256) -> None:
    if isinstance(public, ed25519.Ed25519PublicKey):
        public.verify(signature, data)
    else:
        public.verify(signature, data, ec.ECDSA(digest()))
    expect(True, "verified")
