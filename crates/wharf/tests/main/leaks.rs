//! Searches for a secret in whatever form it may have been written: raw, base64 (three offsets, standard and url form), hex, percent,
//! JSON, HTML and shell escapes, each also broken over lines.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use std::collections::BTreeSet;

/// A secret that must not be found, in all its forms.
pub struct Secret {
    name: &'static str,
    forms: Vec<(&'static str, Vec<u8>)>,
}

/// Shorter pieces stand in many a text by chance.
const SHORTEST: usize = 8;

impl Secret {
    /// One of at least eight bytes.
    pub fn new(name: &'static str, secret: &[u8]) -> Self {
        assert!(secret.len() >= SHORTEST, "{name} is too short to be searched for");
        let mut forms: Vec<(&'static str, Vec<u8>)> = vec![("raw", secret.to_vec())];
        let mut add = |form: &'static str, text: String| forms.push((form, text.into_bytes()));
        for offset in 0..3 {
            add("base64", base64_at(secret, offset, false));
            add("base64url", base64_at(secret, offset, true));
        }
        let each = |shown: &dyn Fn(u8) -> String| secret.iter().map(|byte| shown(*byte)).collect::<String>();
        add("hex", each(&|byte| format!("{byte:02x}")));
        add("HEX", each(&|byte| format!("{byte:02X}")));
        add("percent, all", each(&|byte| format!("%{byte:02X}")));
        add("percent, all, small", each(&|byte| format!("%{byte:02x}")));
        add("\\x", each(&|byte| format!("\\x{byte:02x}")));
        add("octal", each(&|byte| format!("\\{byte:03o}")));
        add("entities", each(&|byte| format!("&#{byte};")));
        add("entities, hex", each(&|byte| format!("&#x{byte:02x};")));
        add("\\u", each(&|byte| format!("\\u{byte:04x}")));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        let percent = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        add("percent", each(&percent));
        add("form", each(&|byte| if byte == b' ' { "+".to_owned() } else { percent(byte) }));
        if let Ok(text) = std::str::from_utf8(secret) {
            let json = serde_json::to_string(text).expect("JSON");
            add("JSON", json[1..json.len() - 1].to_owned());
            let twice = serde_json::to_string(&json).expect("JSON");
            add("JSON in JSON", twice[3..twice.len() - 3].to_owned());
            add("Rust", format!("{text:?}").trim_matches('"').to_owned());
            for quote in ["&#39;", "&#x27;", "&apos;"] {
                add(
                    "HTML",
                    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', quote),
                );
            }
            add("HTML, text", text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
            add("shell, quoted", text.replace('\'', "'\\''"));
            add("shell, double quoted", escaped(text, "\\\"$`"));
            add("shell, escaped", escaped(text, "\\\"$`'&<>| ;()*?[]#~=%!{}"));
            add("shell, dollar", text.replace('\\', "\\\\").replace('\'', "\\'"));
        }
        forms.sort_by(|a, b| a.1.cmp(&b.1));
        forms.dedup_by(|a, b| a.1 == b.1);
        Self { name, forms }
    }
}

/// Something that was written, and where.
pub struct Written {
    pub place: String,
    pub bytes: Vec<u8>,
}

/// All forms of all secrets, found in one pass by their first two bytes.
struct Needles(Vec<Vec<(String, Vec<u8>)>>);

impl Needles {
    fn of(secrets: &[Secret], shape: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let mut table = vec![Vec::new(); 1 << 16];
        for secret in secrets {
            for (form, bytes) in &secret.forms {
                let bytes = shape(bytes);
                table[key(bytes[0], bytes[1])].push((format!("{} as {form}", secret.name), bytes));
            }
        }
        Self(table)
    }

    fn find(&self, bytes: &[u8], found: &mut BTreeSet<String>) {
        for (at, pair) in bytes.windows(2).enumerate() {
            for (name, needle) in &self.0[key(pair[0], pair[1])] {
                if bytes[at..].starts_with(needle) {
                    found.insert(name.clone());
                }
            }
        }
    }
}

fn key(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// Everything of which something was found, as `PLACE: WHAT as FORM`.
pub fn leaks(secrets: &[Secret], written: &[Written]) -> Vec<String> {
    let (whole, joined) = (Needles::of(secrets, <[u8]>::to_vec), Needles::of(secrets, without_breaks));
    let mut all = Vec::new();
    for one in written {
        let mut found = BTreeSet::new();
        whole.find(&one.bytes, &mut found);
        joined.find(&without_breaks(&one.bytes), &mut found);
        all.extend(found.into_iter().map(|what| format!("{}: {what}", one.place)));
    }
    all
}

/// The characters of base64 that are the same whatever stands before and behind, when so many bytes of a group stand before.
fn base64_at(secret: &[u8], offset: usize, url: bool) -> String {
    let padded: Vec<u8> = std::iter::repeat_n(0, offset).chain(secret.iter().copied()).collect();
    let text = if url { URL_SAFE.encode(&padded) } else { STANDARD.encode(&padded) };
    let first = (offset * 8).div_ceil(6);
    text[first..padded.len() * 8 / 6].to_owned()
}

fn escaped(text: &str, which: &str) -> String {
    text.chars().flat_map(|c| [which.contains(c).then_some('\\'), Some(c)]).flatten().collect()
}

/// Without white space, and what stands for a break of a line: in JSON, in a shell, in mail.
fn without_breaks(bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        match (byte, next) {
            (b'\\', Some(b'n' | b'r' | b't')) | (b'\\' | b'=', Some(b'\n' | b'\r')) => at += 1,
            (byte, _) if byte.is_ascii_whitespace() => {}
            (byte, _) => kept.push(*byte),
        }
        at += 1;
    }
    kept
}

#[test]
fn a_secret_is_found_in_every_form_and_nothing_is_found_where_none_is() {
    const PASSWORD: &str = "s3cret&'w<o>r\"d%40 $x";
    let secret = Secret::new("password", PASSWORD.as_bytes());
    let json = serde_json::json!({ "a": PASSWORD }).to_string();
    let pairs = ["me:", "you:", "them:"].map(|user| STANDARD.encode(format!("{user}{PASSWORD} and more")));
    let url = URL_SAFE.encode(format!("??>{PASSWORD}"));
    let hex: String = PASSWORD.bytes().map(|byte| format!("{byte:02X}")).collect();
    let broken: Vec<String> = pairs[1].as_bytes().chunks(7).map(|line| format!("  {}\n", String::from_utf8_lossy(line))).collect();
    let texts = [
        PASSWORD.to_owned(),
        format!("x{PASSWORD}y"),
        pairs[0].clone(),
        pairs[1].clone(),
        pairs[2].clone(),
        url,
        hex,
        json.clone(),
        serde_json::json!({ "log": json }).to_string(),
        "https://me:s3cret%26%27w%3Co%3Er%22d%2540%20%24x@host/".to_owned(),
        "<p>s3cret&amp;&#39;w&lt;o&gt;r&quot;d%40 $x</p>".to_owned(),
        "echo 's3cret&'\\''w<o>r\"d%40 $x'".to_owned(),
        "s3cret\\&\\'w\\<o\\>r\\\"d\\%40\\ \\$x".to_owned(),
        broken.concat(),
        serde_json::json!({ "body": broken.concat() }).to_string(),
        "s3cret&'w<o>\\\nr\"d%40 $x".to_owned(),
    ];
    let found = |text: &str| leaks(std::slice::from_ref(&secret), &[Written { place: "log".to_owned(), bytes: text.as_bytes().to_vec() }]);
    for text in &texts {
        assert!(!found(text).is_empty(), "{text}");
    }
    for text in ["", "s", "s3cre", "s3cret&'w<o>r\"d%40 $y", &STANDARD.encode("me:another password"), &"ab".repeat(500)] {
        assert_eq!(found(text), Vec::<String>::new(), "{text}");
    }
    assert!(found(&texts[0]).contains(&"log: password as raw".to_owned()));
    assert!(found(&texts[3]).iter().all(|told| told.starts_with("log: password as base64")));
}
