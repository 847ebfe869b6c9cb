//! The courier's command line.
//!
//! Never: an argument that takes a secret, one that leaves a check out.

use super::credentials::Keeper;
use super::server::Login;
use super::url::Url;
use super::web::Authorities;
use crate::cli::arguments::{Answers, ProfileName, ReleaseOf};
use crate::tuf::role::RoleName;
use crate::tuf::rule::Result;
use crate::tuf::time::Term;
use clap::{Args, Parser, Subcommand};
use std::path::{Path, PathBuf};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "keyrite-courier",
    version,
    about = "Brings metadata to a TUF or Notary v1 backend and back; holds no ceremonies and no keys",
    after_help = "Exit codes: 0 done, 1 refused by a rule, 2 bad usage, 3 a server, the network or a disk failed.",
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Arguments {
    /// Report in JSON on stdout
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Every command, in the order of help.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fetch what is published, as a folder that keyrite import takes
    Fetch(Fetch),
    /// Hand over an upload, look at what is served then, and bring back a receipt
    Push(Push),
    /// Fetch, import, release and push in one motion; keyrite asks and signs
    Release(Box<Release>),
    /// See what customers' computers accept, and download a target as they would
    Update(Update),
    /// See what customers' computers accept now and what ends when, for people and for monitoring
    Watch(Watch),
    /// A client as the public conformance suite for TUF calls it
    TufClient(TufClient),
}

/// How a server is reached.
#[derive(Debug, Clone, Args)]
pub struct Reach {
    /// The server's address; in profile tuf also a directory
    #[arg(long, value_name = "URL")]
    pub server: String,

    /// The certificates of the only authority to trust for this server, in PEM [default: those of this machine]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// NAME:PASSWORD, in a file of mode 0600
    #[arg(long, value_name = "FILE", conflicts_with = "credential_helper")]
    pub credentials: Option<PathBuf>,

    /// The program docker-credential-NAME, which keeps the credentials
    #[arg(long, value_name = "NAME")]
    pub credential_helper: Option<String>,

    /// The token server, if it is not on the server's own host
    #[arg(long, value_name = "URL")]
    pub realm: Option<String>,

    /// The longest that an answer may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub patience: u64,
}

impl Reach {
    /// Whose word counts for the server.
    pub fn authorities(&self) -> Authorities<'_> {
        self.ca.as_deref().map_or(Authorities::Machine, Authorities::Only)
    }

    /// Whose word counts for servers of targets. They are anyone's, and what comes from them is known by its
    /// digests: an authority of one's own for the backend takes none of the public ones away.
    pub fn authorities_of_targets<'a>(&'a self, only: Option<&'a Path>) -> Authorities<'a> {
        match (only, self.ca.as_deref()) {
            (Some(only), _) => Authorities::Only(only),
            (None, Some(own)) => Authorities::Also(own),
            (None, None) => Authorities::Machine,
        }
    }

    /// Who asks.
    ///
    /// # Errors
    ///
    /// `SERVER-ADDRESS` for a token server at no address.
    pub fn login(&self) -> Result<Login> {
        let keeper = match (&self.credentials, &self.credential_helper) {
            (Some(file), _) => Some(Keeper::File(file.clone())),
            (None, Some(name)) => Some(Keeper::Helper(name.clone())),
            (None, None) => None,
        };
        Ok(Login { keeper, realm: self.realm.as_deref().map(Url::parse).transpose()? })
    }
}

/// `fetch`
#[derive(Debug, Args)]
pub struct Fetch {
    /// How the server is reached
    #[command(flatten)]
    pub reach: Reach,

    /// The trust's trust.json, which names profile and collection
    #[arg(long, value_name = "FILE", required_unless_present = "profile")]
    pub trust: Option<PathBuf>,

    /// The wire profile of a repository that has no trust yet
    #[arg(long, value_name = "PROFILE", value_enum, conflicts_with = "trust")]
    pub profile: Option<ProfileName>,

    /// Its collection (profile notary)
    #[arg(long, value_name = "NAME", conflicts_with = "trust", required_if_eq("profile", "notary"))]
    pub collection: Option<String>,

    /// The folder to make; an earlier fetch there is replaced
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,

    /// Fetch the backend's two public keys too, once, into this folder, where they are kept (profile notary)
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,

    /// Fetch the older versions of targets and delegations too
    #[arg(long)]
    pub history: bool,
}

/// `push`
#[derive(Debug, Args)]
pub struct Push {
    /// The folder of the upload, in the record's uploads
    #[arg(value_name = "UPLOAD")]
    pub upload: PathBuf,

    /// How the server is reached
    #[command(flatten)]
    pub reach: Reach,

    /// The trust's trust.json
    #[arg(long, value_name = "FILE")]
    pub trust: PathBuf,

    /// The folder to make of what is served then, with the receipt; an earlier one there is replaced, but for receipts
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
}

/// `release`
#[derive(Debug, Args)]
pub struct Release {
    /// What is released
    #[command(flatten)]
    pub of: ReleaseOf,

    /// The only authority to trust for the server of --url, in PEM [default: those of this machine, and --ca]
    #[arg(long, value_name = "FILE", requires = "url", conflicts_with = "url_later")]
    pub targets_ca: Option<PathBuf>,

    /// Don't ask the address of --url for the file now: it comes there later
    #[arg(long, requires = "url")]
    pub url_later: bool,

    /// The record
    #[arg(long, value_name = "DIR")]
    pub record: PathBuf,

    /// How the server is reached
    #[command(flatten)]
    pub reach: Reach,

    /// The device map: where your own keys are [default: devices.toml in the record's directory]
    #[arg(long, value_name = "FILE")]
    pub devices: Option<PathBuf>,

    /// The offline program [default: the keyrite beside this one, or the one in the path]
    #[arg(long, value_name = "PROGRAM")]
    pub keyrite: Option<PathBuf>,

    /// The folder for what is served, and the receipt; an earlier fetch there is replaced
    #[arg(long, value_name = "DIR", default_value = "published")]
    pub into: PathBuf,

    /// Where the offline program's answers come from
    #[command(flatten)]
    pub answers: Answers,
}

/// What a customer's computer trusts.
#[derive(Debug, Args)]
pub struct Trusted {
    /// The root that is trusted first: the root.json that comes with the program
    #[arg(long, value_name = "ROOT")]
    pub trust: PathBuf,

    /// The collection (profile notary) [default: the one that the root's certificates name]
    #[arg(long, value_name = "NAME")]
    pub collection: Option<String>,

    /// The folder of what is trusted since [default: one for this root below ~/.local/state/keyrite-courier]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// `update`
#[derive(Debug, Args)]
pub struct Update {
    /// How the server is reached
    #[command(flatten)]
    pub reach: Reach,

    /// What is trusted
    #[command(flatten)]
    pub trusted: Trusted,

    /// The target to find and download
    #[arg(long, value_name = "NAME", requires = "out")]
    pub target: Option<String>,

    /// The address below which targets are that have no address of their own
    #[arg(long, value_name = "URL", requires = "target")]
    pub targets: Option<String>,

    /// The only authority to trust for the servers of targets, in PEM [default: those of this machine, and --ca]
    #[arg(long, value_name = "FILE", requires = "target")]
    pub targets_ca: Option<PathBuf>,

    /// The folder that the target is put into, under the last part of its name
    #[arg(long, value_name = "DIR", requires = "target")]
    pub out: Option<PathBuf>,
}

/// `watch`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all is well, 4 something is to be renewed, 1 customers refuse something \
    or developers are blocked, 3 nobody can tell (server, network, disk), 2 bad usage."
)]
pub struct Watch {
    /// How the server is reached
    #[command(flatten)]
    pub reach: Reach,

    /// What is trusted
    #[command(flatten)]
    pub trusted: Trusted,

    /// How long before its end a role's document is to be renewed, as timestamp=12-hours
    #[arg(long, value_name = "ROLE=TERM", value_parser = before)]
    pub renew: Vec<(RoleName, Term)>,
}

/// A role, and how long before its end it is to be renewed.
fn before(text: &str) -> Result<(RoleName, Term)> {
    let (role, term) = text.rsplit_once('=').unwrap_or(("", text));
    Ok((RoleName::from_name(role), term.replacen('-', " ", 1).parse()?))
}

/// `tuf-client`
#[derive(Debug, Args)]
pub struct TufClient {
    /// The folder of trusted metadata
    #[arg(long, value_name = "DIR")]
    pub metadata_dir: PathBuf,

    /// The address below which metadata is
    #[arg(long, value_name = "URL")]
    pub metadata_url: Option<String>,

    /// A target to download, one after the other
    #[arg(long, value_name = "NAME")]
    pub target_name: Vec<String>,

    /// The address below which targets are
    #[arg(long, value_name = "URL")]
    pub target_base_url: Option<String>,

    /// The folder that targets are put into
    #[arg(long, value_name = "DIR")]
    pub target_dir: Option<PathBuf>,

    /// What to do
    #[command(subcommand)]
    pub step: Step,
}

/// What the conformance suite asks for.
#[derive(Debug, Subcommand)]
pub enum Step {
    /// Trust this root
    Init {
        /// A root.json
        #[arg(value_name = "ROOT")]
        root: PathBuf,
    },
    /// Update the metadata
    Refresh,
    /// Update the metadata and download the targets
    Download,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_whole() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_release_is_asked_for_as_of_the_offline_program() {
        let line = "keyrite-courier release --record r --server https://n.example.com --application a";
        for (rest, fine) in [
            ("f.msi --url https://dl.example.com/f.msi --url-later", true),
            ("--withdraw a/f.msi --valid-for 90-days", true),
            ("--renew", true),
            ("", false),
            ("--renew --withdraw a/f.msi", false),
            ("--renew --url https://dl.example.com/f.msi", false),
            ("f.msi --url-later", false),
        ] {
            let words = line.split(' ').chain(rest.split_whitespace());
            assert_eq!(Arguments::try_parse_from(words).is_ok(), fine, "{rest}");
        }
    }

    #[test]
    fn no_argument_takes_a_secret() {
        let mut all = vec![Arguments::command()];
        while let Some(command) = all.pop() {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                for word in ["password", "secret", "token", "insecure", "force", "skip"] {
                    assert!(!name.contains(word), "{name}");
                }
            }
            all.extend(command.get_subcommands().cloned());
        }
    }
}
