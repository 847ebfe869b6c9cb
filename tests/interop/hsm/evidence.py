"""What the device says of itself: log and attestation."""

import contextlib
import os
import struct
import sys

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from device import EXPORTABLE, SERIAL, SIGN, Device, expect, log_all, new_key, refused, sign_entries
from yubihsm.core import LogEntry
from yubihsm.defs import ALGORITHM, AUDIT, CAPABILITY, COMMAND, ERROR, OBJECT, OPTION
from yubihsm.exceptions import YubiHsmDeviceError
from yubihsm.objects import AsymmetricKey, AttestationExtensions, Opaque


def check_log() -> None:
    with Device() as device:
        with device.session() as session:
            boot, auth, entries = session.get_log_entries()
            expect((boot, auth, len(entries)) == (0, 0, 2), "nothing is logged from the factory on")
            expect(entries[0].data == b"\0\1" + b"\xff" * 14, "the reset")
            expect(entries[1].data == struct.pack("!HBHHHHBL", 2, 0, 0, 0xFFFF, 0, 0, 0, 0), "the start")
            audited = session.get_command_audit()
            expect(set(audited.values()) == {AUDIT.OFF} and len(audited) == 65, f"{audited}")
            log_all(session)
            key = new_key(session, key_id=0x0102)
            with contextlib.suppress(YubiHsmDeviceError):
                session.get_object(0x0203, OBJECT.ASYMMETRIC_KEY).get_info()
            before = len(session.get_log_entries().entries)
            for count in range(5):
                key.sign_ecdsa(b"%d" % count)
            _, _, entries = session.get_log_entries()
            signed = sign_entries(entries)
            expect(len(signed) == 5, "each signature")
            expect(len(entries) == before + 5, "the log itself is not logged")
            made = signed[0]
            expect(
                (made.length, made.session_key, made.target_key, made.second_key, made.result)
                == (34, 1, 0x0102, 0xFFFF, 0xD6),
                f"{made}",
            )
            failed = [e for e in entries if e.command == COMMAND.GET_OBJECT_INFO]
            expect(failed[0].result == ERROR.OBJECT_NOT_FOUND, "what failed is logged by its error")
        with device.session() as session:
            last = entries[-1]
            session.set_log_index(last.number)
            _, _, entries = session.get_log_entries(last)
            told = [(e.command, e.session_key, e.target_key, e.length, e.result) for e in entries]
            none = 0xFFFF
            expect(
                told
                == [
                    (COMMAND.CLOSE_SESSION, 1, none, 0, 0xC0),
                    (COMMAND.CREATE_SESSION, none, 1, 10, 0x83),
                    (COMMAND.AUTHENTICATE_SESSION, none, 1, 17, 0x84),
                    (COMMAND.SET_LOG_INDEX, 1, none, 2, 0xE7),
                ],
                f"{told}",
            )
            with refused(ERROR.INVALID_DATA, "an index that is not in the log"):
                session.set_log_index(last.number)
            # It overwrites itself where nobody reads it.
            for _ in range(70):
                key.with_session(session).sign_ecdsa(b"x")
            _, _, entries = session.get_log_entries()
            expect(len(entries) == 62 and len(sign_entries(entries)) == 62, "62 entries")
            for earlier, later in zip(entries, entries[1:]):
                expect(later.validate(earlier), "the chain")
            forged = LogEntry(**{**entries[9].__dict__, "target_key": 3})
            expect(not forged.validate(entries[8]), "a changed entry")


def check_forced_log() -> None:
    with Device() as device:
        with device.session() as session:
            session.set_force_audit(AUDIT.ON)
            key = new_key(session, CAPABILITY.SIGN_ECDSA)
            signed = 0
            with refused(ERROR.LOG_FULL, "more than the log holds"):
                for signed in range(70):
                    key.sign_ecdsa(b"x")
            info = device.connect().get_device_info()
            expect((info.log_used, info.log_size) == (62, 62), f"{info}")
            for act in (key.get_info, session.list_objects, lambda: session.set_force_audit(AUDIT.OFF)):
                with refused(ERROR.LOG_FULL, "anything else"):
                    act()
            # A session that can't be closed ends by itself.
            session._sid = None
        device.restart()
        device.restart()
        session = device.session()
        boot, auth, entries = session.get_log_entries()
        expect((boot, auth) == (2, 1), f"{boot} starts and {auth} sessions that no entry says")
        expect(len(sign_entries(entries)) == signed, f"{signed} signatures")
        session.set_log_index(entries[-1].number)
        boot, auth, after = session.get_log_entries(entries[-1])
        expect((boot, auth) == (0, 0), "counted from the reading")
        with refused(ERROR.LOG_FULL, "it fills again"):
            for _ in range(70):
                key.with_session(session).sign_ecdsa(b"x")
        _, _, entries = session.get_log_entries(entries[-1])
        session.set_log_index(entries[-10].number)
        session.set_force_audit(AUDIT.FIXED)
        with refused(ERROR.INVALID_DATA, "fixed is for good"):
            session.set_force_audit(AUDIT.OFF)
        session.set_command_audit({COMMAND.SIGN_ECDSA: AUDIT.FIXED})
        with refused(ERROR.INVALID_DATA, "fixed is for good"):
            session.set_command_audit({COMMAND.ECHO: AUDIT.ON, COMMAND.SIGN_ECDSA: AUDIT.OFF})
        expect(session.get_command_audit()[COMMAND.ECHO] == AUDIT.OFF, "all or nothing")
        session.reset_device()
        session = device.session()
        expect(session.get_force_audit() == AUDIT.OFF, "but for a reset")
        with refused(ERROR.INVALID_DATA, "an option that is none"):
            session.put_option(OPTION.FIPS_MODE, b"\1")


def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError):
        return False
    return True


def check_attestation() -> None:
    with Device() as device, Device("other", serial=SERIAL + 1) as other, device.session() as session:

        def pem(name):
            with open(os.path.join(sys.argv[2], name), "rb") as file:
                return x509.load_pem_x509_certificate(file.read())

        root, between = pem("simulated-root.pem"), pem("simulated-intermediate.pem")
        own = Opaque(session, 0).get_certificate()
        for certificate in (root, between):
            expect("SIMULATED" in certificate.subject.rfc4514_string(), "the vendor is simulated")
            constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
            expect(constraints.critical and constraints.value.ca, "an authority")
        expect(issued(root, root) and issued(between, root) and issued(own, between), "the chain")
        expect(own.subject.rfc4514_string() == f"CN=YubiHSM Attestation ({SERIAL})", f"{own.subject}")
        expect(Opaque(session, 0).get_certificate() == own, "always the same")
        expect(AttestationExtensions.parse(own).serial == SERIAL, "the device's certificate")
        with other.session() as elsewhere:
            theirs = Opaque(elsewhere, 0).get_certificate()
        expect(issued(theirs, between), "another device of the vendor")
        label = "k\N{LATIN SMALL LETTER E WITH ACUTE}y"
        keys = [
            AsymmetricKey.generate(session, 0, label, 0x8001, SIGN | EXPORTABLE, algorithm)
            for algorithm in (ALGORITHM.EC_P256, ALGORITHM.EC_P384, ALGORITHM.EC_ED25519)
        ]
        keys.append(AsymmetricKey.put(session, 0, label, 1, SIGN, ec.generate_private_key(ec.SECP256R1())))
        for key in keys:
            leaf, info = key.attest(), key.get_info()
            expect(issued(leaf, own), "issued by the device")
            expect(not issued(leaf, theirs) and not issued(leaf, between), "and by it alone")
            expect(leaf.public_key() == key.get_public_key(), "of the key")
            expect(leaf.subject.rfc4514_string() == f"CN=YubiHSM Attestation id:0x{key.id:04x}", f"{leaf.subject}")
            said = AttestationExtensions.parse(leaf)
            expect(
                (said.firmware_version, said.serial, said.origin, said.domains, said.capabilities)
                == ((2, 4, 0), SERIAL, info.origin, info.domains, info.capabilities),
                f"{said}",
            )
            expect((said.object_id, said.label) == (key.id, label), f"{said}")
            expect(key.attest().serial_number != leaf.serial_number, "each its own number")
            dates = (own.not_valid_before_utc, own.not_valid_after_utc)
            expect((leaf.not_valid_before_utc, leaf.not_valid_after_utc) == dates, "dates of the issuer")
        # By a key of one's own, with a certificate beside it.
        for curve in (ec.SECP256R1, ec.SECP384R1):
            private = ec.generate_private_key(curve())
            name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Own")])
            builder = x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
            builder = builder.not_valid_before(own.not_valid_before_utc).not_valid_after(own.not_valid_after_utc)
            template = builder.sign(private, hashes.SHA256())
            by = AsymmetricKey.put(session, 0, "by", 1, CAPABILITY.SIGN_ATTESTATION_CERTIFICATE, private)
            with refused(ERROR.OBJECT_NOT_FOUND, "no template"):
                keys[0].attest(by.id)
            by.put_certificate("by", 1, CAPABILITY.NONE, template)
            leaf = keys[0].attest(by.id)
            expect(issued(leaf, template) and not issued(leaf, own), "issued by one's own key")
        with refused(ERROR.INSUFFICIENT_PERMISSIONS, "a key that may not attest"):
            keys[0].attest(keys[1].id)
        Opaque.put(session, keys[2].id, "x", 1, CAPABILITY.NONE, ALGORITHM.OPAQUE_X509_CERTIFICATE, b"\x30\x82")
        Opaque.put(session, by.id + 1, "x", 1, CAPABILITY.NONE, ALGORITHM.OPAQUE_X509_CERTIFICATE, b"\x30\x82")
        AsymmetricKey.put(session, by.id + 1, "by", 1, CAPABILITY.SIGN_ATTESTATION_CERTIFICATE, private)
        with refused(ERROR.INVALID_DATA, "a template that is none"):
            keys[0].attest(by.id + 1)
