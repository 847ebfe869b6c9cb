#!/usr/bin/env python3
"""Someone else at a YubiHSM, with Yubico's own client: what a ceremony has to notice.

    other.py URL KEY PASSWORD ACT [ARGUMENT…]

KEY is the id of an authentication key, whose PASSWORD they know. Numbers may be written 0x….
ACT is one of

    sign ID [TIMES]          signatures of nothing that anyone has seen, behind the ceremony's back
    key DOMAINS LABEL        a key of their own, in domains that few look at
    user DOMAINS PASSWORD    an authentication key of their own that may do all
    own-factory DOMAINS      the factory's authentication key put there anew, seeing DOMAINS alone
    wrap RAW                 a wrap key that they know: 32 bytes in hexadecimal
    steal WRAP ID            a key out under a wrap key; prints it in hexadecimal
    lend WRAP                a login of their own that may sign, out under a wrap key; prints it in hexadecimal
    plant WRAP BLOB          a wrapped key into the device; prints its id
    forget                   the log acknowledged to its end, so that nobody reads it
    fill TIMES               the log filled: so many sessions opened and closed
    list                     what is there: type, id, domains, label, a line each
    duties                   every authentication key: id, label, domains, what it may, what it can give

Prints the id of what was made. What the device refuses is said in its words; then exits 1.
"""

import os
import sys

from yubihsm import YubiHsm
from yubihsm.defs import ALGORITHM, CAPABILITY, OBJECT
from yubihsm.exceptions import YubiHsmAuthenticationError, YubiHsmDeviceError
from yubihsm.objects import AsymmetricKey, AuthenticationKey, WrapKey
from yubihsm.utils import password_to_key


def number(text: str) -> int:
    return int(text, 0)


def sign(hsm, session, key_id: str, times: str = "1") -> None:
    key = AsymmetricKey(session, number(key_id))
    ed25519 = key.get_info().algorithm == ALGORITHM.EC_ED25519
    for _ in range(number(times)):
        key.sign_eddsa(os.urandom(32)) if ed25519 else key.sign_ecdsa(os.urandom(32))


def key(hsm, session, domains: str, label: str) -> None:
    made = AsymmetricKey.generate(
        session, 0, label, number(domains), CAPABILITY.SIGN_ECDSA, ALGORITHM.EC_P256
    )
    print(made.id)


def user(hsm, session, domains: str, password: str) -> None:
    everything = AuthenticationKey(session, 1).get_info().capabilities
    made = AuthenticationKey.put_derived(
        session, 0, "user", number(domains), everything, everything, password
    )
    print(made.id)


def own_factory(hsm, session, domains: str) -> None:
    factory = AuthenticationKey(session, 1)
    info = factory.get_info()
    helper = AuthenticationKey.put_derived(
        session, 0, "helper", 0xFFFF, info.capabilities, info.capabilities, "helper"
    )
    with hsm.create_session_derived(helper.id, "helper") as other:
        factory.with_session(other).delete()
        AuthenticationKey.put(
            other, 1, info.label, number(domains), info.capabilities, info.capabilities,
            *password_to_key("password"),
        )
        print(helper.id)


def wrap(hsm, session, raw: str) -> None:
    may = CAPABILITY.EXPORT_WRAPPED | CAPABILITY.IMPORT_WRAPPED
    passes = CAPABILITY.SIGN_ECDSA | CAPABILITY.SIGN_EDDSA | CAPABILITY.EXPORTABLE_UNDER_WRAP
    made = WrapKey.put(session, 0, "theirs", 1, may, ALGORITHM.AES256_CCM_WRAP, passes, bytes.fromhex(raw))
    print(made.id)


def steal(hsm, session, by: str, key_id: str) -> None:
    print(WrapKey(session, number(by)).export_wrapped(AsymmetricKey(session, number(key_id))).hex())


def lend(hsm, session, by: str) -> None:
    may = CAPABILITY.SIGN_ECDSA | CAPABILITY.EXPORTABLE_UNDER_WRAP
    login = AuthenticationKey.put_derived(session, 0, "lent", 1, may, CAPABILITY.NONE, "theirs alone")
    print(WrapKey(session, number(by)).export_wrapped(login).hex())


def plant(hsm, session, by: str, blob: str) -> None:
    print(WrapKey(session, number(by)).import_wrapped(bytes.fromhex(blob)).id)


def forget(hsm, session) -> None:
    session.set_log_index(session.get_log_entries().entries[-1].number)


def fill(hsm, session, times: str) -> None:
    for _ in range(number(times)):
        with hsm.create_session_derived(number(sys.argv[2]), sys.argv[3]):
            pass


def list_all(hsm, session) -> None:
    for item in session.list_objects():
        info = item.get_info()
        print(f"{OBJECT(item.object_type).name} {item.id} 0x{info.domains:04x} {info.label}")


def duties(hsm, session) -> None:
    def words(bits: int) -> str:
        return ",".join(sorted(one.name for one in CAPABILITY if one & bits)) or "nothing"

    for item in session.list_objects(object_type=OBJECT.AUTHENTICATION_KEY):
        info = item.get_info()
        given = words(info.delegated_capabilities)
        print(f"{item.id} {info.label} 0x{info.domains:04x} {words(info.capabilities)} {given}")


ACTS = {
    "sign": sign,
    "key": key,
    "user": user,
    "own-factory": own_factory,
    "wrap": wrap,
    "steal": steal,
    "lend": lend,
    "plant": plant,
    "forget": forget,
    "fill": fill,
    "list": list_all,
    "duties": duties,
}


def main() -> None:
    url, key_id, password, act, *arguments = sys.argv[1:]
    try:
        with YubiHsm.connect(url) as hsm, hsm.create_session_derived(number(key_id), password) as session:
            ACTS[act](hsm, session, *arguments)
            if act == "own-factory":
                # Its authentication key is gone, and it with it.
                session._sid = None
    except (YubiHsmAuthenticationError, YubiHsmDeviceError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
