//! Chats: a text as Slack's incoming web hooks take it, and with them Mattermost, Rocket.Chat and others.

use super::{Notifier, Parcel, Refusal, Sending};
use crate::{Notice, Way};
use serde_json::json;

/// See the module.
pub const NOTIFIER: Notifier = Notifier { name: "slack", serves: |receiver| matches!(receiver.way, Way::Slack(_)), send };

/// Slack cuts a text of more characters.
const LONGEST: usize = 3_000;

fn send<'a>(parcel: &'a Parcel<'a>) -> Sending<'a> {
    Box::pin(async move {
        let Way::Slack(slack) = &parcel.receiver.way else { return Err(Refusal::lasting("it is no chat")) };
        // The address itself is the secret: no error may show it.
        let url = net::client::Url::parse(slack.url.reveal())
            .map_err(|error| Refusal::lasting(format!("the chat's address is none: {}", error.why)))?;
        if !url.origin.tls && !url.origin.is_loopback() {
            return Err(Refusal::lasting("the chat's address is not https, and whoever reads along could write there"));
        }
        let body = json!({"text": text(parcel.notice)}).to_string();
        super::post(parcel.http, &url, http::HeaderMap::new(), body.into_bytes()).await
    })
}

/// Slack's mrkdwn: a bold line, and the text as it is.
fn text(notice: &Notice) -> String {
    let body: String = notice.body().chars().take(LONGEST).collect();
    format!("*{}*\n{}", escaped(&notice.line().replace('*', "∗")), escaped(&body))
}

/// What Slack's text needs: so nobody is mentioned and no link is other than it looks.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoticeKind;
    use base::Timestamp;

    #[test]
    fn nobody_is_mentioned_by_what_others_wrote() {
        let notice = Notice {
            key: "k".to_owned(),
            kind: NoticeKind::Down,
            project: "p".to_owned(),
            subject: "*<!channel>* & more".to_owned(),
            text: "<http://evil|good>".to_owned(),
            findings: Vec::new(),
            url: None,
            at: Timestamp::from_micros(0),
        };
        let text = text(&notice);
        assert!(text.starts_with("*[p] ∗&lt;!channel&gt;∗ &amp; more*\n&lt;http://evil|good&gt;\n"), "{text}");
    }
}
