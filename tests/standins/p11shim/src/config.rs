//! The file that `KEYRITE_SHIM` names, parsed strictly: see the table in the crate's header.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use cryptoki_sys::CK_RV;

/// A lie that private keys tell about themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    Extractable,
    NotLocal,
    NotSensitive,
}

/// What comes of making a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Make {
    OtherPublic,
    OtherCurve,
}

#[derive(Default)]
pub struct Config {
    pub module: PathBuf,
    pub only: Vec<String>,
    pub pin_pad: Option<String>,
    pub pin_locked: bool,
    pub count_low: bool,
    pub final_try: bool,
    pub serial: Option<[u8; 16]>,
    pub weak: Vec<Weakness>,
    pub makes: Option<Make>,
    pub sign_fail: Vec<(CK_RV, usize)>,
    pub corrupt: Option<usize>,
    pub removed_after_sign: Option<usize>,
    pub kill_before_sign: Option<usize>,
    pub kill_after_sign: Option<usize>,
    pub kill_before_generate: Option<usize>,
    pub kill_after_generate: Option<usize>,
    pub find_fail: Option<CK_RV>,
    pub log: Option<PathBuf>,
}

impl Config {
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut config = Self::default();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            config.set(line).ok_or_else(|| format!("no knob or no value of it: `{line}`"))?;
        }
        if config.module.as_os_str().is_empty() {
            return Err("no `module=`".to_owned());
        }
        Ok(config)
    }

    fn set(&mut self, line: &str) -> Option<()> {
        let (knob, value) = line.split_once('=')?;
        if value.is_empty() {
            return None;
        }
        match knob {
            "module" => self.module = value.into(),
            "only" => self.only.push(value.to_owned()),
            "pin-pad" => self.pin_pad = Some(value.to_owned()),
            "pin-locked" => self.pin_locked = on(value)?,
            "count-low" => self.count_low = on(value)?,
            "final-try" => self.final_try = on(value)?,
            "serial" => self.serial = Some(padded(value)?),
            "weak" => self.weak.push(match value {
                "extractable" => Weakness::Extractable,
                "not-local" => Weakness::NotLocal,
                "not-sensitive" => Weakness::NotSensitive,
                _ => return None,
            }),
            "makes" => {
                self.makes = Some(match value {
                    "other-public" => Make::OtherPublic,
                    "other-curve" => Make::OtherCurve,
                    _ => return None,
                });
            }
            "sign-fail" => {
                let (code, nth) = value.split_once(':')?;
                let code = CK_RV::from_str_radix(code.strip_prefix("0x")?, 16).ok()?;
                self.sign_fail.push((code, count(nth)?));
            }
            "corrupt" => self.corrupt = Some(count(value)?),
            "removed-after-sign" => self.removed_after_sign = Some(count(value)?),
            "kill-before-sign" => self.kill_before_sign = Some(count(value)?),
            "kill-after-sign" => self.kill_after_sign = Some(count(value)?),
            "kill-before-generate" => self.kill_before_generate = Some(count(value)?),
            "kill-after-generate" => self.kill_after_generate = Some(count(value)?),
            "find-fail" => self.find_fail = Some(CK_RV::from_str_radix(value.strip_prefix("0x")?, 16).ok()?),
            "log" => self.log = Some(value.into()),
            _ => return None,
        }
        Some(())
    }

    /// Whether the faults are meant for the token of this label.
    pub fn covers(&self, label: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == label)
    }
}

fn on(value: &str) -> Option<bool> {
    (value == "1").then_some(true)
}

fn count(value: &str) -> Option<usize> {
    value.parse::<NonZeroUsize>().ok().map(NonZeroUsize::get)
}

/// PKCS#11 pads with spaces and ends no text with a zero byte.
fn padded(value: &str) -> Option<[u8; 16]> {
    let mut field = [b' '; 16];
    field.get_mut(..value.len())?.copy_from_slice(value.as_bytes());
    Some(field)
}
