//! What PKCS#11 return codes mean to a person.

use super::context::shown;
use crate::signer::rules;
use crate::tuf::rule::{Refusal, Rule};
use cryptoki::error::{Error, RvError};
use std::path::Path;

/// An error of a module as a whole.
pub(super) fn module_said(path: &Path, error: &Error) -> Refusal {
    Refusal::new(
        &rules::MODULE,
        format!("{}: {}", shown(path), plain(error)),
        "a PKCS#11 module that answers",
    )
}

/// An error while a token was asked to do something: `doing` completes "to …".
pub(super) fn token_said(doing: &str, error: &Error) -> Refusal {
    let (rule, expected): (&'static Rule, &str) = match error {
        Error::Pkcs11(code, _) => match code {
            RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SessionClosed
            | RvError::SessionHandleInvalid
            | RvError::SlotIdInvalid => (&rules::TOKEN_REMOVED, "the token, still inserted"),
            RvError::PinIncorrect | RvError::PinInvalid => (&rules::PIN_WRONG, "the token's PIN"),
            RvError::PinLocked => (&rules::PIN_LOCKED, "a PIN that is not locked"),
            RvError::PinLenRange | RvError::PinTooWeak => {
                (&rules::PIN_LENGTH, "a PIN of the length and form that the token demands")
            }
            RvError::DataLenRange => (&rules::PAYLOAD_TOO_LARGE, "a payload that the token takes"),
            RvError::MechanismInvalid
            | RvError::MechanismParamInvalid
            | RvError::FunctionNotSupported
            | RvError::CurveNotSupported
            | RvError::DomainParamsInvalid
            | RvError::KeySizeRange
            | RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
            | RvError::TemplateInconsistent
            | RvError::TemplateIncomplete
            | RvError::KeyFunctionNotPermitted
            | RvError::TokenWriteProtected => (&rules::TOKEN_CANNOT, "a token that can"),
            _ => (&rules::TOKEN_FAILED, "a token that answers"),
        },
        Error::NotSupported | Error::NullFunctionPointer => (&rules::TOKEN_CANNOT, "a token that can"),
        _ => (&rules::TOKEN_FAILED, "a token that answers"),
    };
    Refusal::new(rule, format!("asked to {doing}: {}", plain(error)), expected)
}

/// Whether an error means that the token is not there any more.
pub(super) fn is_gone(refusal: &Refusal) -> bool {
    refusal.rule() == &rules::TOKEN_REMOVED
}

/// The code's name and the function that gave it, without the standard's prose about it.
fn plain(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("{code:?} from C_{function:?}"),
        other => other.to_string(),
    }
}
