//! The console of a rehearsal: agrees to everything, says aloud what is done. It exists for records
//! of throw-away keys alone; whoever makes one checks that the record is a rehearsal.

use super::layout::wrap;
use super::look::Look;
use super::screen::{Safe, Screen};
use super::{Console, Prompt};
use crate::ceremony::confirm::Places;
use crate::signer::secret::Pin;
use crate::tuf::digest::Digest;
use crate::tuf::rule::{Refusal, Result};
use std::io::Write;

/// How far below its first words a line goes on.
const HANGING: usize = 2;

/// Agrees, and tells.
pub struct Rehearser<W: Write> {
    out: W,
    columns: Option<usize>,
}

impl<W: Write> Rehearser<W> {
    /// Tells to `out`.
    pub const fn new(out: W) -> Self {
        Self { out, columns: None }
    }

    /// The same where people read: lines are wrapped as on any screen.
    #[must_use]
    pub fn on_screen(mut self, look: &Look) -> Self {
        self.columns = Some(look.width());
        self
    }

    /// Says a line of the story.
    pub fn say(&mut self, line: &str) {
        // A story that nobody can read any more is still held to its end.
        for line in line.split('\n') {
            let line = Safe::prose(line);
            let Some(columns) = self.columns else {
                let _ = writeln!(self.out, "{line}");
                continue;
            };
            let text = line.as_str().trim_start_matches(' ');
            let deep = line.as_str().len().saturating_sub(text.len());
            for (number, part) in
                wrap(text, columns.saturating_sub(deep.saturating_add(HANGING))).iter().enumerate()
            {
                let deep = if number == 0 { deep } else { deep.saturating_add(HANGING) };
                let _ = writeln!(self.out, "{}", format!("{:deep$}{part}", "").trim_end());
            }
        }
    }
}

impl<W: Write> Console for Rehearser<W> {
    fn show(&mut self, _screen: &Screen) -> Result<()> {
        Ok(())
    }

    fn ask_text(&mut self, prompt: &Prompt) -> Result<String> {
        Ok(prompt.default.clone().unwrap_or_else(|| "rehearsed".to_owned()))
    }

    fn ask_choice(&mut self, _prompt: &Prompt) -> Result<usize> {
        Ok(0)
    }

    fn confirm_word(&mut self, _prompt: &Prompt, _word: &str) -> Result<()> {
        Ok(())
    }

    fn confirm_yes(&mut self, _prompt: &Prompt, digest: &Digest) -> Result<()> {
        self.say(&format!("    everyone agrees to the change {}", brief(digest)));
        Ok(())
    }

    fn confirm_words(&mut self, _prompt: &Prompt, digest: &Digest, _places: Places) -> Result<()> {
        self.say(&format!("    everyone reads back and agrees to the change {}", brief(digest)));
        Ok(())
    }

    fn press_enter(&mut self, _prompt: &Prompt) -> Result<()> {
        Ok(())
    }

    fn secret(&mut self, prompt: &Prompt) -> Result<Pin> {
        Err(Refusal::new(&super::rules::TERMINAL, prompt.id.clone(), "a rehearsal's own PINs"))
    }

    fn new_secret(&mut self, prompt: &Prompt) -> Result<Pin> {
        self.secret(prompt)
    }

    fn progress(&mut self, line: &Safe) {
        self.say(&format!("    {line}"));
    }

    fn touch(&mut self, token: &Safe) {
        self.say(&format!("    {token} is touched"));
    }

    fn interrupted(&self) -> Result<()> {
        Ok(())
    }

    fn unattended(&self) -> bool {
        true
    }
}

/// The first words of a digest: enough for a story.
fn brief(digest: &Digest) -> String {
    digest.words().into_iter().take(4).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_is_wrapped_where_people_read_it_and_nowhere_else() {
        let line = "\n    root-a of ada signs root 2 on the token";
        let mut piped = Vec::new();
        Rehearser::new(&mut piped).say(line);
        assert_eq!(String::from_utf8_lossy(&piped), format!("{line}\n"));
        let mut read = Vec::new();
        Rehearser::new(&mut read).on_screen(&Look { columns: 30, ..Look::PLAIN }).say(line);
        assert_eq!(String::from_utf8_lossy(&read), "\n    root-a of ada signs\n      root 2 on the token\n");
    }
}
