//! The command line: every command and option that keyrite has. One file, though a long one, so that all
//! of it is read on one page.
//!
//! Never: an option that turns a rule off, one that takes a secret, a command that signs bytes of
//! anyone's own, a switch for the clock or for randomness. A test walks the whole tree for them.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "keyrite",
    version,
    about = "Offline key ceremonies for TUF and Notary v1, with keys on HSMs",
    after_help = "Exit codes: 0 done, 1 refused by a rule or a person, 2 bad usage, runbook or missing \
                  answer,\n3 token or medium failed, 4 signatures still missing, 130 interrupted.",
    disable_help_subcommand = false,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Arguments {
    /// The record's directory
    #[arg(short = 'C', value_name = "DIR", default_value = ".", global = true, help_heading = "Everywhere")]
    pub directory: PathBuf,

    /// The device map: where your own keys are [default: devices.toml in the record's directory; for sign and tokens the one here]
    #[arg(long, value_name = "FILE", global = true, help_heading = "Everywhere")]
    pub devices: Option<PathBuf>,

    /// Report in JSON on stdout
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,

    /// Show more of what is done
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "Everywhere")]
    pub verbose: u8,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Every command, in the order of help.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Hold runbooks on throw-away tokens: the first thing to try
    Rehearse(Rehearse),
    /// Answer a dozen questions: makes a trust, its limits, the device map and the first day's runbooks
    Init(Init),
    /// Take in a repository that other tools made
    Adopt(Adopt),
    /// Answer questions about any ceremony, a loss or a theft first: writes its runbooks
    Guide(Guide),
    /// List tokens and their keys, prepare blank ones, write the device map
    Tokens(Tokens),
    /// Check a runbook without touching a token, and print the script
    Plan(Plan),
    /// Look at this machine, the modules and the tokens, as a ceremony here would find them
    Preflight(Preflight),
    /// Hold a ceremony; run it again to go on where it stopped
    Run(Run),
    /// Publish an application's files by its delegation's keys, take some back, or sign again what ends
    Release(Release),
    /// Sign, or refuse, what waits for your tokens
    Sign(Sign),
    /// Take in what came back on a medium
    Import(Import),
    /// Hand out what someone needs
    Export(Export),
    /// Carry files, signatures, keys and digests across an air gap as QR codes
    Qr(Qr),
    /// Who must still sign, what expires when, what to do next
    Status(Status),
    /// Explain a document, a change or a key to people
    Show(Show),
    /// Check the whole record again, without secrets
    Verify(Verify),
    /// Make a developer's key and enrolment file
    Developer(Developer),
    /// What custodians do with the cards of a secret that was split
    Share(Share),
    /// Make the next snapshot and timestamp (profile tuf)
    SignSnapshot(SignSnapshot),
    /// Print the completions for a shell
    Completions(Completions),
}

/// Where answers come from.
#[derive(Debug, Clone, Default, Args)]
pub struct Answers {
    /// Take the answers from this file; needs --unattended
    #[arg(long, value_name = "FILE", requires = "unattended")]
    pub answers: Option<PathBuf>,

    /// Ask nothing: every answer must be in the file
    #[arg(long, requires = "answers")]
    pub unattended: bool,
}

/// `rehearse`
#[derive(Debug, Args)]
pub struct Rehearse {
    /// Runbooks, or folders of them [default: the record's first-day folder, or the built-in first day]
    #[arg(value_name = "DIR|RUNBOOK")]
    pub runbooks: Vec<PathBuf>,

    /// The throw-away tokens
    #[arg(long, value_name = "TOKENS", value_enum, default_value_t = Stand::File)]
    pub on: Stand,

    /// The wire profile of the built-in first day, or of runbooks that no record stands behind [default: notary]
    #[arg(long, value_name = "PROFILE", value_enum, conflicts_with = "from")]
    pub profile: Option<ProfileName>,

    /// Rehearse on a shadow of this record, which notes that the runbooks were rehearsed
    #[arg(long, value_name = "RECORD")]
    pub from: Option<PathBuf>,

    /// Where to leave the rehearsal's record [default: rehearsal, or rehearsal-2 and so on if it is in use]
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
}

/// What plays the tokens in a rehearsal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stand {
    /// Encrypted key files, which every machine has
    File,
    /// SoftHSM tokens, through PKCS#11 as in the real thing
    Softhsm,
}

/// A wire profile, as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProfileName {
    /// Notary v1
    Notary,
    /// TUF 1.0
    Tuf,
}

impl ProfileName {
    /// The profile.
    pub const fn profile(self) -> crate::tuf::profile::Profile {
        match self {
            Self::Notary => crate::tuf::profile::Profile::Notary,
            Self::Tuf => crate::tuf::profile::Profile::Tuf,
        }
    }
}

/// `init`
#[derive(Debug, Args)]
pub struct Init {
    /// The record's directory to make [default: -C DIR]
    #[arg(value_name = "DIR")]
    pub into: Option<PathBuf>,

    /// Where answers come from
    #[command(flatten)]
    pub answers: Answers,
}

/// `adopt`
#[derive(Debug, Args)]
pub struct Adopt {
    /// The directory with its metadata: every root, and what clients get now
    #[arg(value_name = "DIR")]
    pub from: PathBuf,

    /// The record's directory to make, or to go on with
    #[arg(long, value_name = "RECORD")]
    pub into: PathBuf,

    /// Limits to begin with [default: the built-in ones]
    #[arg(long, value_name = "FILE")]
    pub limits: Option<PathBuf>,

    /// Where answers come from
    #[command(flatten)]
    pub answers: Answers,
}

/// `guide`
#[derive(Debug, Args)]
pub struct Guide {
    /// What it is about, such as lost-or-stolen, new-application or renew [default: asked, from a list]
    #[arg(value_name = "CEREMONY")]
    pub ceremony: Option<String>,

    /// Where answers come from
    #[command(flatten)]
    pub answers: Answers,
}

/// `tokens`
#[derive(Debug, Args)]
pub struct Tokens {
    /// A PKCS#11 module to look through [default: those of the device map]
    #[arg(long, value_name = "PATH", global = true)]
    pub module: Vec<PathBuf>,

    /// A YubiHSM's connector on this machine [default: USB, that of Yubico, and those of the device map]
    #[arg(long, value_name = "URL", global = true)]
    pub connector: Vec<String>,

    /// What to do [default: list]
    #[command(subcommand)]
    pub act: Option<TokensAct>,
}

/// What `tokens` does.
#[derive(Debug, Subcommand)]
pub enum TokensAct {
    /// List every token and the keys on it
    List,
    /// Label a blank token and set its PINs, typed twice; never wipes one
    Prepare,
    /// Change a token's PIN, or set it anew by a YubiKey's PUK where it is locked
    ChangePin,
    /// Ask which token is whose and write the device map
    Write {
        /// The device map to make; never overwritten
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// Where answers come from
        #[command(flatten)]
        answers: Answers,
    },
}

/// `plan`
#[derive(Debug, Args)]
pub struct Plan {
    /// The runbook, or a folder of them
    #[arg(value_name = "DIR|RUNBOOK")]
    pub runbook: PathBuf,

    /// Write every question with its meaning and allowed answers, to be filled in
    #[arg(long, value_name = "FILE")]
    pub write_answers: Option<PathBuf>,

    /// Write the script to print, one HTML file a runbook, as far as it can be planned by now: steps with
    /// boxes for initials and time
    #[arg(long, value_name = "FILE")]
    pub print: Option<PathBuf>,
}

/// `preflight`
#[derive(Debug, Args)]
pub struct Preflight {}

/// `run`
#[derive(Debug, Args)]
pub struct Run {
    /// Runbooks, or a folder of them, held in order as one session
    #[arg(value_name = "RUNBOOK|DIR", required = true)]
    pub runbooks: Vec<PathBuf>,

    /// Where answers come from
    #[command(flatten)]
    pub answers: Answers,
}

/// What a release is of, also for the courier.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("what").args(["files", "withdraw", "renew"]).required(true).multiple(true))]
pub struct ReleaseOf {
    /// The files, as they lie on this machine
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// The application
    #[arg(long, value_name = "NAME")]
    pub application: String,

    /// Its track
    #[arg(long, value_name = "NAME")]
    pub track: Option<String>,

    /// Where clients fetch the file; with a slash at the end, the folder of all of them
    #[arg(long, value_name = "URL", requires = "files", conflicts_with = "renew")]
    pub url: Option<String>,

    /// The file's whole name for clients [default: the application's folder and the name that it has here]
    #[arg(long, value_name = "NAME", requires = "files", conflicts_with = "renew")]
    pub name: Option<String>,

    /// A name that clients are to find no more; once for each
    #[arg(long, value_name = "NAME")]
    pub withdraw: Vec<String>,

    /// Sign again what is there, before it ends
    #[arg(long, conflicts_with_all = ["files", "withdraw"])]
    pub renew: bool,

    /// How long all of the application's files are valid from now on, as "90 days" [default: as long as the limits allow]
    #[arg(long, value_name = "TERM")]
    pub valid_for: Option<String>,
}

/// `release`
#[derive(Debug, Args)]
pub struct Release {
    /// What is released
    #[command(flatten)]
    pub of: ReleaseOf,

    /// Write the runbook of this release, and sign nothing
    #[arg(long, value_name = "FILE", conflicts_with = "answers")]
    pub write_runbook: Option<PathBuf>,

    /// Where answers come from
    #[command(flatten)]
    pub answers: Answers,
}

/// `sign`
#[derive(Debug, Args)]
pub struct Sign {
    /// The record or received medium [default: -C DIR]
    #[arg(value_name = "DIR")]
    pub from: Option<PathBuf>,

    /// Write what a key in a vault is to sign: each payload, its digest and the lines to type
    #[arg(long, value_name = "KEY", conflicts_with = "refuse")]
    pub external: Option<String>,

    /// The public key that the vault gives, for a key that is to come into the record
    #[arg(long, value_name = "FILE", requires = "external")]
    pub public: Option<PathBuf>,

    /// Take back a signature made over such a payload; once for each
    #[arg(long, value_name = "FILE", requires = "external")]
    pub take_back: Vec<PathBuf>,

    /// Sign a refusal with a reason, instead of the change
    #[arg(long)]
    pub refuse: bool,

    /// Where answers come from
    #[command(flatten)]
    pub answers: Answers,
}

/// `import`
#[derive(Debug, Args)]
pub struct Import {
    /// The medium or copy of the record
    #[arg(value_name = "DIR")]
    pub from: PathBuf,
}

/// `export`
#[derive(Debug, Args)]
pub struct Export {
    /// The directory to fill; what it holds already stays
    #[arg(value_name = "DIR")]
    pub into: PathBuf,

    /// Only what this person needs to sign
    #[arg(long = "for", value_name = "NAME")]
    pub recipient: Option<String>,
}

/// `qr`
#[derive(Debug, Args)]
pub struct Qr {
    /// What to do
    #[command(subcommand)]
    pub act: QrAct,
}

/// What `qr` does.
#[derive(Debug, Subcommand)]
pub enum QrAct {
    /// Show files of the record as many codes: a request, or all of it
    Send {
        /// Only what this person needs to sign
        #[arg(long = "for", value_name = "NAME")]
        recipient: Option<String>,

        /// A copy of the record as the other side has it: only what it lacks is sent
        #[arg(long, value_name = "DIR")]
        besides: Option<PathBuf>,

        /// Draw nothing: compare words of the digest once the other side has read codes from a folder or paper
        #[arg(long, conflicts_with_all = ["into", "print"])]
        compare: bool,

        /// Where the codes go
        #[command(flatten)]
        out: Out,
    },
    /// Show what a key has signed of a change as one code
    Signatures {
        /// The key's name in the record
        #[arg(value_name = "KEY")]
        key: String,

        /// Draw nothing: compare words of the digest once the other side has read codes from a folder or paper
        #[arg(long, conflicts_with_all = ["into", "print"])]
        compare: bool,

        /// Where the codes go
        #[command(flatten)]
        out: Out,
    },
    /// Show a public key as one code
    Key {
        /// The key's name in the record
        #[arg(value_name = "KEY")]
        key: String,

        /// Where the codes go
        #[command(flatten)]
        out: Out,
    },
    /// Show a digest as one code
    Digest {
        /// The digest, 64 hexadecimal digits
        #[arg(value_name = "DIGEST")]
        digest: String,

        /// Where the codes go
        #[command(flatten)]
        out: Out,
    },
    /// Read codes: from images, or from a scanner that types; files and signatures come into the record
    Read {
        /// PNG or JPEG images, or folders of them [default: a scanner]
        #[arg(value_name = "IMAGE|DIR")]
        from: Vec<PathBuf>,

        /// Where answers come from
        #[command(flatten)]
        answers: Answers,
    },
}

/// Where codes go.
#[derive(Debug, Clone, Default, Args)]
pub struct Out {
    /// Write them into this folder as PNG and SVG files [default: drawn on the terminal]
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,

    /// Write them on a page to print, one HTML file
    #[arg(long, value_name = "FILE")]
    pub print: Option<PathBuf>,
}

/// `status`
#[derive(Debug, Args)]
pub struct Status {
    /// Show who may release what instead: person, application, paths
    #[arg(long)]
    pub who: bool,

    /// Write the days on which something is due or ends, for a calendar (RFC 5545)
    #[arg(long, value_name = "FILE")]
    pub calendar: Option<PathBuf>,
}

/// `show`
#[derive(Debug, Args)]
pub struct Show {
    /// A document, change, key, statement, transcript, limits, share manifest or MANIFEST file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Show what is different from this one
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
}

/// `verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// The newest root that you know, from paper: its version and payload digest
    #[arg(long, value_name = "VERSION:DIGEST")]
    pub anchor: Option<String>,

    /// Write a report to print, one HTML file: who, when, which tokens, what was signed
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// `developer`
#[derive(Debug, Args)]
pub struct Developer {
    /// What to do
    #[command(subcommand)]
    pub act: DeveloperAct,
}

/// What `developer` does.
#[derive(Debug, Subcommand)]
pub enum DeveloperAct {
    /// Make a key, and the enrolment file to send to the update-service administrator
    New {
        /// Your name in the record: lower-case letters, digits, "-", "_"
        #[arg(value_name = "NAME")]
        name: String,

        /// The trust.json that the administrator sent
        #[arg(long, value_name = "FILE")]
        trust: PathBuf,

        /// Where to write NAME.key and NAME.enrol.json
        #[arg(long, value_name = "DIR")]
        out: PathBuf,

        /// What the key is called in the record, for a second one; its files get this name [default: dev-NAME]
        #[arg(long, value_name = "KEY")]
        key: Option<String>,

        /// The key file's form; the stock notary client reads "notary" [default: by the trust's profile]
        #[arg(long)]
        notary: bool,

        /// The public half of a key in a vault: writes what it is to sign, and makes no key
        #[arg(long, value_name = "FILE", conflicts_with = "notary")]
        public: Option<PathBuf>,

        /// Take back the signature that the vault made
        #[arg(long, value_name = "FILE", requires = "public")]
        take_back: Option<PathBuf>,
    },
}

/// `share`
#[derive(Debug, Args)]
pub struct Share {
    /// What to do
    #[command(subcommand)]
    pub act: ShareAct,
}

/// What `share` does.
#[derive(Debug, Subcommand)]
pub enum ShareAct {
    /// Show that you have your card, without showing it: typed unseen, compared with the manifest
    Drill {
        /// The share manifest that you were given with the card
        #[arg(value_name = "MANIFEST")]
        manifest: PathBuf,

        /// Your name in the record
        #[arg(value_name = "NAME")]
        holder: String,
    },
}

/// `sign-snapshot`
#[derive(Debug, Args)]
pub struct SignSnapshot {
    /// Ask nothing; keys and their PIN files come from the device map
    #[arg(long, required = true)]
    pub unattended: bool,
}

/// `completions`
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use clap::{Command as Clap, CommandFactory};
    use std::fmt::Write as _;

    /// Every command below `command`, each with its path.
    fn walk(command: &Clap, path: &str, found: &mut Vec<(String, Clap)>) {
        for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
            let path = format!("{path} {}", below.get_name()).trim().to_owned();
            walk(below, &path, found);
            found.push((path, below.clone()));
        }
    }

    fn tree() -> Vec<(String, Clap)> {
        let mut found = vec![(String::new(), Arguments::command())];
        walk(&Arguments::command(), "", &mut found);
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    #[test]
    fn the_tree_is_sound() {
        Arguments::command().debug_assert();
    }

    /// The whole command line on one page: a change of it is a change of this test.
    #[test]
    fn these_are_all_commands_and_options() {
        let mut page = String::new();
        for (path, command) in tree() {
            let mut parts = Vec::new();
            let own = |a: &&clap::Arg| path.is_empty() || path == "tokens" || !a.is_global_set();
            for arg in command.get_arguments().filter(own) {
                let name = match (arg.get_long(), arg.get_short()) {
                    (Some(long), _) => format!("--{long}"),
                    (None, Some(short)) => format!("-{short}"),
                    (None, None) => arg.get_id().to_string().to_uppercase(),
                };
                parts.push(name);
            }
            let _ = writeln!(page, "{path}: {}", parts.join(" "));
        }
        assert_eq!(
            page,
            "\
: -C --devices --json --verbose
adopt: FROM --into --limits --answers --unattended
completions: SHELL
developer: 
developer new: NAME --trust --out --key --notary --public --take-back
export: INTO --for
guide: CEREMONY --answers --unattended
import: FROM
init: INTO --answers --unattended
plan: RUNBOOK --write-answers --print
preflight: 
qr: 
qr digest: DIGEST --into --print
qr key: KEY --into --print
qr read: FROM --answers --unattended
qr send: --for --besides --compare --into --print
qr signatures: KEY --compare --into --print
rehearse: RUNBOOKS --on --profile --from --into
release: FILES --application --track --url --name --withdraw --renew --valid-for --write-runbook --answers --unattended
run: RUNBOOKS --answers --unattended
share: 
share drill: MANIFEST HOLDER
show: FILE --against
sign: FROM --external --public --take-back --refuse --answers --unattended
sign-snapshot: --unattended
status: --who --calendar
tokens: --module --connector
tokens change-pin: 
tokens list: 
tokens prepare: 
tokens write: FILE --answers --unattended
verify: --anchor --report
"
        );
    }

    #[test]
    fn no_option_turns_a_rule_off_or_takes_a_secret() {
        let never = [
            "force", "skip", "ignore", "no-", "allow", "insecure", "yes", "assume", "override", "unsafe",
            "pin", "pass", "secret", "password", "time", "clock", "now", "seed", "random", "raw", "bytes",
            "data",
        ];
        for (path, command) in tree() {
            for arg in command.get_arguments() {
                let name = arg.get_long().unwrap_or_default();
                let parts: Vec<&str> = name.split('-').collect();
                let bad = never.iter().find(|n| parts.contains(&n.trim_end_matches('-')) && !name.is_empty());
                assert!(bad.is_none(), "{path} --{name}");
            }
        }
    }

    #[test]
    fn wrong_usage_ends_with_2_and_help_with_0() {
        for (line, code) in [
            ("keyrite", 2),
            ("keyrite sing", 2),
            ("keyrite run", 2),
            ("keyrite run a.toml --answers a.toml", 2),
            ("keyrite run a.toml --unattended", 2),
            ("keyrite release --application a", 2),
            ("keyrite release a.msi --url https://dl.example.com/", 2),
            ("keyrite release a.msi --application a --renew", 2),
            ("keyrite release --application a --renew --url https://dl.example.com/", 2),
            ("keyrite sign --take-back a.sig", 2),
            ("keyrite sign --public a.pem", 2),
            ("keyrite sign --external k --refuse", 2),
            ("keyrite sign-snapshot", 2),
            ("keyrite share", 2),
            ("keyrite share drill set.json", 2),
            ("keyrite share drill set.json bruno academic", 2),
            ("keyrite run a.toml --force", 2),
            ("keyrite completions perl", 2),
            ("keyrite --help", 0),
            ("keyrite --version", 0),
            ("keyrite help sign", 0),
        ] {
            let error = Arguments::try_parse_from(line.split(' ')).unwrap_err();
            let found = if error.use_stderr() { 2 } else { 0 };
            assert_eq!(found, code, "{line}: {error}");
        }
    }

    #[test]
    fn lines_that_the_manual_prints_are_understood() {
        for line in [
            "keyrite rehearse",
            "keyrite rehearse ceremonies/first-day --on softhsm --into /tmp/r",
            "keyrite init --answers answers.toml --unattended record",
            "keyrite -C record tokens --module /usr/lib/softhsm/libsofthsm2.so",
            "keyrite tokens list --module a.so --module b.so --json",
            "keyrite tokens write devices.toml --module a.so",
            "keyrite tokens change-pin",
            "keyrite plan first-day/01-root-keys.toml --write-answers answers.toml --json",
            "keyrite plan first-day/04-root.toml --print script.html",
            "keyrite run first-day -C record --devices d.toml -vv",
            "keyrite -C trust preflight",
            "keyrite release setup.msi --application camera-station --url https://dl.example.com/setup.msi",
            "keyrite release a.msi b.msi --application cam --track beta --url https://dl.example.com/cam/",
            "keyrite release c.msi --application cam --withdraw cam/a.msi --withdraw cam/b.msi",
            "keyrite release --application cam --renew --write-runbook renew.toml",
            "keyrite sign /media/stick",
            "keyrite sign --external root-b --take-back root-b.sig",
            "keyrite sign --external targets-1 --public p.pem --take-back a --take-back b",
            "keyrite import /media/stick",
            "keyrite export /media/stick --for bruno",
            "keyrite qr send --for bruno",
            "keyrite qr send --besides /media/stick --into frames",
            "keyrite qr signatures root-b --print code.html",
            "keyrite qr signatures root-b --compare",
            "keyrite qr read frames photo.jpg",
            "keyrite qr read",
            "keyrite status --json",
            "keyrite status --who --calendar due.ics",
            "keyrite show a.json --against b.json",
            "keyrite verify --anchor 1:00",
            "keyrite verify --report report.html",
            "keyrite developer new dana --trust trust.json --out .",
            "keyrite developer new dana --key dev-dana-2 --trust trust.json --out .",
            "keyrite developer new dana --trust trust.json --out . --public dana.pem --take-back s",
            "keyrite share drill shares.json bruno",
            "keyrite sign-snapshot --unattended",
            "keyrite completions bash",
        ] {
            Arguments::try_parse_from(line.split(' ')).unwrap();
        }
    }
}
