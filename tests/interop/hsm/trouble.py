"""Faults that are asked for, and whatever else is sent."""

import contextlib
import random
import socket
import struct

from device import Device, expect, log_all, new_key, refused, sign_entries, verify
from yubihsm.defs import COMMAND, ERROR
from yubihsm.exceptions import YubiHsmConnectionError, YubiHsmDeviceError, YubiHsmInvalidResponseError
from yubihsm.objects import AsymmetricKey


def check_faults() -> None:
    with Device() as device:
        session = device.session()
        log_all(session)
        key = new_key(session, key_id=0x0101)
        for line in ("split 1", "split 7", "drip 1", "split 100\ndrip 20"):
            device.faults(line)
            verify(key.get_public_key(), key.sign_ecdsa(b"x"), b"x")
        expect(len(device.faults_left()) > 0, "holds until it is taken out")
        device.faults()
        made = len(sign_entries(session.get_log_entries().entries))
        device.faults("error 07 56")
        with refused(ERROR.STORAGE_FAILED, "an error that was asked for"):
            key.sign_ecdsa(b"x")
        expect(device.faults_left() == "", "fires once")
        device.faults("mac 56")
        try:
            key.sign_ecdsa(b"x")
            expect(False, "a wrong MAC")
        except YubiHsmInvalidResponseError:
            made += 1
        session = device.session()
        device.faults("drop 56")
        try:
            key.with_session(session).sign_ecdsa(b"x")
            expect(False, "half an answer")
        except (YubiHsmConnectionError, YubiHsmInvalidResponseError):
            made += 1
        for word, counts in (("before", 0), ("after", 1)):
            session = device.session()
            device.faults(f"{word} 56")
            try:
                key.with_session(session).sign_ecdsa(b"x")
                expect(False, "no power")
            except YubiHsmConnectionError:
                made += counts
            expect(device.process.wait() == 86, "no power")
            device.restart()
        session = device.session()
        entries = session.get_log_entries().entries
        signed = [e for e in sign_entries(entries) if e.result == 0xD6]
        expect(len(signed) == made, f"{len(signed)} of {made} signatures are in the log")


def check_hostile() -> None:
    """Whatever is sent, the device stays, and stays the same."""
    with Device() as device:
        dice = random.Random(7550123)
        session = device.session()
        key = new_key(session, key_id=0x0101)
        public = key.get_public_key()
        wire = session._hsm._backend.transceive
        # In the open: noise, true commands with noise, lengths that lie.
        for _ in range(1500):
            body = dice.randbytes(dice.choice((0, 1, 2, 8, 10, 17, 25, 40, 300, 3000)))
            command = dice.choice((1, 3, 4, 5, 6, 0x0A, dice.randrange(256)))
            length = dice.choice((len(body), len(body), 0, 65535, dice.randrange(65536)))
            answer = wire(struct.pack("!BH", command, length) + body)
            expect(len(answer) >= 3, f"{command:02x}: {answer.hex()}")
            expect(struct.unpack("!H", answer[1:3])[0] == len(answer) - 3, f"{command:02x}: {answer.hex()}")
        for noise in (b"", b"\x05", b"\x05\0", b"\x05\0\0", b"\xff" * 60000):
            wire(noise)
        device.restart()
        session = device.session()
        # Inside of a session, where nothing of it may end the session or the device.
        for _ in range(1500):
            command = dice.choice([c for c in COMMAND if c not in (COMMAND.RESET_DEVICE, COMMAND.CLOSE_SESSION)])
            body = dice.randbytes(dice.choice((0, 1, 2, 3, 5, 30, 53, 61, 93, 120, 1000)))
            if dice.random() < 0.5:
                body = struct.pack("!H", dice.choice((0, 1, 0x0101))) + body
            if command in (COMMAND.DELETE_OBJECT, COMMAND.CHANGE_AUTHENTICATION_KEY, COMMAND.SET_OPTION):
                body = body[:1]
            with contextlib.suppress(YubiHsmDeviceError):
                session.send_secure_cmd(command, body)
        for inner in (b"", b"\x56", b"\x56\0", b"\x56\xff\xff", b"\x56\0\0\0"):
            answer = session._secure_transceive(inner)
            expect(answer[:4] == b"\x7f\0\1\x08", f"{inner.hex()}: {answer.hex()}")
        # The connector: what is no request, what is cut, what is too long.
        for text in (
            b"",
            b"\0" * 100,
            b"GET / HTTP/1.1\r\n\r\n",
            b"POST /connector/api HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"POST /connector/api HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
            b"POST /connector/api HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc",
            b"POST /connector/api HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"DELETE /connector/api HTTP/1.1\r\n\r\n",
            b"GET /connector/status HTTP/1.1\r\n" + b"a: b\r\n" * 10000 + b"\r\n",
            b"GET /connector/status" + b"x" * 100000,
            b"nonsense\r\n\xff\xfe\r\n\r\n",
        ):
            with socket.create_connection(device.address, timeout=10) as raw, contextlib.suppress(OSError):
                raw.sendall(text)
                raw.shutdown(socket.SHUT_WR)
                answer = raw.recv(4096)
                expect(answer[:9] in (b"", b"HTTP/1.1 "), f"{answer}")
                expect(b" 200 " not in answer[:20], f"{text[:60]}: {answer[:60]}")
        expect(device.process.poll() is None, "still there")
        key = AsymmetricKey(device.session(), 0x0101)
        expect(key.get_public_key() == public, "still the same")
        verify(public, key.sign_ecdsa(b"x"), b"x")
