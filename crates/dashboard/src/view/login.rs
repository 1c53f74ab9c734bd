//! The login, and pages that say why there is no page.

use super::bare;
use crate::respond::Refusal;
use maud::{DOCTYPE, Markup, html};

/// The form; `next` is where they wanted to go.
pub(crate) fn form(next: &str, wrong: Option<&str>) -> Markup {
    let content = html! {
        h1 { "Log in" }
        @if let Some(wrong) = wrong { p.cause role="alert" { (wrong) } }
        form.login method="post" action="/login" {
            input type="hidden" name="next" value=(next);
            label for="token" { "Token" }
            input #token type="password" name="token" autocomplete="current-password" required autofocus maxlength="512";
            p.hint { "A token is made by whoever runs this server: " code { "wharf ci token add NAME" } }
            button.main type="submit" { "Log in" }
        }
    };
    bare("Log in", &content)
}

/// Why there is no page.
pub(crate) fn refusal(refusal: &Refusal) -> Markup {
    let (status, message, hint) = refusal.said();
    let content = html! {
        h1 { (status.as_u16()) " " (status.canonical_reason().unwrap_or_default()) }
        p.cause role="alert" { (message) "." }
        p.hint { "Next: " (hint) "." }
        p { a href="/" { "To the runs" } }
    };
    bare(status.canonical_reason().unwrap_or("Refused"), &content)
}

/// Asks for the same page again. Who follows a link from elsewhere, such as a mail, is not known at first: their cookie is for this
/// site alone.
pub(crate) fn again() -> Markup {
    html! { (DOCTYPE) html lang="en" { head { meta charset="utf-8"; meta http-equiv="refresh" content="0"; title { "Wharf" } } body { p { a href="" { "Continue" } } } } }
}
