//! A person who types PINs, for tests: what to answer is set before, what was asked is kept.

use keyrite::signer::secret::Pin;
use keyrite::signer::{PinAsk, PinKind, PinSource, TokenIdentity, Tries, rules};
use keyrite::tuf::rule::{Refusal, Result};

/// Answers every question of a kind with the same secret.
#[derive(Default)]
pub struct Pins {
    user: String,
    new_user: String,
    officer: String,
    backup: String,
    auditor: String,
    agrees: bool,
    /// What was asked, in order.
    pub asked: Vec<PinAsk>,
    /// What was to be typed on a pad, in order.
    pub pads: Vec<PinAsk>,
    /// How often a touch was waited for.
    pub touches: usize,
}

impl Pins {
    /// One secret for the user, old or new, and one for the officer.
    pub fn new(user: &str, officer: &str) -> Self {
        Self {
            user: user.to_owned(),
            new_user: user.to_owned(),
            officer: officer.to_owned(),
            ..Self::default()
        }
    }

    /// The passwords of a YubiHSM's other duties.
    #[allow(dead_code, reason = "not every test that shares this module has a YubiHSM")]
    pub fn and_duties(mut self, backup: &str, auditor: &str) -> Self {
        backup.clone_into(&mut self.backup);
        auditor.clone_into(&mut self.auditor);
        self
    }

    /// Another secret where a new one is asked for.
    #[allow(dead_code, reason = "not every test that shares this module changes a pass-phrase")]
    pub fn and_new(mut self, new_user: &str) -> Self {
        new_user.clone_into(&mut self.new_user);
        self
    }

    /// Agrees to use the last try.
    #[allow(dead_code, reason = "not every test that shares this module locks a token")]
    pub fn agreeing(mut self) -> Self {
        self.agrees = true;
        self
    }
}

impl PinSource for Pins {
    fn pin(&mut self, ask: &PinAsk) -> Result<Pin> {
        self.asked.push(ask.clone());
        if ask.tries == Tries::Last && !self.agrees {
            return Err(Refusal::new(&rules::PIN_LAST_TRY, "one try left", "agreement to use it"));
        }
        Ok(Pin::new(match ask.secret {
            PinKind::User => self.user.clone(),
            PinKind::NewUser => self.new_user.clone(),
            PinKind::SecurityOfficer | PinKind::NewSecurityOfficer => self.officer.clone(),
            PinKind::Backup | PinKind::NewBackup => self.backup.clone(),
            PinKind::Auditor | PinKind::NewAuditor => self.auditor.clone(),
        }))
    }

    fn pin_pad(&mut self, ask: &PinAsk) -> Result<()> {
        self.pads.push(ask.clone());
        Ok(())
    }

    fn touch(&mut self, _token: &TokenIdentity) {
        self.touches = self.touches.saturating_add(1);
    }
}
