"""Who gets in, and what they may do."""

import time

from cryptography.hazmat.primitives.asymmetric import ec
from device import EXPORTABLE, SIGN, Device, expect, new_key, new_user, refused
from yubihsm.defs import ALGORITHM, AUDIT, CAPABILITY, COMMAND, ERROR, OBJECT, ORIGIN
from yubihsm.exceptions import YubiHsmAuthenticationError
from yubihsm.objects import AsymmetricKey, AuthenticationKey, Opaque, WrapKey


def check_sessions() -> None:
    with Device(idle=4) as device:
        hsm = device.connect()
        for _ in range(10):
            try:
                hsm.create_session_derived(1, "passwort")
                expect(False, "a wrong password")
            except YubiHsmAuthenticationError:
                pass
        with refused(ERROR.OBJECT_NOT_FOUND, "an unknown authentication key"):
            hsm.create_session_derived(2, "password")
        time.sleep(4.1)
        sessions = [hsm.create_session_derived(1, "password") for _ in range(16)]
        expect(sorted(session.sid for session in sessions) == list(range(16)), "sixteen sessions")
        with refused(ERROR.SESSIONS_FULL, "a seventeenth session"):
            hsm.create_session_derived(1, "password")
        sessions[5].close()
        again = hsm.create_session_derived(1, "password")
        expect(again.sid == 5, "the place of a closed session")
        time.sleep(2.5)
        expect(len(again.get_pseudo_random(8)) == 8, "a session in use")
        time.sleep(2.5)
        expect(len(again.get_pseudo_random(8)) == 8, "a session in use does not end")
        with refused(ERROR.INVALID_SESSION, "a session that nobody has used"):
            sessions[3].get_pseudo_random(8)
        # What is sent twice, changed, or out of its order ends the session.
        for spoil in (lambda m: m[:-1] + bytes([m[-1] ^ 1]), lambda m: m[:9] + bytes([m[9] ^ 1]) + m[10:]):
            session = hsm.create_session_derived(1, "password")
            plain = hsm._transceive
            hsm._transceive = lambda message, spoil=spoil, plain=plain: plain(spoil(message))
            with refused(ERROR.AUTHENTICATION_FAILED, "a changed message"):
                session.get_pseudo_random(8)
            hsm._transceive = plain
            with refused(ERROR.INVALID_SESSION, "after a changed message"):
                session.get_pseudo_random(8)
        session, sent = hsm.create_session_derived(1, "password"), []
        plain = hsm._transceive
        hsm._transceive = lambda message: sent.append(message) or plain(message)
        session.get_pseudo_random(8)
        hsm._transceive = plain
        answer = plain(sent[0])
        expect(answer == b"\x7f\x00\x01\x04", f"a message sent twice: {answer.hex()}")
        # Power is all that keeps a session.
        session = hsm.create_session_derived(1, "password")
        device.restart()
        hsm._backend = device.connect()._backend
        with refused(ERROR.INVALID_SESSION, "a session of before"):
            session.get_pseudo_random(8)


def check_authentication_keys() -> None:
    with Device() as device, device.session() as session:
        key = AuthenticationKey.put_derived(
            session, 7, "own", 1, CAPABILITY.CHANGE_AUTHENTICATION_KEY, CAPABILITY.NONE, "first one"
        )
        info = key.get_info()
        expect((info.size, info.sequence, info.origin) == (40, 0, ORIGIN.IMPORTED), f"{info}")
        with refused(ERROR.INVALID_ID, "another's password"):
            key.change_password("second one")
        with device.session(7, "first one") as own:
            key.with_session(own).change_password("second one")
        for word, works in (("first one", False), ("second one", True)):
            try:
                device.session(7, word).close()
                expect(works, f"opened by {word}")
            except YubiHsmAuthenticationError:
                expect(not works, f"not opened by {word}")
        with refused(ERROR.OBJECT_EXISTS, "an id that is taken"):
            AuthenticationKey.put_derived(session, 7, "x", 1, CAPABILITY.NONE, CAPABILITY.NONE, "x")
        # The factory's key may go, and its sessions with it.
        other = new_user(session, CAPABILITY.DELETE_AUTHENTICATION_KEY)
        with device.session(other, "user") as own:
            own.get_object(1, OBJECT.AUTHENTICATION_KEY).delete()
            with refused(ERROR.INVALID_SESSION, "a session whose key is gone"):
                session.get_pseudo_random(1)
            with refused(ERROR.OBJECT_NOT_FOUND, "the factory's password"):
                device.session()
        session._sid = None


def check_capabilities() -> None:
    """Each command with the capability alone, and with all but that one."""
    wrong = ERROR.INSUFFICIENT_PERMISSIONS
    with Device() as device:
        admin = device.session()
        key = new_key(admin, SIGN | EXPORTABLE, key_id=0x10)
        ed = new_key(admin, CAPABILITY.SIGN_EDDSA, ALGORITHM.EC_ED25519, key_id=0x11)
        wrap_may = CAPABILITY.EXPORT_WRAPPED | CAPABILITY.IMPORT_WRAPPED | CAPABILITY.WRAP_DATA | CAPABILITY.UNWRAP_DATA
        wrap = WrapKey.put(
            admin, 0x20, "wrap", 1, wrap_may, ALGORITHM.AES256_CCM_WRAP, CAPABILITY.ALL, bytes(range(32))
        )
        blob = wrap.export_wrapped(key)
        data = wrap.wrap_data(b"data")
        Opaque.put(admin, 0x30, "opaque", 1, CAPABILITY.NONE, ALGORITHM.OPAQUE_DATA, b"x")
        none = CAPABILITY.NONE

        def deletes(kind, key_id, make):
            def run(session):
                session.get_object(key_id, kind).delete()
                make(admin)

            return run

        def make_auth(s):
            return AuthenticationKey.put_derived(s, 0x41, "a", 1, none, none, "made anew")

        def make_key(s):
            return new_key(s, none, key_id=0x42)

        def make_wrap(s):
            return WrapKey.generate(s, 0x43, "w", 1, none, ALGORITHM.AES128_CCM_WRAP, none)

        def make_opaque(s):
            return Opaque.put(s, 0x44, "o", 1, none, ALGORITHM.OPAQUE_DATA, b"x")

        for make in (make_auth, make_key, make_wrap, make_opaque):
            make(admin)
        attested = CAPABILITY.SIGN_ATTESTATION_CERTIFICATE
        generate = CAPABILITY.GENERATE_ASYMMETRIC_KEY
        table = [
            (CAPABILITY.SIGN_ECDSA, lambda s: key.with_session(s).sign_ecdsa(b"x")),
            (CAPABILITY.SIGN_EDDSA, lambda s: ed.with_session(s).sign_eddsa(b"x")),
            (generate, lambda s: AsymmetricKey.generate(s, 0, "k", 1, none, ALGORITHM.EC_P384)),
            (
                CAPABILITY.PUT_ASYMMETRIC,
                lambda s: AsymmetricKey.put(s, 0, "k", 1, none, ec.generate_private_key(ec.SECP256R1())),
            ),
            (CAPABILITY.GENERATE_WRAP_KEY, lambda s: WrapKey.generate(s, 0, "w", 1, none, ALGORITHM.AES256_CCM_WRAP, none)),
            (
                CAPABILITY.PUT_WRAP_KEY,
                lambda s: WrapKey.put(s, 0, "w", 1, none, ALGORITHM.AES192_CCM_WRAP, none, bytes(24)),
            ),
            (
                CAPABILITY.PUT_AUTHENTICATION_KEY,
                lambda s: AuthenticationKey.put_derived(s, 0, "a", 1, none, none, "password"),
            ),
            (CAPABILITY.PUT_OPAQUE, lambda s: Opaque.put(s, 0, "o", 1, none, ALGORITHM.OPAQUE_DATA, b"x")),
            (CAPABILITY.GET_OPAQUE, lambda s: Opaque(s, 0x30).get()),
            (CAPABILITY.GET_OPAQUE, lambda s: Opaque(s, 0).get()),
            (CAPABILITY.EXPORT_WRAPPED, lambda s: wrap.with_session(s).export_wrapped(key)),
            (CAPABILITY.IMPORT_WRAPPED, lambda s: key.delete() or wrap.with_session(s).import_wrapped(blob)),
            (CAPABILITY.WRAP_DATA, lambda s: wrap.with_session(s).wrap_data(b"x")),
            (CAPABILITY.UNWRAP_DATA, lambda s: wrap.with_session(s).unwrap_data(data)),
            (CAPABILITY.GET_PSEUDO_RANDOM, lambda s: s.get_pseudo_random(9)),
            (CAPABILITY.GET_LOG_ENTRIES, lambda s: s.get_log_entries()),
            (CAPABILITY.GET_LOG_ENTRIES, lambda s: s.set_log_index(admin.get_log_entries().entries[0].number)),
            (CAPABILITY.GET_OPTION, lambda s: s.get_force_audit()),
            (CAPABILITY.SET_OPTION, lambda s: s.set_force_audit(AUDIT.OFF)),
            (attested, lambda s: ed.with_session(s).attest()),
            (CAPABILITY.DELETE_OPAQUE, deletes(OBJECT.OPAQUE, 0x44, make_opaque)),
            (CAPABILITY.DELETE_AUTHENTICATION_KEY, deletes(OBJECT.AUTHENTICATION_KEY, 0x41, make_auth)),
            (CAPABILITY.DELETE_ASYMMETRIC_KEY, deletes(OBJECT.ASYMMETRIC_KEY, 0x42, make_key)),
            (CAPABILITY.DELETE_WRAP_KEY, deletes(OBJECT.WRAP_KEY, 0x43, make_wrap)),
            # No capability is asked for these.
            (none, lambda s: s.list_objects()),
            (none, lambda s: key.with_session(s).get_info()),
            (none, lambda s: key.with_session(s).get_public_key()),
            (none, lambda s: s.send_secure_cmd(COMMAND.ECHO, b"x")),
            (none, lambda s: s.send_secure_cmd(COMMAND.GET_STORAGE_INFO)),
            (none, lambda s: s.send_secure_cmd(COMMAND.BLINK_DEVICE, b"\x01")),
            (CAPABILITY.RESET_DEVICE, lambda s: s.reset_device()),
        ]
        for number, (needed, act) in enumerate(table):
            if needed:
                lacks = AuthenticationKey.put_derived(
                    admin, 0x100 + number, "lacks", 0xFFFF, CAPABILITY.ALL & ~needed, CAPABILITY.ALL, "lacks it"
                )
                with device.session(lacks.id, "lacks it") as session, refused(wrong, f"{number} without {needed!r}"):
                    act(session)
                lacks.delete()
                if needed == CAPABILITY.IMPORT_WRAPPED:
                    wrap.import_wrapped(blob)
            has = AuthenticationKey.put_derived(
                admin, 0x100 + number, "has", 0xFFFF, needed, CAPABILITY.NONE, "has it"
            )
            session = device.session(has.id, "has it")
            act(session)
            expect(True, "done")
            if needed != CAPABILITY.RESET_DEVICE:
                session.close()
                has.delete()
        # An object has to have it too.
        admin = device.session()
        mute = new_key(admin, CAPABILITY.NONE)
        with refused(wrong, "a key that may not sign"):
            mute.sign_ecdsa(b"x")
        with refused(ERROR.INVALID_DATA, "ECDSA by an Ed25519 key"):
            new_key(admin, SIGN, ALGORITHM.EC_ED25519).sign_ecdsa(b"x")
        with refused(ERROR.INVALID_DATA, "EdDSA by a P-256 key"):
            new_key(admin, CAPABILITY.SIGN_EDDSA).sign_eddsa(b"x")


def check_delegation() -> None:
    """Nobody gives what they may not give."""
    wrong = ERROR.INSUFFICIENT_PERMISSIONS
    with Device() as device, device.session() as admin:
        makes = CAPABILITY.GENERATE_ASYMMETRIC_KEY | CAPABILITY.PUT_AUTHENTICATION_KEY | CAPABILITY.GENERATE_WRAP_KEY
        user = new_user(admin, makes, SIGN, domains=0b110)
        with device.session(user, "user") as session:
            key = new_key(session, SIGN, domains=0b010)
            expect(key.get_info().domains == 0b010, "its own domains")
            with refused(wrong, "a capability that is not delegated"):
                new_key(session, SIGN | EXPORTABLE, domains=0b010)
            with refused(wrong, "another's domain"):
                new_key(session, SIGN, domains=0b011)
            with refused(ERROR.INVALID_DATA, "no domain"):
                new_key(session, SIGN, domains=0)
            with refused(wrong, "an authentication key that may more"):
                new_user(session, SIGN | CAPABILITY.RESET_DEVICE, CAPABILITY.NONE, 0b010)
            with refused(wrong, "an authentication key that may give more"):
                new_user(session, SIGN, CAPABILITY.RESET_DEVICE, 0b010)
            with refused(wrong, "a wrap key that passes more on"):
                WrapKey.generate(session, 0, "w", 2, SIGN, ALGORITHM.AES256_CCM_WRAP, EXPORTABLE)
            new_user(session, SIGN, SIGN, 0b100)


def check_domains() -> None:
    """What is in another domain is not there."""
    gone = ERROR.OBJECT_NOT_FOUND
    with Device() as device, device.session() as admin:
        here, there = new_key(admin, domains=0b01), new_key(admin, domains=0b10)
        both = new_key(admin, domains=0b11)
        user = new_user(admin, CAPABILITY.ALL, CAPABILITY.ALL, domains=0b01)
        with device.session(user, "user") as session:
            kinds = {o.id for o in session.list_objects(object_type=OBJECT.ASYMMETRIC_KEY)}
            expect(kinds == {here.id, both.id}, f"{kinds}")
            hidden = there.with_session(session)
            for act in (
                hidden.get_info,
                hidden.get_public_key,
                hidden.attest,
                hidden.delete,
                lambda: hidden.sign_ecdsa(b"x"),
            ):
                with refused(gone, "a key in another domain"):
                    act()
            # The place is taken all the same.
            with refused(ERROR.OBJECT_EXISTS, "an id of another domain"):
                new_key(session, key_id=there.id)
            both.with_session(session).sign_ecdsa(b"x")
        everything = {o.id for o in admin.list_objects(object_type=OBJECT.ASYMMETRIC_KEY)}
        expect(everything == {here.id, there.id, both.id}, f"{everything}")
