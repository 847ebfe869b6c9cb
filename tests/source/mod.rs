//! Reads Rust sources as tokens, for the tests that hold the whole tree to account.
//!
//! A token is an identifier, the text of a string, or a mark; comments are dropped, so that a doc
//! link to an upper layer is no dependency. It knows as much of the language as those tests need
//! and is no parser: what it can't tell apart it reports rather than hides.

#![allow(dead_code, reason = "each test takes what it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or keyword.
    Word,
    /// A string literal, without its quotes; escapes stay as written.
    Text,
    /// `::`, or one character of punctuation.
    Mark,
}

/// One token.
#[derive(Debug, Clone)]
pub struct Token {
    pub kind: Kind,
    pub text: String,
    /// From 1.
    pub line: usize,
    /// Within an item under `#[cfg(test)]`, or in a file of tests.
    pub test: bool,
    /// Names of the inline modules around it.
    pub inside: Vec<String>,
}

impl Token {
    fn is(&self, kind: Kind, text: &str) -> bool {
        self.kind == kind && self.text == text
    }
}

/// One source file.
pub struct Source {
    /// Relative to the package, with `/`.
    pub path: String,
    pub tokens: Vec<Token>,
}

/// Every `.rs` file below a folder of this package, in order of path.
pub fn sources(folder: &str) -> Vec<Source> {
    files(folder)
        .into_iter()
        .filter(|path| ends(path, "rs"))
        .map(|path| {
            let text = fs::read_to_string(root().join(&path)).unwrap();
            scan(&path, &text)
        })
        .collect()
}

/// Whether a file's name has this ending.
pub fn ends(path: &str, ending: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == ending)
}

/// Where this package's files are.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Paths of all files below a folder of this package, but for build products and data of others.
pub fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return found };
    for entry in entries {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            if !["target", "fixtures", "__pycache__"].contains(&name.as_str()) {
                found.extend(files(&path));
            }
        } else if kind.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Reads one file's text.
pub fn scan(path: &str, text: &str) -> Source {
    let mut tokens = tokens(text);
    mark_tests(
        &mut tokens,
        path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/"),
    );
    mark_modules(&mut tokens);
    Source { path: path.to_owned(), tokens }
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut line) = (0, 1);
    let mut out = Vec::new();
    let peek = |at: usize| chars.get(at).copied().unwrap_or('\0');
    while at < chars.len() {
        let began = at;
        let mut token = None;
        match peek(at) {
            '/' if peek(at + 1) == '/' => {
                while at < chars.len() && peek(at) != '\n' {
                    at += 1;
                }
            }
            '/' if peek(at + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (peek(at), peek(at + 1)) {
                        ('/', '*') => (depth, at) = (depth + 1, at + 2),
                        ('*', '/') => (depth, at) = (depth - 1, at + 2),
                        _ => at += 1,
                    }
                    if depth == 0 || at >= chars.len() {
                        break;
                    }
                }
            }
            '"' => (token, at) = plain_string(&chars, at),
            '\'' => at = after_quote(&chars, at),
            c if c == '_' || c.is_alphabetic() => {
                while peek(at) == '_' || peek(at).is_alphanumeric() {
                    at += 1;
                }
                let word: String = chars[began..at].iter().collect();
                let prefix = ["r", "b", "c", "br", "cr"].contains(&word.as_str());
                if prefix
                    && word.contains('r')
                    && (peek(at) == '"' || peek(at) == '#')
                    && raw_opens(&chars, at)
                {
                    (token, at) = raw_string(&chars, at);
                } else if prefix && peek(at) == '"' {
                    (token, at) = plain_string(&chars, at);
                } else if word == "b" && peek(at) == '\'' {
                    at = after_quote(&chars, at);
                } else {
                    token = Some((Kind::Word, word));
                }
            }
            c if c.is_ascii_digit() => {
                while peek(at) == '_' || peek(at).is_alphanumeric() {
                    at += 1;
                }
            }
            ':' if peek(at + 1) == ':' => (token, at) = (Some((Kind::Mark, "::".to_owned())), at + 2),
            c => {
                at += 1;
                token = (!c.is_whitespace()).then(|| (Kind::Mark, c.to_string()));
            }
        }
        if let Some((kind, text)) = token {
            out.push(Token { kind, text, line, test: false, inside: Vec::new() });
        }
        line += chars[began..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    out
}

type Found = (Option<(Kind, String)>, usize);

fn plain_string(chars: &[char], open: usize) -> Found {
    let mut at = open + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    let end = at.min(chars.len());
    (Some((Kind::Text, chars[open + 1..end].iter().collect())), end + 1)
}

fn raw_opens(chars: &[char], mut at: usize) -> bool {
    while chars.get(at) == Some(&'#') {
        at += 1;
    }
    chars.get(at) == Some(&'"')
}

fn raw_string(chars: &[char], mut at: usize) -> Found {
    let from = at;
    while chars[at] == '#' {
        at += 1;
    }
    let close: String = std::iter::once('"').chain(std::iter::repeat_n('#', at - from)).collect();
    let rest: String = chars[at + 1..].iter().collect();
    let text = rest.split(&close).next().unwrap_or_default().to_owned();
    let end = at + 1 + text.chars().count() + close.len();
    (Some((Kind::Text, text)), end)
}

/// Past a character literal, or past the quote of a lifetime.
fn after_quote(chars: &[char], quote: usize) -> usize {
    if chars.get(quote + 1) == Some(&'\\') {
        let mut at = quote + 3;
        while at < chars.len() && chars[at] != '\'' {
            at += 1;
        }
        at + 1
    } else if chars.get(quote + 2) == Some(&'\'') {
        quote + 3
    } else {
        quote + 1
    }
}

/// Marks the item after each `#[cfg(test)]`, up to its `;` or closing brace.
fn mark_tests(tokens: &mut [Token], all: bool) {
    let attribute = ["#", "[", "cfg", "(", "test", ")", "]"];
    for start in 0..tokens.len() {
        if all {
            tokens[start].test = true;
        }
        let here = tokens[start..].iter().map(|token| token.text.as_str());
        if !here.take(attribute.len()).eq(attribute) {
            continue;
        }
        let (mut depth, mut at) = (0_usize, start + attribute.len());
        while let Some(token) = tokens.get_mut(at) {
            token.test = true;
            at += 1;
            match (token.kind, token.text.as_str()) {
                (Kind::Mark, "{" | "(" | "[") => depth += 1,
                (Kind::Mark, ")" | "]") => depth -= 1,
                (Kind::Mark, "}") => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                (Kind::Mark, ";") if depth == 0 => break,
                _ => {}
            }
        }
    }
}

fn mark_modules(tokens: &mut [Token]) {
    let mut open: Vec<(String, usize)> = Vec::new();
    let mut depth = 0_usize;
    for at in 0..tokens.len() {
        tokens[at].inside = open.iter().map(|(name, _)| name.clone()).collect();
        if tokens[at].is(Kind::Mark, "{") {
            if at >= 2 && tokens[at - 2].is(Kind::Word, "mod") {
                open.push((tokens[at - 1].text.clone(), depth));
            }
            depth += 1;
        } else if tokens[at].is(Kind::Mark, "}") {
            depth = depth.saturating_sub(1);
            if open.last().is_some_and(|(_, outside)| *outside == depth) {
                open.pop();
            }
        }
    }
}

/// A path as written, `use` groups taken apart: `use a::{b, c::*}` is `a::b` and `a::c::*`.
#[derive(Debug)]
pub struct PathUse {
    pub parts: Vec<String>,
    /// Its first token.
    pub token: Token,
    /// Followed by `!`.
    pub called: bool,
}

/// Keywords after which a path may begin with `::`.
const BEFORE_PATHS: &[&str] =
    &["use", "return", "in", "as", "mut", "dyn", "impl", "for", "else", "match", "if"];

/// Every path in a file, single identifiers included.
pub fn paths(source: &Source) -> Vec<PathUse> {
    let tokens = &source.tokens;
    let mut out = Vec::new();
    for at in 0..tokens.len() {
        let joined = at >= 2
            && tokens[at - 1].is(Kind::Mark, "::")
            && (tokens[at - 2].is(Kind::Mark, ">")
                || tokens[at - 2].kind == Kind::Word
                    && !BEFORE_PATHS.contains(&tokens[at - 2].text.as_str()));
        let within_group = at >= 1 && in_group(tokens, at);
        if tokens[at].kind == Kind::Word && !joined && !within_group {
            tree(tokens, at, &mut Vec::new(), &tokens[at], &mut out);
        }
    }
    out
}

/// Whether a token stands in the braces of a `use` tree, which its head has already taken apart.
fn in_group(tokens: &[Token], at: usize) -> bool {
    let mut depth = 0_usize;
    for back in (0..at).rev() {
        match tokens[back].text.as_str() {
            ";" if tokens[back].kind == Kind::Mark => return false,
            "}" if tokens[back].kind == Kind::Mark => depth += 1,
            "{" if tokens[back].kind == Kind::Mark => {
                if depth == 0 {
                    return back >= 1 && tokens[back - 1].is(Kind::Mark, "::");
                }
                depth -= 1;
            }
            _ => {}
        }
    }
    false
}

/// Takes the path or tree at `at` apart; returns where it ends.
fn tree(
    tokens: &[Token],
    mut at: usize,
    head: &mut Vec<String>,
    first: &Token,
    out: &mut Vec<PathUse>,
) -> usize {
    let kept = head.len();
    while let Some(token) = tokens.get(at) {
        if token.is(Kind::Mark, "{") {
            at += 1;
            while tokens.get(at).is_some_and(|token| !token.is(Kind::Mark, "}")) {
                at = tree(tokens, at, head, first, out);
                while tokens
                    .get(at)
                    .is_some_and(|token| !token.is(Kind::Mark, ",") && !token.is(Kind::Mark, "}"))
                {
                    at += 1; // `as name`
                }
                at += usize::from(tokens.get(at).is_some_and(|token| token.is(Kind::Mark, ",")));
            }
            head.truncate(kept);
            return at + 1;
        }
        if token.kind != Kind::Word && !token.is(Kind::Mark, "*") {
            break;
        }
        // `self` in a group is the head itself.
        if token.text != "self" || head.is_empty() {
            head.push(token.text.clone());
        }
        at += 1;
        if !tokens.get(at).is_some_and(|token| token.is(Kind::Mark, "::")) {
            break;
        }
        let next = tokens.get(at + 1);
        if next.is_some_and(|next| {
            next.kind == Kind::Word || next.is(Kind::Mark, "{") || next.is(Kind::Mark, "*")
        }) {
            at += 1;
        } else {
            break; // a turbofish
        }
    }
    let called = tokens.get(at).is_some_and(|token| token.is(Kind::Mark, "!"));
    out.push(PathUse { parts: head.clone(), token: first.clone(), called });
    head.truncate(kept);
    at
}
