//! The functions that misbehave as the configuration says, each around the real one.

use std::fs::OpenOptions;
use std::io::Write;
use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_PTR, CK_BYTE_PTR, CK_FUNCTION_LIST, CK_MECHANISM_PTR, CK_OBJECT_CLASS,
    CK_OBJECT_HANDLE, CK_OBJECT_HANDLE_PTR, CK_RV, CK_SESSION_HANDLE, CK_SESSION_INFO, CK_SLOT_ID,
    CK_TOKEN_INFO, CK_TOKEN_INFO_PTR, CK_ULONG, CK_ULONG_PTR, CK_USER_TYPE, CK_UTF8CHAR_PTR,
    CKA_ALWAYS_SENSITIVE, CKA_CLASS, CKA_EC_PARAMS, CKA_EXTRACTABLE, CKA_LOCAL, CKA_NEVER_EXTRACTABLE,
    CKA_SENSITIVE, CKF_PROTECTED_AUTHENTICATION_PATH, CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY,
    CKF_USER_PIN_LOCKED, CKO_PRIVATE_KEY, CKR_FUNCTION_NOT_SUPPORTED, CKR_OK, CKR_PIN_LOCKED, CKU_SO,
};

use crate::Shim;
use crate::config::{Make, Weakness};
use crate::gate::present;

/// Puts the misbehaving functions into the list.
pub fn install(list: &mut CK_FUNCTION_LIST) {
    list.C_GetTokenInfo = Some(token_info);
    list.C_InitToken = Some(init_token);
    list.C_InitPIN = Some(init_pin);
    list.C_Login = Some(login);
    list.C_GetAttributeValue = Some(attribute_value);
    list.C_GenerateKeyPair = Some(generate_key_pair);
    list.C_UnwrapKey = Some(unwrap_key);
    list.C_FindObjectsInit = Some(find_objects_init);
    list.C_Sign = Some(sign);
    list.C_SignFinal = Some(sign_final);
}

/// Calls the real function.
macro_rules! real {
    ($shim:ident.$function:ident($($arg:expr),*)) => {
        match $shim.real.$function {
            // SAFETY: the arguments are the caller's, or valid for the call.
            Some(real) => unsafe { real($($arg),*) },
            None => CKR_FUNCTION_NOT_SUPPORTED,
        }
    };
}

macro_rules! shim_or_return {
    () => {
        match present() {
            Ok(shim) => shim,
            Err(rv) => return rv,
        }
    };
}

unsafe extern "C" fn token_info(slot: CK_SLOT_ID, info: CK_TOKEN_INFO_PTR) -> CK_RV {
    let shim = shim_or_return!();
    let rv = real!(shim.C_GetTokenInfo(slot, info));
    // SAFETY: after CKR_OK the caller's pointer holds the information.
    let (CKR_OK, Some(info)) = (rv, unsafe { info.as_mut() }) else { return rv };
    let config = &shim.config;
    if !config.covers(&text(&info.label)) {
        return rv;
    }
    for (wanted, flag) in [
        (config.pin_pad.is_some(), CKF_PROTECTED_AUTHENTICATION_PATH),
        (config.pin_locked, CKF_USER_PIN_LOCKED),
        (config.count_low, CKF_USER_PIN_COUNT_LOW),
        (config.final_try, CKF_USER_PIN_FINAL_TRY),
    ] {
        if wanted {
            info.flags |= flag;
        }
    }
    if let Some(serial) = config.serial {
        info.serialNumber = serial;
    }
    rv
}

unsafe extern "C" fn init_token(
    slot: CK_SLOT_ID,
    pin: CK_UTF8CHAR_PTR,
    len: CK_ULONG,
    label: CK_UTF8CHAR_PTR,
) -> CK_RV {
    let shim = shim_or_return!();
    let (pin, len) = typed_on_pad(shim, &token_in(shim, slot), pin, len);
    let rv = real!(shim.C_InitToken(slot, pin, len, label));
    log(shim, "C_InitToken", &token_in(shim, slot), Some(rv));
    rv
}

unsafe extern "C" fn init_pin(session: CK_SESSION_HANDLE, pin: CK_UTF8CHAR_PTR, len: CK_ULONG) -> CK_RV {
    let shim = shim_or_return!();
    let (pin, len) = typed_on_pad(shim, &token_of(shim, session), pin, len);
    real!(shim.C_InitPIN(session, pin, len))
}

unsafe extern "C" fn login(
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: CK_UTF8CHAR_PTR,
    len: CK_ULONG,
) -> CK_RV {
    let shim = shim_or_return!();
    let token = token_of(shim, session);
    let rv = if shim.config.pin_locked && user != CKU_SO && shim.config.covers(&token) {
        CKR_PIN_LOCKED
    } else {
        let (pin, len) = typed_on_pad(shim, &token, pin, len);
        real!(shim.C_Login(session, user, pin, len))
    };
    log(shim, "C_Login", &token, Some(rv));
    rv
}

unsafe extern "C" fn attribute_value(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: CK_ATTRIBUTE_PTR,
    count: CK_ULONG,
) -> CK_RV {
    let shim = shim_or_return!();
    let rv = real!(shim.C_GetAttributeValue(session, object, template, count));
    let lies = &shim.config.weak;
    if lies.is_empty() || template.is_null() || !is_private_key(shim, session, object) {
        return rv;
    }
    if !shim.config.covers(&token_of(shim, session)) {
        return rv;
    }
    let Ok(count) = usize::try_from(count) else { return rv };
    // SAFETY: the caller gave `count` attributes; those that hold one byte have one.
    for attribute in unsafe { slice::from_raw_parts_mut(template, count) } {
        let told = match attribute.type_ {
            CKA_EXTRACTABLE if lies.contains(&Weakness::Extractable) => 1,
            CKA_NEVER_EXTRACTABLE if lies.contains(&Weakness::Extractable) => 0,
            CKA_LOCAL if lies.contains(&Weakness::NotLocal) => 0,
            CKA_SENSITIVE | CKA_ALWAYS_SENSITIVE if lies.contains(&Weakness::NotSensitive) => 0,
            _ => continue,
        };
        if attribute.ulValueLen == 1 && !attribute.pValue.is_null() {
            // SAFETY: as above.
            unsafe { *attribute.pValue.cast::<u8>() = told };
        }
    }
    rv
}

unsafe extern "C" fn generate_key_pair(
    session: CK_SESSION_HANDLE,
    mechanism: CK_MECHANISM_PTR,
    public: CK_ATTRIBUTE_PTR,
    public_count: CK_ULONG,
    private: CK_ATTRIBUTE_PTR,
    private_count: CK_ULONG,
    public_key: CK_OBJECT_HANDLE_PTR,
    private_key: CK_OBJECT_HANDLE_PTR,
) -> CK_RV {
    let shim = shim_or_return!();
    let token = token_of(shim, session);
    let nth = if shim.config.covers(&token) { next(&shim.generating) } else { 0 };
    if shim.config.kill_before_generate == Some(nth) {
        log(shim, "C_GenerateKeyPair", &token, None);
        die();
    }
    let make = |template, public_key, private_key| {
        real!(shim.C_GenerateKeyPair(
            session,
            mechanism,
            template,
            public_count,
            private,
            private_count,
            public_key,
            private_key
        ))
    };
    let mut rv = match shim.config.makes {
        Some(Make::OtherCurve) => {
            let mut other = on_p384(public, public_count);
            make(other.as_mut_ptr(), public_key, private_key)
        }
        _ => make(public, public_key, private_key),
    };
    if rv == CKR_OK && shim.config.makes == Some(Make::OtherPublic) {
        // The public half of a second pair, whose private one is gone at once, in place of the first's.
        let (mut other, mut gone) = (0, 0);
        rv = make(public, &raw mut other, &raw mut gone);
        if rv == CKR_OK && !public_key.is_null() {
            // SAFETY: after CKR_OK it holds the handle.
            let own = unsafe { *public_key };
            for half in [gone, own] {
                rv = rv.max(real!(shim.C_DestroyObject(session, half)));
            }
            // SAFETY: as above.
            unsafe { *public_key = other };
        }
    }
    log(shim, "C_GenerateKeyPair", &token, Some(rv));
    if shim.config.kill_after_generate == Some(nth) {
        die();
    }
    rv
}

/// The same template but for the curve.
fn on_p384(template: CK_ATTRIBUTE_PTR, count: CK_ULONG) -> Vec<CK_ATTRIBUTE> {
    const P384: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the caller gave `count` attributes.
    let mut other = unsafe { slice::from_raw_parts(template, count) }.to_vec();
    for attribute in other.iter_mut().filter(|attribute| attribute.type_ == CKA_EC_PARAMS) {
        attribute.pValue = P384.as_ptr().cast_mut().cast();
        attribute.ulValueLen = CK_ULONG::try_from(P384.len()).unwrap_or(0);
    }
    other
}

unsafe extern "C" fn unwrap_key(
    session: CK_SESSION_HANDLE,
    mechanism: CK_MECHANISM_PTR,
    under: CK_OBJECT_HANDLE,
    wrapped: CK_BYTE_PTR,
    wrapped_len: CK_ULONG,
    template: CK_ATTRIBUTE_PTR,
    count: CK_ULONG,
    key: CK_OBJECT_HANDLE_PTR,
) -> CK_RV {
    let shim = shim_or_return!();
    let rv = real!(shim.C_UnwrapKey(session, mechanism, under, wrapped, wrapped_len, template, count, key));
    if rv == CKR_OK && shim.config.covers(&token_of(shim, session)) {
        shim.unwrapped.store(true, Ordering::SeqCst);
    }
    rv
}

unsafe extern "C" fn find_objects_init(
    session: CK_SESSION_HANDLE,
    template: CK_ATTRIBUTE_PTR,
    count: CK_ULONG,
) -> CK_RV {
    let shim = shim_or_return!();
    if let Some(code) = shim.config.find_fail
        && asks_for_private_keys(template, count)
        && shim.unwrapped.swap(false, Ordering::SeqCst)
    {
        return code;
    }
    real!(shim.C_FindObjectsInit(session, template, count))
}

fn asks_for_private_keys(template: CK_ATTRIBUTE_PTR, count: CK_ULONG) -> bool {
    let Ok(count) = usize::try_from(count) else { return false };
    if template.is_null() {
        return false;
    }
    // SAFETY: the caller gave `count` attributes, and a class is a CK_OBJECT_CLASS.
    unsafe { slice::from_raw_parts(template, count) }.iter().any(|attribute| {
        let whole = usize::try_from(attribute.ulValueLen) == Ok(size_of::<CK_OBJECT_CLASS>());
        // SAFETY: as above; wherever it lies.
        attribute.type_ == CKA_CLASS
            && whole
            && unsafe { attribute.pValue.cast::<CK_OBJECT_CLASS>().read_unaligned() } == CKO_PRIVATE_KEY
    })
}

unsafe extern "C" fn sign(
    session: CK_SESSION_HANDLE,
    data: CK_BYTE_PTR,
    data_len: CK_ULONG,
    signature: CK_BYTE_PTR,
    signature_len: CK_ULONG_PTR,
) -> CK_RV {
    let shim = shim_or_return!();
    sign_with_faults(shim, "C_Sign", session, signature, signature_len, || {
        real!(shim.C_Sign(session, data, data_len, signature, signature_len))
    })
}

unsafe extern "C" fn sign_final(
    session: CK_SESSION_HANDLE,
    signature: CK_BYTE_PTR,
    signature_len: CK_ULONG_PTR,
) -> CK_RV {
    let shim = shim_or_return!();
    sign_with_faults(shim, "C_SignFinal", session, signature, signature_len, || {
        real!(shim.C_SignFinal(session, signature, signature_len))
    })
}

fn sign_with_faults(
    shim: &Shim,
    function: &str,
    session: CK_SESSION_HANDLE,
    signature: CK_BYTE_PTR,
    signature_len: CK_ULONG_PTR,
    make: impl FnOnce() -> CK_RV,
) -> CK_RV {
    if signature.is_null() {
        return make();
    }
    let config = &shim.config;
    let token = token_of(shim, session);
    let covered = config.covers(&token);
    let nth = if covered { next(&shim.signing) } else { 0 };
    if config.kill_before_sign == Some(nth) {
        log(shim, function, &token, None);
        die();
    }
    let refused = config.sign_fail.iter().find(|(_, n)| *n == nth);
    let rv = refused.map_or_else(make, |(code, _)| *code);
    if rv == CKR_OK && covered {
        if config.corrupt == Some(nth) {
            // The last byte, so that the length and any encoding stay right.
            // SAFETY: after CKR_OK the buffer holds `*signature_len` bytes.
            unsafe {
                let len = usize::try_from(*signature_len).unwrap_or(0);
                if let Some(last) = slice::from_raw_parts_mut(signature, len).last_mut() {
                    *last ^= 1;
                }
            }
        }
        if config.removed_after_sign == Some(next(&shim.signed)) {
            shim.removed.store(true, Ordering::SeqCst);
        }
    }
    log(shim, function, &token, Some(rv));
    if config.kill_after_sign == Some(nth) {
        die();
    }
    rv
}

/// The PIN of the call, or what a person types on the pad when there is none.
fn typed_on_pad(
    shim: &Shim,
    token: &str,
    pin: CK_UTF8CHAR_PTR,
    len: CK_ULONG,
) -> (CK_UTF8CHAR_PTR, CK_ULONG) {
    match &shim.config.pin_pad {
        // The real module reads the PIN and no more, so the constant is safe with it.
        Some(typed) if pin.is_null() && shim.config.covers(token) => {
            (typed.as_ptr().cast_mut(), CK_ULONG::try_from(typed.len()).unwrap_or(0))
        }
        _ => (pin, len),
    }
}

fn is_private_key(shim: &Shim, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> bool {
    let mut class: CK_OBJECT_CLASS = 0;
    let mut ask = CK_ATTRIBUTE {
        type_: CKA_CLASS,
        pValue: (&raw mut class).cast(),
        ulValueLen: CK_ULONG::try_from(size_of::<CK_OBJECT_CLASS>()).unwrap_or(0),
    };
    real!(shim.C_GetAttributeValue(session, object, &raw mut ask, 1)) == CKR_OK && class == CKO_PRIVATE_KEY
}

/// The label of the token that a session is with; empty if that can't be told.
fn token_of(shim: &Shim, session: CK_SESSION_HANDLE) -> String {
    let mut info = CK_SESSION_INFO::default();
    match real!(shim.C_GetSessionInfo(session, &raw mut info)) {
        CKR_OK => token_in(shim, info.slotID),
        _ => String::new(),
    }
}

fn token_in(shim: &Shim, slot: CK_SLOT_ID) -> String {
    let mut info = CK_TOKEN_INFO::default();
    match real!(shim.C_GetTokenInfo(slot, &raw mut info)) {
        CKR_OK => text(&info.label),
        _ => String::new(),
    }
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).trim_end().to_owned()
}

fn next(counter: &AtomicUsize) -> usize {
    counter.fetch_add(1, Ordering::SeqCst) + 1
}

/// Appends one line with one write, so that processes may share a log.
fn log(shim: &Shim, function: &str, token: &str, rv: Option<CK_RV>) {
    let Some(path) = &shim.config.log else { return };
    let rv = rv.map_or_else(|| "killed".to_owned(), |rv| format!("{rv:#x}"));
    let line = format!("{function} rv={rv} token={token}\n");
    let file = OpenOptions::new().append(true).create(true).open(path);
    if let Err(problem) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
        eprintln!("p11shim: {}: {problem}", path.display());
        die();
    }
}

/// Ends the process as a power cut would: no destructor, no buffer flushed.
fn die() -> ! {
    // SAFETY: no memory is involved.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    loop {
        std::thread::park();
    }
}
