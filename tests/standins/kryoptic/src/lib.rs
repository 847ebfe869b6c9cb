//! kryoptic as a PKCS#11 module that can be loaded: the test stand-in beside SoftHSM.
//!
//! The `kryoptic` crate can be neither a dependency nor installed, so this one hands its library's
//! entry points out. What it is for, as SoftHSM can't do it: a user PIN that locks for good at the
//! tenth wrong try, with the flags before; `CKA_EC_POINT` as raw bytes instead of DER; the
//! interface of PKCS#11 3.2; some 150 objects of its own on an empty token; and, with
//! `mechanisms = ["DENY", "CKM_ECDSA"]` in a slot, a token that lacks something.
//!
//! `KRYOPTIC_CONF` names its configuration, for each token:
//!
//! ```toml
//! [[slots]]
//! slot = 1
//! dbtype = "sqlite"
//! dbargs = "/absolute/path/1.sql"
//! ```
//!
//! PINs have at least 8 characters.
//!
//! Built against Debian 12's OpenSSL 3.0 with kryoptic's features `minimal` and `dynamic`: no
//! Ed25519, which needs 3.2, but P-256 and the PIN lock are what it is here for, and SoftHSM does
//! Ed25519. A clean build takes 51 CPU s, which is 25 s on two free cores; `standard` with an
//! OpenSSL compiled from source takes 280 CPU s, nearly 5 minutes. Most of ours is kryoptic
//! itself and `bindgen`, once each. `opt-level` stays 0, since few operations are asked of it.
//!
//! Never part of the product.

#![allow(non_snake_case, reason = "the names of PKCS#11")]

use kryoptic_lib::fns::general::{fn_get_function_list, fn_get_interface, fn_get_interface_list};
use kryoptic_lib::pkcs11::{
    CK_FLAGS, CK_FUNCTION_LIST_PTR_PTR, CK_INTERFACE_PTR, CK_INTERFACE_PTR_PTR, CK_RV, CK_ULONG_PTR,
    CK_UTF8CHAR_PTR, CK_VERSION_PTR,
};

/// PKCS#11 2.40, 5.4.
///
/// # Safety
///
/// `list` must be null or point to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR) -> CK_RV {
    fn_get_function_list(list)
}

/// PKCS#11 3.0, 5.4.
///
/// # Safety
///
/// `count` must be null or valid; `list` must be null or have room for `*count` interfaces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetInterfaceList(list: CK_INTERFACE_PTR, count: CK_ULONG_PTR) -> CK_RV {
    fn_get_interface_list(list, count)
}

/// PKCS#11 3.0, 5.4.
///
/// # Safety
///
/// Each pointer must be null or valid, `name` with a zero byte at its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetInterface(
    name: CK_UTF8CHAR_PTR,
    version: CK_VERSION_PTR,
    interface: CK_INTERFACE_PTR_PTR,
    flags: CK_FLAGS,
) -> CK_RV {
    fn_get_interface(name, version, interface, flags)
}
