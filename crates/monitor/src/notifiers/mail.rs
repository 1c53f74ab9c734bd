//! Mail by SMTP: over TLS, or within this machine.

use super::{Notifier, Parcel, Refusal, Sending};
use crate::{Mail, MailTls, Way};
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::time::{Duration, UNIX_EPOCH};

/// See the module.
pub const NOTIFIER: Notifier = Notifier { name: "mail", serves: |receiver| matches!(receiver.way, Way::Mail(_)), send };

/// How long the server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether a text is an address of mail, such as `ops@example.com` or `Ops <ops@example.com>`.
pub fn is_address(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

fn send<'a>(parcel: &'a Parcel<'a>) -> Sending<'a> {
    Box::pin(async move {
        let Way::Mail(mail) = &parcel.receiver.way else { return Err(Refusal::lasting("it is no mail")) };
        let (envelope, bytes) = message(parcel, mail)?;
        let transport = transport(mail)?;
        transport.send_raw(&envelope, &bytes).await.map(|_| ()).map_err(|error| refusal(mail, &error))
    })
}

fn transport(mail: &Mail) -> Result<AsyncSmtpTransport<Tokio1Executor>, Refusal> {
    let server = &mail.server;
    let tls = match server.tls(!mail.authorities.is_empty()) {
        MailTls::None => Tls::None,
        MailTls::Implicit => Tls::Wrapper(parameters(mail)?),
        MailTls::Starttls => Tls::Required(parameters(mail)?),
    };
    let mut builder =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host).port(server.port).tls(tls).timeout(Some(PATIENCE));
    if let Some((user, password)) = &mail.login {
        builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
    }
    Ok(builder.build())
}

fn parameters(mail: &Mail) -> Result<TlsParameters, Refusal> {
    let unusable =
        |error: lettre::transport::smtp::Error| Refusal::lasting(format!("TLS to `{}` cannot be set up: {error}", mail.server.host));
    let mut builder = TlsParameters::builder(mail.server.host.clone());
    for authority in &mail.authorities {
        builder = builder.add_root_certificate(Certificate::from_pem(authority.as_bytes()).map_err(unusable)?);
    }
    builder.build_rustls().map_err(unusable)
}

fn message(parcel: &Parcel<'_>, mail: &Mail) -> Result<(Envelope, Vec<u8>), Refusal> {
    let mailbox =
        |text: &str| text.parse::<Mailbox>().map_err(|error| Refusal::lasting(format!("`{text}` is no address of mail: {error}")));
    let from = mailbox(&mail.from)?;
    let to = mailbox(parcel.address)?;
    let at = UNIX_EPOCH + Duration::from_micros(u64::try_from(parcel.notice.at.micros()).unwrap_or(0));
    // Each try has the same, so that a server or a reader knows the second of two: between the server's word and our note of it
    // lies a moment in which a power cut makes us send again.
    let id = format!("<{}@{}>", parcel.id, from.email.domain());
    let mut builder = Message::builder().from(from.clone()).subject(parcel.notice.line()).date(at).message_id(Some(id));
    for address in &mail.to {
        builder = builder.to(mailbox(address)?);
    }
    let built = builder.singlepart(SinglePart::plain(parcel.notice.body()));
    let mut message = built.map_err(|error| Refusal::lasting(format!("the mail cannot be written: {error}")))?;
    // RFC 3834 section 5: nobody's holiday notice answers it.
    raw(&mut message, "Auto-Submitted", "auto-generated");
    raw(&mut message, "X-Wharf-Kind", parcel.notice.kind.name());
    let envelope = envelope(from.email, to.email)?;
    Ok((envelope, message.formatted()))
}

fn envelope(from: Address, to: Address) -> Result<Envelope, Refusal> {
    Envelope::new(Some(from), vec![to]).map_err(|error| Refusal::lasting(error.to_string()))
}

fn raw(message: &mut Message, name: &'static str, value: &str) {
    let name = HeaderName::new_from_ascii_str(name);
    message.headers_mut().insert_raw(HeaderValue::new(name, value.to_owned()));
}

fn refusal(mail: &Mail, error: &lettre::transport::smtp::Error) -> Refusal {
    let server = format!("`{}:{}`", mail.server.host, mail.server.port);
    let mut why = format!("{server}: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let more = inner.to_string();
        if !why.contains(&more) {
            why = format!("{why}: {more}");
        }
        source = inner.source();
    }
    Refusal { why, lasting: error.is_permanent() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MailServer, Notice, NoticeKind, Receiver, Secret};
    use base::Timestamp;

    #[test]
    fn a_mail_says_what_when_and_which() {
        let mail = Mail {
            server: MailServer::parse("smtp://mail.example.com").expect("a server"),
            from: "Wharf <wharf@example.com>".to_owned(),
            to: vec!["ops@example.com".to_owned(), "dev@example.com".to_owned()],
            login: Some(("wharf".to_owned(), Secret::new("hunter2"))),
            authorities: Vec::new(),
        };
        let notice = Notice {
            key: "k".to_owned(),
            kind: NoticeKind::NewAdvisory,
            project: "jobs".to_owned(),
            subject: "CVE-1 in app-a\r\nBcc: evil@example.com".to_owned(),
            text: "Grüße".to_owned(),
            findings: Vec::new(),
            url: None,
            at: Timestamp::from_micros(1_700_000_000_000_000),
        };
        let receiver = Receiver { name: "ops".to_owned(), way: Way::Mail(mail.clone()) };
        let http = net::client::Client::new(net::client::ClientOptions::default());
        let parcel = Parcel { id: "abc", notice: &notice, receiver: &receiver, address: "dev@example.com", http: &http };
        let (envelope, bytes) = message(&parcel, &mail).expect("a message");
        assert_eq!(envelope.to().iter().map(ToString::to_string).collect::<Vec<_>>(), ["dev@example.com"]);
        let text = String::from_utf8(bytes.clone()).expect("ASCII");
        for header in [
            "From: Wharf <wharf@example.com>\r\n",
            "To: ops@example.com, dev@example.com\r\n",
            "Subject: [jobs] CVE-1 in app-a  Bcc: evil@example.com\r\n",
            "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n",
            "Message-ID: <abc@example.com>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "X-Wharf-Kind: new-advisory\r\n",
        ] {
            assert!(text.contains(header), "{header}: {text}");
        }
        assert!(bytes.is_ascii() && !text.contains("\r\nBcc") && !text.contains("hunter2"), "{text}");
        let wrong = Parcel { address: "nobody", ..parcel };
        assert!(message(&wrong, &mail).expect_err("no address").lasting);
    }
}
