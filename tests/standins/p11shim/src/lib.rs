//! A PKCS#11 module that is another module with faults: the test stand-in for what no software
//! token does by itself (a PIN pad, a locked PIN, a token pulled out between two signatures, a
//! signature gone bad, a key that lies about its origin, a power cut before or after the token
//! has acted).
//!
//! Load `libp11shim.so` instead of the real module and name a file of `knob=value` lines in the
//! environment variable `KEYRITE_SHIM`. It is read once, when the module is loaded; an unknown
//! knob, a bad value or a missing file makes `C_GetFunctionList` fail with `CKR_GENERAL_ERROR`
//! and a line on stderr, so that a misspelt test can't pass. `#` starts a comment line.
//!
//! | knob | effect |
//! |---|---|
//! | `module=PATH` | the real module; required |
//! | `only=LABEL` | the faults below befall this token alone; may be repeated |
//! | `pin-pad=PIN` | the token has a PIN pad, on which a person types this PIN: a call with a NULL PIN (`C_Login`, `C_InitToken`, `C_InitPIN`) uses it |
//! | `pin-locked=1` | the user PIN is locked: token flag, and `CKR_PIN_LOCKED` at login |
//! | `count-low=1`, `final-try=1` | the token flags that warn of it |
//! | `serial=TEXT` | the token has another serial number (up to 16 characters) |
//! | `weak=extractable` or `not-local` or `not-sensitive` | what private keys say of themselves; may be repeated |
//! | `makes=other-public` or `other-curve` | of a key that is made it tells the public half of another, or it is one of P-384 instead of P-256 |
//! | `sign-fail=CKR:N` | the N-th signature fails with this code (`0x30` device error, `0x32` device removed) without reaching the token; may be repeated |
//! | `corrupt=N` | one bit of the N-th signature is flipped |
//! | `removed-after-sign=N` | after N signatures the token is gone: `CKR_DEVICE_REMOVED` for good |
//! | `kill-before-sign=N`, `kill-after-sign=N` | SIGKILL to the own process at the N-th signature, the token not having, or having, made it |
//! | `kill-before-generate=N`, `kill-after-generate=N` | the same for `C_GenerateKeyPair` |
//! | `find-fail=CKR` | the first search for private keys after something was unwrapped fails with this code |
//! | `log=PATH` | appends a line `C_Sign rv=0x0 token=LABEL` per call of `C_InitToken`, `C_Login`, `C_GenerateKeyPair`, `C_Sign` and `C_SignFinal`; `rv=killed` for one that a `kill-before` knob ended |
//!
//! A signature is a `C_Sign` or `C_SignFinal` that has room for its result: asking for the
//! length counts for nothing and is not logged. N counts from 1, per process. A signature that
//! `sign-fail` refuses leaves its operation open in the session, as a token with a bad cable
//! would: whoever goes on must open a new session. A removed token still lets the library answer
//! `C_GetInfo`, `C_GetSlotList` and `C_Finalize`, since these are not the token's.
//!
//! Only `C_GetFunctionList` is exported, on purpose: `cryptoki` falls back to it where
//! `C_GetInterface` is missing, and every module has to offer it, also one of version 3.
//!
//! Never part of the product: it keeps a PIN in a file and breaks what it is given.

#![allow(non_snake_case, reason = "the names of PKCS#11")]

mod config;
mod faults;
mod gate;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use cryptoki_sys::{
    CK_FUNCTION_LIST, CK_FUNCTION_LIST_PTR_PTR, CK_RV, CKR_ARGUMENTS_BAD, CKR_GENERAL_ERROR, CKR_OK,
};

use crate::config::Config;

/// The loaded shim: one per process, since PKCS#11 has one context per module and process.
struct Shim {
    config: Config,
    /// What the real module offers.
    real: CK_FUNCTION_LIST,
    /// What we offer in its place.
    list: CK_FUNCTION_LIST,
    signing: AtomicUsize,
    signed: AtomicUsize,
    generating: AtomicUsize,
    unwrapped: AtomicBool,
    removed: AtomicBool,
}

static SHIM: OnceLock<Shim> = OnceLock::new();

/// The shim that is already loaded, or `None` before the first `C_GetFunctionList`.
fn shim() -> Option<&'static Shim> {
    SHIM.get()
}

fn load() -> Result<Shim, String> {
    let path = std::env::var_os("KEYRITE_SHIM").ok_or("KEYRITE_SHIM names no file")?;
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let config = Config::parse(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    // SAFETY: running a module's initialisers is what loading it means; the test chose it.
    let module = unsafe { cryptoki_sys::Pkcs11::new(&config.module) }
        .map_err(|e| format!("{}: {e}", config.module.display()))?;
    let mut found = std::ptr::null_mut();
    // SAFETY: `found` is a valid place for the pointer.
    let rv = unsafe { module.C_GetFunctionList(&raw mut found) };
    if rv != CKR_OK || found.is_null() {
        return Err(format!("{}: C_GetFunctionList gave {rv:#x}", config.module.display()));
    }
    // SAFETY: the module said CKR_OK, so this is its list, which lives as long as the module.
    let real = unsafe { *found };
    // Its functions are called until the process ends.
    std::mem::forget(module);
    let mut list = real;
    gate::install(&mut list);
    faults::install(&mut list);
    list.C_GetFunctionList = Some(C_GetFunctionList);
    Ok(Shim {
        config,
        real,
        list,
        signing: AtomicUsize::new(0),
        signed: AtomicUsize::new(0),
        generating: AtomicUsize::new(0),
        unwrapped: AtomicBool::new(false),
        removed: AtomicBool::new(false),
    })
}

/// The one entry point (PKCS#11 2.40, 5.4).
///
/// # Safety
///
/// `out` must be null or point to where a pointer may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(out: CK_FUNCTION_LIST_PTR_PTR) -> CK_RV {
    if out.is_null() {
        return CKR_ARGUMENTS_BAD;
    }
    if SHIM.get().is_none() {
        match load() {
            // A second thread that came first has loaded the same.
            Ok(shim) => drop(SHIM.set(shim)),
            Err(problem) => {
                eprintln!("p11shim: {problem}");
                return CKR_GENERAL_ERROR;
            }
        }
    }
    let Some(shim) = shim() else { return CKR_GENERAL_ERROR };
    // SAFETY: not null, and the caller's promise. Callers only read the list.
    unsafe { *out = (&raw const shim.list).cast_mut() };
    CKR_OK
}
