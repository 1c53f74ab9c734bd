//! A program that hands out credentials (`credential_process`): what it prints is never shown.

use super::none;
use ::infra::Failure;
use ::infra::aws::{Credentials, Secret};
use base::Timestamp;
use serde::Deserialize;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// What it prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: u32,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<String>,
}

const LONGEST: Duration = Duration::from_secs(60);
const LARGEST: u64 = 64 << 10;

/// Asks it.
pub(super) async fn ask(line: &str) -> Result<Credentials, Failure> {
    let words = split(line).ok_or_else(|| none("`credential_process` has a quote without its end"))?;
    let (program, arguments) = words.split_first().ok_or_else(|| none("`credential_process` names no program"))?;
    let failed = |why: &str| none(format!("`{program}`, which is to hand out credentials, {why}"));
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| failed(&format!("cannot be started: {error}")))?;
    let mut out = child.stdout.take().ok_or_else(|| failed("has no output"))?.take(LARGEST);
    let mut text = Vec::new();
    let done = tokio::time::timeout(LONGEST, async {
        let read = out.read_to_end(&mut text).await;
        read.and(child.wait().await)
    });
    let status = done.await.map_err(|_| failed("did not end within a minute"))?.map_err(|error| failed(&error.to_string()))?;
    if !status.success() {
        return Err(failed(&format!("failed: {status}")));
    }
    // The parser's words could hold a part of it.
    let printed: Printed = serde_json::from_slice(&text).map_err(|_| failed("printed something else than credentials"))?;
    if printed.version != 1 {
        return Err(failed(&format!("printed version {}, and only 1 is known", printed.version)));
    }
    Ok(Credentials {
        access_key: printed.access_key_id,
        secret: Secret::new(printed.secret_access_key),
        session: printed.session_token.map(Secret::new),
        expires: printed.expiration.as_deref().and_then(Timestamp::parse_rfc3339),
    })
}

/// Words, with quotes as a shell has them; no shell runs.
fn split(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(end), c) if c == end => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().push(characters.next()?),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_are_split_as_a_shell_does() {
        assert_eq!(split(r#"a "b c"  'd "e' f\ g """#).expect("words"), ["a", "b c", "d \"e", "f g", ""]);
        assert_eq!(split("a 'b"), None);
        assert_eq!(split("  ").expect("none"), Vec::<String>::new());
    }
}
