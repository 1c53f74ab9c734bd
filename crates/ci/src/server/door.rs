//! Who may come in: by the name that the server is called by, the page that asks, and the token.

use super::Server;
use super::reply::Refusal;
use crate::tokens::{Right, Who};
use base64::Engine;
use http::{HeaderMap, StatusCode, header};

/// A page in a browser is told apart by its `Origin`, and by a `Host` that is a name of the attacker's (DNS rebinding).
pub(super) fn same_server(head: &http::request::Parts, hosts: &[String]) -> Result<(), Refusal> {
    let authority = net::authority(head);
    if !authority.is_empty() && !net::is_ours(authority, hosts) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "requests with this Host are not answered: name it with --host"));
    }
    let origin = net::host::text(head, &header::ORIGIN);
    if !origin.is_empty() && origin.split_once("://").map(|(_, from)| from) != Some(authority) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "requests with this Origin are not answered"));
    }
    Ok(())
}

impl Server {
    /// Who speaks, if they have the right.
    pub(super) fn may(&self, headers: &HeaderMap, right: Right) -> Result<Who, Refusal> {
        let said = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let who = said.and_then(token).and_then(|token| self.core.tokens.who(&token));
        let Some(who) = who else {
            let why = if said.is_some() { "the token is not known" } else { "expected a token, as password or bearer" };
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, why));
        };
        if !who.role.has(right) {
            let why = format!("the token `{}` has the role `{}`, which may not do this", who.name, who.role.name());
            return Err(Refusal::new(StatusCode::FORBIDDEN, why));
        }
        Ok(who)
    }
}

/// The token of `Authorization: Bearer TOKEN`, or the password of `Basic`; whoever the user is said to be.
fn token(said: &str) -> Option<String> {
    let (scheme, value) = said.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(value.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}
