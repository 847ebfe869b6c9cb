"""Keys and what is kept with them."""

import contextlib
import os
import struct
import subprocess
import sys
import urllib.request

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from device import EXPORTABLE, SERIAL, SIGN, Device, expect, log_all, new_key, new_user, refused, verify
from yubihsm.defs import ALGORITHM, CAPABILITY, COMMAND, ERROR, OBJECT, ORIGIN
from yubihsm.exceptions import YubiHsmDeviceError
from yubihsm.objects import AsymmetricKey, AuthenticationKey, Opaque, WrapKey


def check_keys() -> None:
    with Device() as device, device.session() as session:
        for algorithm, curve, size in (
            (ALGORITHM.EC_P256, ec.SECP256R1, 96),
            (ALGORITHM.EC_P384, ec.SECP384R1, 144),
        ):
            own = ec.generate_private_key(curve())
            put = AsymmetricKey.put(session, 0, "put", 1, SIGN, own)
            expect(put.get_public_key() == own.public_key(), "the key that was put")
            for key, origin in ((put, ORIGIN.IMPORTED), (new_key(session, SIGN, algorithm), ORIGIN.GENERATED)):
                info = key.get_info()
                expect((info.origin, info.size, info.algorithm) == (origin, size, algorithm), f"{info}")
                for digest in (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512):
                    verify(key.get_public_key(), key.sign_ecdsa(b"x", digest()), b"x", digest)
                expect(key.sign_ecdsa(b"x") != key.sign_ecdsa(b"x"), "a new number for each signature")
                for length in (0, 1, 31, 33, 65):
                    with refused(ERROR.INVALID_DATA, f"a digest of {length} bytes"):
                        session.send_secure_cmd(COMMAND.SIGN_ECDSA, struct.pack("!H", key.id) + bytes(length))
        own = ed25519.Ed25519PrivateKey.generate()
        put = AsymmetricKey.put(session, 0, "put", 1, CAPABILITY.SIGN_EDDSA, own)
        expect(put.get_public_key() == own.public_key(), "the key that was put")
        for key in (put, new_key(session, CAPABILITY.SIGN_EDDSA, ALGORITHM.EC_ED25519)):
            for length in (0, 1, 128, 2019, 3100):
                verify(key.get_public_key(), key.sign_eddsa(bytes(length)), bytes(length))
        expect(put.sign_eddsa(b"x") == own.sign(b"x"), "Ed25519 of one key is always the same")
        # Sequence: how many of this type and id there were.
        for sequence in range(3):
            key = new_key(session, key_id=0x77)
            expect(key.get_info().sequence == sequence, "sequence")
            key.delete()
        with refused(ERROR.OBJECT_NOT_FOUND, "a deleted key"):
            key.sign_ecdsa(b"x")
        with refused(ERROR.INVALID_ID, "the id that is none"):
            new_key(session, key_id=0xFFFF)
        with refused(ERROR.INVALID_DATA, "RSA, which is not simulated"):
            new_key(session, SIGN, ALGORITHM.RSA_2048)
        label = "a".ljust(40, "b")
        key = AsymmetricKey.generate(session, 0x99, label, 1, SIGN, ALGORITHM.EC_P256)
        expect(key.get_info().label == label, "a label of 40 bytes")
        listed = session.list_objects(label=label, capabilities=SIGN, domains=3, algorithm=ALGORITHM.EC_P256)
        expect([o.id for o in listed] == [0x99], f"{listed}")
        expect(session.list_objects(object_id=0x99, algorithm=ALGORITHM.EC_P384) == [], "no such object")
        public = device.connect().get_device_public_key()
        expect(public.curve.name == "secp256r1", "the device's own public key")
        expect(Opaque(session, 0).get_certificate().public_key() != public, "is not what attests")


def check_wrap() -> None:
    may = CAPABILITY.EXPORT_WRAPPED | CAPABILITY.IMPORT_WRAPPED
    wrong = ERROR.INSUFFICIENT_PERMISSIONS
    raw = os.urandom(32)
    with Device("a") as a, Device("b", serial=SERIAL + 1) as b, a.session() as at_a, b.session() as at_b:

        def put(session, delegated=CAPABILITY.ALL, capabilities=may, key_id=5, raw=raw):
            return WrapKey.put(
                session, key_id, "wrap", 1, capabilities, ALGORITHM.AES256_CCM_WRAP, delegated, raw
            )

        wrap, other = put(at_a), put(at_b)
        expect(wrap.get_info().size == 40, "a wrap key's size")
        signs = {ALGORITHM.EC_ED25519: CAPABILITY.SIGN_EDDSA}
        for algorithm in (ALGORITHM.EC_P256, ALGORITHM.EC_P384, ALGORITHM.EC_ED25519):
            capability = signs.get(algorithm, SIGN)
            key = new_key(at_a, capability | EXPORTABLE, algorithm)
            info = key.get_info()
            seeds = (False, True) if algorithm in signs else (False,)
            for seed in seeds:
                blob = wrap.export_wrapped(key, seed)
                plain = AESCCM(raw, tag_length=16).decrypt(blob[:13], blob[13:], None)
                head = struct.unpack("!BQHHHBBBB40s", plain[:59])
                length = len(plain) - 59
                expect(
                    head[:9] == (42, info.capabilities, info.id, length, 1, 3, algorithm, 0, 1)
                    and length == (128 if seed else info.size),
                    f"{head}",
                )
                copy = other.import_wrapped(blob)
                expect(copy.get_info().origin == ORIGIN.GENERATED | ORIGIN.IMPORTED_WRAPPED, "its origin")
                expect(copy.get_public_key() == key.get_public_key(), "the same key")
                signed = copy.sign_eddsa(b"x") if algorithm in signs else copy.sign_ecdsa(b"x")
                verify(key.get_public_key(), signed, b"x")
                with refused(ERROR.OBJECT_EXISTS, "twice"):
                    other.import_wrapped(blob)
                copy.delete()
            for place in (0, 13, 40, len(blob) - 1):
                with refused(ERROR.INVALID_DATA, "a changed blob"):
                    other.import_wrapped(blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :])
            for cut in (0, 12, 13, 28, 29, len(blob) - 1):
                with contextlib.suppress(YubiHsmDeviceError):
                    other.import_wrapped(blob[:cut])
                    expect(False, "a cut blob")
        with refused(wrong, "a key that may not leave"):
            wrap.export_wrapped(new_key(at_a))
        weak = put(at_a, delegated=EXPORTABLE, key_id=6)
        with refused(wrong, "more than the wrap key passes on"):
            weak.export_wrapped(key)
        with refused(wrong, "more than the wrap key passes on, inwards"):
            put(at_b, delegated=EXPORTABLE, key_id=6).import_wrapped(blob)
        with refused(wrong, "a wrap key that may not export"):
            put(at_a, capabilities=CAPABILITY.IMPORT_WRAPPED, key_id=7).export_wrapped(key)
        with refused(ERROR.INVALID_DATA, "another wrap key"):
            put(at_b, key_id=8, raw=bytes(32)).import_wrapped(blob)
        with refused(ERROR.WRONG_LENGTH, "half a wrap key"):
            at_a.send_secure_cmd(
                COMMAND.PUT_WRAP_KEY,
                struct.pack("!H40sHQBQ", 0, b"w", 1, may, ALGORITHM.AES256_CCM_WRAP, 0) + bytes(16),
            )
        opaque = Opaque.put(at_a, 0x55, "data", 1, EXPORTABLE, ALGORITHM.OPAQUE_DATA, b"some data")
        expect(other.import_wrapped(wrap.export_wrapped(opaque)).get() == b"some data", "an opaque object")
        user = AuthenticationKey.put_derived(at_a, 0x56, "u", 1, SIGN | EXPORTABLE, CAPABILITY.NONE, "their word")
        other.import_wrapped(wrap.export_wrapped(user))
        b.session(0x56, "their word").close()
        inner = WrapKey.generate(at_a, 0x57, "i", 1, may | EXPORTABLE, ALGORITHM.AES128_CCM_WRAP, SIGN)
        expect(other.import_wrapped(wrap.export_wrapped(inner)).get_info().delegated_capabilities == SIGN, "a wrap key")
        made = new_user(at_b, CAPABILITY.IMPORT_WRAPPED, domains=0b10)
        key2 = WrapKey.put(at_b, 9, "w", 3, may, ALGORITHM.AES256_CCM_WRAP, CAPABILITY.ALL, raw)
        with b.session(made, "user") as narrow, refused(wrong, "into a domain that is not theirs"):
            key2.with_session(narrow).import_wrapped(blob)


def check_reset() -> None:
    with Device() as device:
        session = device.session()
        before = Opaque(session, 0).get_certificate().public_key()
        new_key(session)
        log_all(session)
        session.reset_device()
        session = device.session()
        objects = session.list_objects()
        expect([(o.id, o.object_type) for o in objects] == [(1, OBJECT.AUTHENTICATION_KEY)], f"{objects}")
        info = objects[0].get_info()
        expect(info.label == "DEFAULT AUTHKEY CHANGE THIS ASAP", f"{info}")
        expect(info.capabilities == info.delegated_capabilities == CAPABILITY.ALL, f"{info}")
        expect((info.domains, info.sequence, info.size) == (0xFFFF, 0, 40), f"{info}")
        expect(len(session.get_log_entries().entries) == 2, "a new log")
        expect(Opaque(session, 0).get_certificate().public_key() == before, "the same device")


def check_limits() -> None:
    for firmware, most, page, logged in (("2.2.0", 2048, False, 4), ("2.4.0", 3136, True, 2)):
        with Device(firmware, firmware) as device:
            hsm = device.connect()
            info = hsm.get_device_info()
            expect(".".join(map(str, info.version)) == firmware and info.serial == SERIAL, f"{info}")
            expect((info.part_number is not None) == page, f"{info}")
            with hsm.create_session_derived(1, "password") as session:
                entries = session.get_log_entries().entries
                expect(len(entries) == logged, f"{len(entries)} entries from the factory on")
                # The longest that fits is answered, one more block is not.
                inner = (most - 1 - 12) // 16 * 16 - 1 - 3
                expect(session.send_secure_cmd(COMMAND.ECHO, bytes(inner)) == bytes(inner), "the longest")
            frame = struct.pack("!BH", COMMAND.ECHO, most - 4) + bytes(most - 4)
            expect(len(hsm._backend.transceive(frame)) == most - 1, "the longest in the open")
            answer = hsm._backend.transceive(struct.pack("!BH", COMMAND.ECHO, most - 3) + bytes(most - 3))
            expect(answer == b"\x7f\0\1\x08", f"one byte too many: {answer[:8].hex()}")
    with Device() as device, device.session() as session:
        ids = []
        with refused(ERROR.STORAGE_FAILED, "more than 256 objects"):
            for _ in range(257):
                ids.append(Opaque.put(session, 0, "o", 1, CAPABILITY.NONE, ALGORITHM.OPAQUE_DATA, b"x").id)
        expect(len(set(ids)) == 255 and len(session.list_objects()) == 256, f"{len(ids)} objects")
        with refused(ERROR.INVALID_DATA, "too much randomness"):
            session.get_pseudo_random(2022)
        expect(len(session.get_pseudo_random(2021)) == 2021, "randomness")


def check_state() -> None:
    with Device() as device:
        session = device.session()
        key = new_key(session, key_id=0x0A0B)
        public = key.get_public_key()
        second = subprocess.run(
            [sys.argv[1], "--listen", "127.0.0.1:0", "--state", device.state], capture_output=True, text=True
        )
        expect(second.returncode == 1 and "plugged in elsewhere" in second.stderr, f"{second}")
        for listen in ("0.0.0.0:0", "192.0.2.1:0", "x"):
            away = subprocess.run(
                [sys.argv[1], "--listen", listen, "--state", device.state], capture_output=True, text=True
            )
            expect(away.returncode == 2, f"listens on {listen}")
        for _ in range(3):
            device.restart()
            session = device.session()
            expect(AsymmetricKey(session, 0x0A0B).get_public_key() == public, "kept")
        entries = session.get_log_entries().entries
        expect([e.command for e in entries] == [0xFF, 0, 0, 0, 0], "each start is in the log")
        with urllib.request.urlopen(f"{device.url}/connector/status") as answer:
            status = answer.read().decode()
        expect("status=OK\nserial=*\nversion=" in status, status)
