//! `keyrite tokens`: what is plugged in, who it belongs to, and how it gets ready.
//!
//! `list` needs no PIN: it shows what tokens tell to anyone. `prepare` labels a blank token and
//! sets its PINs; one that is in use is never wiped. `change-pin` is for its holder alone, at any time. `write` asks which token is whose and makes
//! the device map, with each module's SHA-256 as it is now.

use super::arguments::{Answers, Tokens, TokensAct};
use super::devices::{DeviceKey, DeviceMap};
use super::pins::Pins;
use super::rules;
use super::session::{Ended, Session, shown, typed};
use crate::ceremony::people::KeyName;
use crate::record::Record;
use crate::signer::backends::{Listing, ModulePin};
use crate::signer::rules as signer;
use crate::signer::uri::{KeyUri, Pkcs11Uri};
use crate::signer::yubihsm::{Connector, Way};
use crate::signer::{PinAsk, PinSource, Token, TokenIdentity, TokenKey, TokenKind};
use crate::tuf::json::{Json, object};
use crate::tuf::key::PublicKey;
use crate::tuf::rule::{Refusal, Result};
use crate::tuf::text;
use crate::ui::screen::{Safe, Screen, Tone};
use crate::ui::table::Table;
use crate::ui::{Console, Prompt, ask_until, tokens};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A token that takes messages of so many bytes takes any document that a record holds.
const LONGEST: usize = 64 << 20;

/// Runs the command.
///
/// # Errors
///
/// `MODULE-NONE` if no module is named anywhere; what tokens and questions refuse.
pub fn run(session: &Session, args: &Tokens) -> Result<Ended> {
    match &args.act {
        None | Some(TokensAct::List) => list(session, args),
        Some(TokensAct::Prepare) => prepare(session, args),
        Some(TokensAct::ChangePin) => change_pin(session, args),
        Some(TokensAct::Write { file, answers }) => write(session, args, file, answers),
    }
}

/// The modules named on the command line, or else those of the device map; none is refused unless
/// there is a YubiKey or a YubiHSM, which need none.
fn modules(session: &Session, args: &Tokens) -> Result<Vec<ModulePin>> {
    let named: Vec<ModulePin> =
        args.module.iter().map(|path| ModulePin { path: absolute(path), sha256: None }).collect();
    let all = if named.is_empty() {
        session.map()?.map(|map| map.modules.into_values().collect()).unwrap_or_default()
    } else {
        named
    };
    let others =
        || yubikeys(session).tokens.is_empty() && yubihsms(session, args).is_ok_and(|all| all.is_empty());
    if all.is_empty() && others() {
        let found = format!("no --module and no module in {}", shown(&session.devices));
        return Err(Refusal::new(&rules::MODULE_NONE, found, "--module PATH of a PKCS#11 library"));
    }
    Ok(all)
}

/// What is behind each connector that is named, or else on USB, behind Yubico's own connector and those
/// of the device map. Where nobody listens there is none.
///
/// # Errors
///
/// `CONNECTOR-ADDRESS`; `URI-BACKEND` in a program without feature `yubihsm`.
fn yubihsms(session: &Session, args: &Tokens) -> Result<Vec<(Way, Listing)>> {
    if cfg!(not(feature = "yubihsm")) && !args.connector.is_empty() {
        let found = "--connector, in a program without feature `yubihsm`";
        return Err(Refusal::new(&signer::URI_BACKEND, found, "--module PATH of a PKCS#11 library"));
    }
    let named = args.connector.iter().map(|text| text.parse().map(Way::Connector));
    let mut ways: BTreeSet<Way> = named.collect::<Result<_>>()?;
    if ways.is_empty() {
        ways.extend([Way::Usb, Way::Connector(Connector::default())]);
        let keys = session.map()?.into_iter().flat_map(|map| map.keys.into_values());
        ways.extend(keys.filter_map(|key| match key.uri {
            KeyUri::YubiHsm(uri) => Some(uri.way),
            _ => None,
        }));
    }
    let mut found = session.modules.yubihsms(&ways);
    found.retain(|(_, listing)| !listing.tokens.is_empty() || !listing.problems.is_empty());
    Ok(found)
}

/// This command as it was typed, but for what it does.
fn line(session: &Session, args: &Tokens) -> String {
    let mut line = format!("{} tokens", session.keyrite());
    for module in &args.module {
        line = format!("{line} --module {}", typed(module));
    }
    for connector in &args.connector {
        line = format!("{line} --connector {}", typed(Path::new(connector)));
    }
    line
}

/// How to say which token is whose: `init` asks for it, and later a map is written for a record.
fn whose(session: &Session, args: &Tokens) -> String {
    if session.directory.join("trust.json").exists() {
        format!("write down which is whose: {} write devices.toml", line(session, args))
    } else {
        "make the trust, which asks which token is whose: keyrite init trust".to_owned()
    }
}

/// The path from the root, so that a device map means the same wherever it is used from.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Never asked for: what needs a PIN is not listed.
struct NoPins;

impl PinSource for NoPins {
    fn pin(&mut self, _ask: &PinAsk) -> Result<crate::signer::secret::Pin> {
        Err(Refusal::new(&signer::TOKEN_CANNOT, "a token that asks for its PIN", "a list without PINs"))
    }

    fn pin_pad(&mut self, ask: &PinAsk) -> Result<()> {
        self.pin(ask).map(|_| ())
    }

    fn touch(&mut self, _token: &TokenIdentity) {}
}

/// The YubiKeys that are there. Without the smart card service there are none, which is worth a word
/// only to someone who has no other token.
fn yubikeys(session: &Session) -> Listing {
    session.modules.yubikeys().unwrap_or_else(|e| Listing { tokens: Vec::new(), problems: vec![e] })
}

/// Every token in reach, YubiKeys and YubiHSMs natively too.
fn all(session: &Session, args: &Tokens) -> Result<Listing> {
    let mut listing = session.modules.list(&modules(session, args)?);
    for (_, behind) in yubihsms(session, args)? {
        listing.tokens.extend(behind.tokens);
        listing.problems.extend(behind.problems);
    }
    let yubikeys = yubikeys(session);
    if !yubikeys.tokens.is_empty() || listing.tokens.is_empty() {
        listing.tokens.extend(yubikeys.tokens);
        listing.problems.extend(yubikeys.problems);
    }
    Ok(listing)
}

fn list(session: &Session, args: &Tokens) -> Result<Ended> {
    let mut listing = all(session, args)?;
    listing.tokens.sort_by_key(|t| (t.is_blank(), t.identity().label.clone(), t.identity().serial.clone()));
    let mut table = Table::new(["label", "serial", "model", "state", "keys"]);
    let mut json = Vec::new();
    for token in &mut listing.tokens {
        let found = Found::of(token.as_mut());
        table.push(found.row());
        json.push(found.json());
    }
    let mut screen = Screen::new("Tokens");
    screen = match listing.tokens.len() {
        0 => screen.text("No token answers. Is it plugged in?"),
        _ => screen.table(table),
    };
    let blank = listing.tokens.iter().any(|t| t.is_blank());
    screen = problems(screen, &listing);
    if blank {
        screen =
            screen.next(format!("give a blank token its label and PINs: {} prepare", line(session, args)));
    }
    screen = screen.next(whose(session, args));
    let problems: Vec<Json> = listing.problems.iter().map(|p| Json::from(p.to_string())).collect();
    session.report(&screen, object([("problems", problems.into()), ("tokens", json.into())]))?;
    Ok(Ended::Done)
}

fn problems(mut screen: Screen, listing: &Listing) -> Screen {
    for problem in &listing.problems {
        screen = screen.callout(Tone::Careful, problem.to_string());
    }
    screen
}

/// What a token tells to anyone.
struct Found {
    identity: TokenIdentity,
    state: String,
    keys: Vec<TokenKey>,
    keys_told: bool,
}

impl Found {
    fn of(token: &mut dyn Token) -> Self {
        let identity = token.identity().clone();
        if token.is_blank() {
            return Self { identity, state: "blank".to_owned(), keys: Vec::new(), keys_told: true };
        }
        let mut state = vec!["ready".to_owned()];
        state.extend(token.condition().map(str::to_owned));
        if token.pin_pad() {
            state.push("own PIN pad".to_owned());
        }
        if let Some(tries) =
            token.tries().ok().filter(|t| *t != crate::signer::Tries::Unknown).and_then(tokens::tries)
        {
            state.push(tries.to_string());
        }
        let keys = token.keys(&mut NoPins);
        let keys_told = keys.is_ok();
        Self { identity, state: state.join("; "), keys: keys.unwrap_or_default(), keys_told }
    }

    fn keys(&self) -> Vec<Safe> {
        self.keys
            .iter()
            .map(|key| {
                let kind = key.public.as_ref().map_or_else(|| "unknown kind".to_owned(), PublicKey::describe);
                Safe::from(format!("{} ({kind})", Safe::untrusted(&key.label)))
            })
            .collect()
    }

    fn row(&self) -> [Safe; 5] {
        let keys = match (self.keys_told, self.keys.is_empty()) {
            (false, _) => "shown only after the PIN".to_owned(),
            (true, true) => "none".to_owned(),
            (true, false) => self.keys().iter().map(Safe::to_string).collect::<Vec<_>>().join(", "),
        };
        let name = if self.identity.label.is_empty() { "(none)" } else { self.identity.label.as_str() };
        [
            Safe::untrusted(name),
            Safe::untrusted(&self.identity.serial),
            Safe::untrusted(&self.identity.model),
            Safe::from(&self.state),
            Safe::from(keys),
        ]
    }

    fn json(&self) -> Json {
        let keys = self.keys.iter().map(|key| {
            object([
                ("algorithm", key.public.as_ref().map_or(Json::Null, |p| p.describe().into())),
                ("identity", key.public.as_ref().map_or(Json::Null, |p| p.identity().to_string().into())),
                ("label", text::visible(&key.label).into()),
            ])
        });
        let shown = |text: &str| Json::from(text::visible(text));
        object([
            ("blank", (self.state == "blank").into()),
            ("firmware", shown(&self.identity.firmware)),
            ("keys", keys.collect::<Vec<_>>().into()),
            ("keys-told", self.keys_told.into()),
            ("kind", self.identity.kind.name().into()),
            ("label", shown(&self.identity.label)),
            ("manufacturer", shown(&self.identity.manufacturer)),
            ("model", shown(&self.identity.model)),
            ("serial", shown(&self.identity.serial)),
            ("state", self.state.as_str().into()),
        ])
    }
}

/// Has a person choose one of the tokens, by serial number.
pub(super) fn choose(
    console: &mut dyn Console,
    prompt: Prompt,
    found: &[TokenIdentity],
) -> Result<TokenIdentity> {
    let mut prompt = prompt;
    for token in found {
        let label =
            if token.label.is_empty() { "(no label)".to_owned() } else { text::visible(&token.label) };
        let serial = text::visible(&token.serial);
        let serial = if serial.is_empty() { "no serial yet".to_owned() } else { format!("serial {serial}") };
        let shown = format!("{label}   {}, {serial}", text::visible(&token.model));
        prompt = prompt.offer(Safe::untrusted(&token.serial), shown);
    }
    let place = console.ask_choice(&prompt)?;
    found.get(place).cloned().ok_or_else(|| {
        Refusal::new(&signer::TOKEN_MISSING, "a choice beyond the list", "one of the tokens that answer")
    })
}

fn prepare(session: &Session, args: &Tokens) -> Result<Ended> {
    let mut listing = session.modules.list(&modules(session, args)?);
    let blank: Vec<TokenIdentity> =
        listing.tokens.iter().filter(|t| t.is_blank()).map(|t| t.identity().clone()).collect();
    if blank.is_empty() {
        let found = match listing.tokens.len() {
            0 => "no token that answers".to_owned(),
            count => format!("{count} tokens, all in use"),
        };
        return Err(Refusal::new(
            &signer::TOKEN_NOT_BLANK,
            found,
            "a blank token; one in use is never wiped",
        ));
    }
    let mut console = session.console(&Answers::default())?;
    console.show(
        &problems(Screen::new("Prepare a token"), &listing)
            .text(
                "A blank token gets a label and two secrets: the PIN, which its holder types to sign, and the \
                 security officer's PIN, which unlocks a locked token. Both are typed twice.",
            )
            .callout(Tone::Note, "Write neither of them down beside the token."),
    )?;
    let prompt = Prompt::new("token", "Which token?").help("Only blank tokens are listed.");
    let chosen = choose(console.as_mut(), prompt, &blank)?;
    let prompt = Prompt::new("label", "Its label?")
        .help("What people will call it: the name of the key that it will hold, like root-a.")
        .help("At most 32 letters and digits; it can't be changed later.");
    let label = ask_until(console.as_mut(), &prompt, |typed| {
        let name = typed.parse::<KeyName>()?;
        if name.as_str().len() > 32 {
            let found = format!("\"{name}\", {} bytes", name.as_str().len());
            return Err(Refusal::new(&signer::TOKEN_LABEL, found, "at most 32 letters"));
        }
        Ok(name.to_string())
    })?;
    let token = listing.tokens.iter_mut().find(|t| *t.identity() == chosen);
    let token = token.ok_or_else(|| {
        Refusal::new(&signer::TOKEN_NOT_BLANK, "the token is gone", "the token that was chosen")
    })?;
    token.initialise(&label, &mut Pins::new(console.as_mut(), None))?;
    let now = token.identity().clone();
    let screen = Screen::new("Token prepared")
        .fact("Label", label.as_str())
        .fact("Serial", Safe::untrusted(&now.serial))
        .fact("Model", Safe::untrusted(&now.model))
        .next(format!("prepare the next one: {} prepare", line(session, args)))
        .next(whose(session, args));
    let json = object([
        ("label", label.as_str().into()),
        ("serial", text::visible(&now.serial).into()),
        ("model", text::visible(&now.model).into()),
    ]);
    session.report(&screen, json)?;
    Ok(Ended::Done)
}

fn change_pin(session: &Session, args: &Tokens) -> Result<Ended> {
    let mut listing = all(session, args)?;
    let known: Vec<TokenIdentity> =
        listing.tokens.iter().filter(|t| !t.is_blank()).map(|t| t.identity().clone()).collect();
    let missing = || Refusal::new(&signer::TOKEN_MISSING, "no token with a PIN", "the token, inserted");
    if known.is_empty() {
        return Err(missing());
    }
    let mut console = session.console(&Answers::default())?;
    console.show(&problems(
        Screen::new("Change a PIN")
            .text("Its holder types the PIN, then the new one twice. Ceremonies go on with the new one."),
        &listing,
    ))?;
    let prompt = Prompt::new("token", "Which token?").help("By the serial number that is printed on it.");
    let chosen = choose(console.as_mut(), prompt, &known)?;
    let token = listing.tokens.iter_mut().find(|t| *t.identity() == chosen).ok_or_else(missing)?;
    token.change_pin(&mut Pins::new(console.as_mut(), None))?;
    let screen = Screen::new("PIN changed")
        .fact("Serial", Safe::untrusted(&chosen.serial))
        .text("The old one is of no use any more. Nothing of it is kept anywhere but on the token.");
    session.report(&screen, object([("serial", text::visible(&chosen.serial).into())]))?;
    Ok(Ended::Done)
}

fn write(session: &Session, args: &Tokens, file: &Path, answers: &Answers) -> Result<Ended> {
    let record = Record::open(&session.directory)?;
    let trust = record.trust().id;
    let modules = modules(session, args)?;
    let mut console = session.console(answers)?;
    let mut map = DeviceMap::new(trust);
    map.machine = session.mark(trust, file);
    console.show(
        &Screen::new("Device map")
            .text(
                "For each token, say which of your keys it holds or will hold. The map stays on this machine; keys \
                 of others are elsewhere, and that is fine.",
            )
            .fact("Trust", trust.to_string())
            .fact("Collection", Safe::untrusted(&record.trust().collection)),
    )?;
    // Whoever made the medium chose this id; from now on the keys are opened for it alone.
    let same = Prompt::new("trust", "Is this the trust that the administrator read to you?")
        .help("Your keys will be opened for this trust and no other.");
    console.confirm_word(&same, "same")?;
    for module in &modules {
        // Pinned as it is now: a module that is another one later is refused.
        let pinned = ModulePin { sha256: Some(session.modules.load(module)?), ..module.clone() };
        let listing = session.modules.list(std::slice::from_ref(module));
        console.show(&problems(Screen::default(), &listing))?;
        let name = map.add_module(pinned);
        for token in listing.tokens.iter().filter(|t| !t.is_blank()) {
            let max_payload = limit(token.as_ref());
            let token = token.identity();
            for key in ask_keys(console.as_mut(), token)? {
                let place = DeviceKey { max_payload, ..on_token(token, &key, &name)? };
                map.keys.insert(key, place);
            }
        }
    }
    for token in &yubikeys(session).tokens {
        let max_payload = limit(token.as_ref());
        for key in ask_keys(console.as_mut(), token.identity())? {
            let place = DeviceKey { max_payload, ..on_token(token.identity(), &key, "")? };
            map.keys.insert(key, place);
        }
    }
    for (way, listing) in &yubihsms(session, args)? {
        console.show(&problems(Screen::default(), listing))?;
        for token in &listing.tokens {
            let max_payload = limit(token.as_ref());
            for key in ask_keys(console.as_mut(), token.identity())? {
                let place = DeviceKey { max_payload, ..on_yubihsm(token.identity(), *way)? };
                map.keys.insert(key, place);
            }
        }
    }
    console.finish()?;
    map.create(file)?;
    let mut table = Table::new(["key", "where"]);
    for (name, key) in &map.keys {
        table.push([Safe::from(name.as_str()), Safe::untrusted(&key.uri.to_string())]);
    }
    let screen = Screen::new("Device map written")
        .fact("File", shown(file))
        .fact("Trust", trust.to_string())
        .table(table)
        .next(format!("see what waits for your keys: {} status", session.keyrite()));
    let keys: Vec<Json> = map.keys.keys().map(|k| Json::from(k.as_str())).collect();
    session.report(&screen, object([("file", shown(file).into()), ("keys", keys.into())]))?;
    Ok(Ended::Done)
}

/// The keys that a token holds or will hold.
fn ask_keys(console: &mut dyn Console, token: &TokenIdentity) -> Result<Vec<KeyName>> {
    let prompt = Prompt::new(
        format!("keys.{}", text::visible(&token.serial)),
        format!("Which keys are on {}?", tokens::named(token, None)),
    )
    .help("Their names in the record, with commas between: root-a. Or none.");
    let guess = token.label.parse::<KeyName>().map(|name| name.to_string());
    let prompt = prompt.default(guess.unwrap_or_else(|_| "none".to_owned()));
    ask_until(console, &prompt, |typed| {
        if typed == "none" {
            return Ok(Vec::new());
        }
        typed.split(',').map(|name| name.trim().parse()).collect()
    })
}

/// The longest message of a token, where one is known and documents may exceed it.
pub(super) fn limit(token: &dyn Token) -> Option<usize> {
    token.longest_message().filter(|most| (1..LONGEST).contains(most))
}

/// The same for a token that was chosen from a list.
pub(super) fn limit_of(session: &Session, module: &ModulePin, token: &TokenIdentity) -> Option<usize> {
    let listing = session.modules.list(std::slice::from_ref(module));
    listing.tokens.iter().find(|found| found.identity() == token).and_then(|found| limit(found.as_ref()))
}

/// A key on a YubiHSM, and how that is reached.
///
/// # Errors
///
/// `URI-FORM` for a serial number that no YubiHSM has.
pub(super) fn on_yubihsm(token: &TokenIdentity, way: Way) -> Result<DeviceKey> {
    let connector = match way {
        Way::Connector(connector) => format!(";connector={connector}"),
        Way::Usb => String::new(),
    };
    Ok(DeviceKey::new(format!("yubihsm:serial={}{connector}", token.serial).parse()?))
}

/// A key on a token, found by label and serial; on a YubiKey by its serial number alone.
///
/// # Errors
///
/// `URI-FORM` for a serial number that no YubiKey has.
pub(super) fn on_token(token: &TokenIdentity, key: &KeyName, module: &str) -> Result<DeviceKey> {
    if token.kind == TokenKind::Piv {
        return Ok(DeviceKey::new(format!("piv:serial={};slot=9c", token.serial).parse()?));
    }
    let uri = KeyUri::Pkcs11(Pkcs11Uri {
        token: Some(token.label.clone()),
        serial: Some(token.serial.clone()),
        object: Some(key.to_string()),
        ..Pkcs11Uri::default()
    });
    Ok(DeviceKey { module: Some(module.to_owned()), ..DeviceKey::new(uri) })
}
