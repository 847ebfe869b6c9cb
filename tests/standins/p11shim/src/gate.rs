//! Every function of the list, made to answer `CKR_DEVICE_REMOVED` once the token is gone.
//!
//! Callers copy the list when they load the module, so taking a token away later needs a function
//! of ours in every place from the start. Instead of 60 hand-written ones there is one per number
//! of arguments; it finds the real function by its place in the list, which is part of its type.

use std::mem::offset_of;
use std::sync::atomic::Ordering;

use cryptoki_sys::{CK_FUNCTION_LIST, CK_RV, CKR_CRYPTOKI_NOT_INITIALIZED, CKR_DEVICE_REMOVED};

use crate::{Shim, shim};

/// The shim, unless the token has been taken away.
pub fn present() -> Result<&'static Shim, CK_RV> {
    let shim = shim().ok_or(CKR_CRYPTOKI_NOT_INITIALIZED)?;
    if shim.removed.load(Ordering::SeqCst) { Err(CKR_DEVICE_REMOVED) } else { Ok(shim) }
}

/// A place in the list, `AT` bytes from its start.
trait Gate<const AT: usize> {
    fn gate(&mut self);
}

macro_rules! gate_for {
    ($function:ident: $($arg:ident $type:ident),+) => {
        unsafe extern "C" fn $function<const AT: usize, $($type),+>($($arg: $type),+) -> CK_RV {
            let shim = match present() {
                Ok(shim) => shim,
                Err(rv) => return rv,
            };
            // SAFETY: `AT` is the place of a function of just this type, see `install`.
            let real = unsafe {
                *(&raw const shim.real).byte_add(AT).cast::<Option<unsafe extern "C" fn($($type),+) -> CK_RV>>()
            };
            match real {
                // SAFETY: handed on as it came.
                Some(real) => unsafe { real($($arg),+) },
                None => cryptoki_sys::CKR_FUNCTION_NOT_SUPPORTED,
            }
        }

        impl<const AT: usize, $($type),+> Gate<AT> for Option<unsafe extern "C" fn($($type),+) -> CK_RV> {
            fn gate(&mut self) {
                if self.is_some() {
                    *self = Some($function::<AT, $($type),+>);
                }
            }
        }
    };
}

gate_for!(gate1: a A);
gate_for!(gate2: a A, b B);
gate_for!(gate3: a A, b B, c C);
gate_for!(gate4: a A, b B, c C, d D);
gate_for!(gate5: a A, b B, c C, d D, e E);
gate_for!(gate6: a A, b B, c C, d D, e E, f F);
gate_for!(gate8: a A, b B, c C, d D, e E, f F, g G, h H);

macro_rules! gates {
    ($list:ident: $($function:ident)+) => {
        $(Gate::<{ offset_of!(CK_FUNCTION_LIST, $function) }>::gate(&mut $list.$function);)+
    };
}

/// Puts a gate before each function that needs the token.
pub fn install(list: &mut CK_FUNCTION_LIST) {
    gates!(list:
        C_GetSlotInfo C_GetTokenInfo C_GetMechanismList C_GetMechanismInfo
        C_InitToken C_InitPIN C_SetPIN
        C_OpenSession C_CloseSession C_CloseAllSessions C_GetSessionInfo
        C_GetOperationState C_SetOperationState C_Login C_Logout
        C_CreateObject C_CopyObject C_DestroyObject C_GetObjectSize
        C_GetAttributeValue C_SetAttributeValue
        C_FindObjectsInit C_FindObjects C_FindObjectsFinal
        C_EncryptInit C_Encrypt C_EncryptUpdate C_EncryptFinal
        C_DecryptInit C_Decrypt C_DecryptUpdate C_DecryptFinal
        C_DigestInit C_Digest C_DigestUpdate C_DigestKey C_DigestFinal
        C_SignInit C_Sign C_SignUpdate C_SignFinal C_SignRecoverInit C_SignRecover
        C_VerifyInit C_Verify C_VerifyUpdate C_VerifyFinal C_VerifyRecoverInit C_VerifyRecover
        C_DigestEncryptUpdate C_DecryptDigestUpdate C_SignEncryptUpdate C_DecryptVerifyUpdate
        C_GenerateKey C_GenerateKeyPair C_WrapKey C_UnwrapKey C_DeriveKey
        C_SeedRandom C_GenerateRandom
    );
}
