//! Reads a TUF repository in a directory with `tough`, the client of Bottlerocket, to prove that
//! a second implementation in another team's hands accepts what we make.
//!
//!     tough-client ROOT.json METADATA_DIR TARGETS_DIR [--datastore DIR] [EXPECTED_TARGET…]
//!     tough-client --make METADATA_DIR KEYS_DIR VERSION
//!
//! The second makes a repository instead ([`make`]).
//!
//! `ROOT.json` is the root the client trusts; it goes on from there through the newer ones in
//! `METADATA_DIR`. Expiry is enforced. An expected target must be listed by a role that may list
//! it, and its file must be in `TARGETS_DIR` with the size and hash that the metadata says; with
//! `-` for `TARGETS_DIR` the files are left alone. Where snapshots are consistent, `tough` looks
//! for `<hash>.dir/name`, unlike the specification's `dir/<hash>.name`. `--datastore` keeps its state
//! between two runs, which is what rollback protection works on; without it every run is a client's
//! first.
//!
//! Prints what was seen as JSON (roles with their versions, delegations with names of parent and
//! child, targets with length and SHA-256) and exits 0; exits 1 with the error on stderr.
//!
//! Our own reading code is not used here, on purpose.

mod make;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use tough::schema::{Signed, Target, Targets};
use tough::{ExpirationEnforcement, FilesystemTransport, IntoVec, Repository, RepositoryLoader, TargetName};
use url::Url;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [root, metadata, targets, rest @ ..] = args.as_slice() else {
        eprintln!(
            "usage: tough-client ROOT.json METADATA_DIR TARGETS_DIR [--datastore DIR] [EXPECTED_TARGET…]"
        );
        return ExitCode::from(2);
    };
    let (datastore, expected) = match rest {
        [option, datastore, expected @ ..] if option == "--datastore" => (Some(datastore.as_str()), expected),
        expected => (None, expected),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let done = runtime.map_err(Into::into).and_then(|run| match (root.as_str(), expected) {
        ("--make", [version]) => run.block_on(make::make(metadata.as_ref(), targets.as_ref(), version)),
        _ => run.block_on(read(root, metadata, targets, datastore, expected)),
    });
    match done {
        Ok(seen) => {
            println!("{seen:#}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("tough-client: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn read(
    root: &str,
    metadata: &str,
    targets: &str,
    datastore: Option<&str>,
    expected: &[String],
) -> Result<Value, Box<dyn Error>> {
    let root = std::fs::read(root)?;
    let metadata = directory(metadata)?;
    let with_files = targets != "-";
    let targets = if with_files { directory(targets)? } else { metadata.clone() };
    let mut loader = RepositoryLoader::new(&root, metadata, targets)
        .transport(FilesystemTransport)
        .expiration_enforcement(ExpirationEnforcement::Safe);
    if let Some(datastore) = datastore {
        std::fs::create_dir_all(datastore)?;
        loader = loader.datastore(datastore);
    }
    let repository = loader.load().await?;
    for name in expected {
        let target = TargetName::new(name)?;
        // Along the delegations whose paths match, as a client looks.
        repository.targets().signed.find_target(&target, false)?;
        if with_files {
            let contents =
                repository.read_target(&target).await?.ok_or_else(|| format!("no role may list {name}"))?;
            // Reading to the end is what compares size and hash.
            contents.into_vec().await.map_err(|error| format!("{name}: {}", chain(&error)))?;
        }
    }
    Ok(report(&repository))
}

fn report(repository: &Repository) -> Value {
    let mut delegations = Vec::new();
    collect("targets", repository.targets(), &mut delegations);
    let targets: serde_json::Map<_, _> =
        repository.all_targets().map(|(name, target)| (name.raw().to_owned(), entry(target))).collect();
    json!({
        "root": repository.root().signed.version,
        "timestamp": repository.timestamp().signed.version,
        "snapshot": repository.snapshot().signed.version,
        "targets": repository.targets().signed.version,
        "delegations": delegations,
        "targets_seen": targets,
    })
}

fn collect(parent: &str, document: &Signed<Targets>, into: &mut Vec<Value>) {
    for role in document.signed.delegations.iter().flat_map(|delegations| &delegations.roles) {
        into.push(json!({
            "parent": parent,
            "name": role.name,
            "threshold": role.threshold,
            "keys": role.keyids.len(),
            "version": role.targets.as_ref().map(|document| document.signed.version),
        }));
        if let Some(document) = &role.targets {
            collect(&role.name, document, into);
        }
    }
}

fn entry(target: &Target) -> Value {
    json!({ "length": target.length, "sha256": target.hashes.sha256 })
}

fn directory(path: &str) -> Result<Url, Box<dyn Error>> {
    let path = Path::new(path).canonicalize().map_err(|error| format!("{path}: {error}"))?;
    Url::from_directory_path(&path).map_err(|()| format!("{}: no file URL", path.display()).into())
}

/// `tough`'s errors name the cause only in their sources.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
