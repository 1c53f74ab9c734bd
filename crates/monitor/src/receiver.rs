//! Who is told: where, and with what secret.

use base::Secret;
use net::client::Url;

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// TLS from the first byte (`smtps`, RFC 8314 section 3.3).
    Implicit,
    /// STARTTLS, and nothing is sent before (RFC 3207).
    Starttls,
    /// None: only within this machine.
    None,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServer {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether `smtps` was written.
    pub implicit_tls: bool,
}

impl MailServer {
    /// Reads `smtp://HOST[:PORT]` (587, STARTTLS) or `smtps://HOST[:PORT]` (465, TLS).
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{text}` is no mail server: {why}");
        let (implicit_tls, rest) = match text.split_once("://") {
            Some(("smtp", rest)) => (false, rest),
            Some(("smtps", rest)) => (true, rest),
            _ => return Err(wrong("write `smtp://HOST:PORT` (STARTTLS) or `smtps://HOST:PORT` (TLS from the start)")),
        };
        if rest.contains('@') {
            return Err("a mail server's address holds no user or password: write `user` and `password: { file: PATH }`".to_owned());
        }
        // The port that `Origin` fills in where none is written is HTTP's.
        let (port, authority) =
            if has_port(rest) { (None, rest.to_owned()) } else { (Some(if implicit_tls { 465 } else { 587 }), format!("{rest}:1")) };
        let origin = net::client::Origin::parse(false, &authority).map_err(|error| wrong(error.why))?;
        Ok(Self { host: origin.host, port: port.unwrap_or(origin.port), implicit_tls })
    }

    /// How it is spoken to: in the clear only on this machine, where no authority was given by which it could prove who it is.
    pub fn tls(&self, authorities: bool) -> MailTls {
        match (self.implicit_tls, net::client::is_loopback(&self.host) && !authorities) {
            (true, _) => MailTls::Implicit,
            (false, true) => MailTls::None,
            (false, false) => MailTls::Starttls,
        }
    }
}

fn has_port(authority: &str) -> bool {
    authority.rsplit_once(':').is_some_and(|(host, port)| !port.contains(']') && (!host.contains(':') || host.ends_with(']')))
}

/// Told by mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The server.
    pub server: MailServer,
    /// The sender.
    pub from: String,
    /// Everybody who is told; each is a delivery of its own.
    pub to: Vec<String>,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// Certificates in PEM that are trusted beside the system's.
    pub authorities: Vec<String>,
}

/// Told by a POST of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebHook {
    /// Where to.
    pub url: Url,
    /// With which it is signed; `whsec_` and base64, or as it is.
    pub secret: Option<Secret>,
}

/// Told by a POST of JSON as Slack takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slack {
    /// Where to. Who knows the address can write there, so it is a secret.
    pub url: Secret,
}

/// How somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By mail.
    Mail(Mail),
    /// By web hook.
    WebHook(WebHook),
    /// In a chat.
    Slack(Slack),
}

/// Somebody who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// The name in the project's settings.
    pub name: String,
    /// How.
    pub way: Way,
}

/// Somebody who is told for himself: a receiver, or one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct To {
    /// The receiver's name.
    pub receiver: String,
    /// An address of mail; empty where the receiver is one.
    pub address: String,
}

impl To {
    /// The receiver itself, or each of its addresses.
    pub fn each(receiver: &str, addresses: &[String]) -> Vec<Self> {
        let one = |address: &str| Self { receiver: receiver.to_owned(), address: address.to_owned() };
        if addresses.is_empty() { vec![one("")] } else { addresses.iter().map(|address| one(address)).collect() }
    }
}

/// Where receivers are looked up at the moment when something is sent, so that changed settings and passwords count.
pub trait Book: Send + Sync + 'static {
    /// A receiver by its name.
    ///
    /// # Errors
    /// A sentence: there is none any more, or its secret cannot be read. It is tried again.
    fn receiver(&self, name: &str) -> Result<Receiver, String>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_servers_are_read_and_spoken_to_in_the_clear_on_this_machine_alone() {
        let rows = [
            ("smtp://mail.example.com", "mail.example.com", 587, MailTls::Starttls, MailTls::Starttls),
            ("smtp://mail.example.com:25", "mail.example.com", 25, MailTls::Starttls, MailTls::Starttls),
            ("smtps://mail.example.com", "mail.example.com", 465, MailTls::Implicit, MailTls::Implicit),
            ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, MailTls::None, MailTls::Starttls),
            ("smtp://localhost", "localhost", 587, MailTls::None, MailTls::Starttls),
            ("smtp://[::1]", "::1", 587, MailTls::None, MailTls::Starttls),
            ("smtps://[fd00::2]:466", "fd00::2", 466, MailTls::Implicit, MailTls::Implicit),
        ];
        for (text, host, port, alone, proven) in rows {
            let server = MailServer::parse(text).expect(text);
            assert_eq!((server.host.as_str(), server.port), (host, port), "{text}");
            assert_eq!((server.tls(false), server.tls(true)), (alone, proven), "{text}");
        }
        for wrong in ["mail.example.com", "http://a", "smtp://", "smtp://a:b", "smtp://a:0", "smtp://a/b", "smtp://u:hunter2@a"] {
            let why = MailServer::parse(wrong).expect_err(wrong);
            assert!(!why.contains("hunter2"), "{why}");
            assert_eq!(why.contains("`password: { file: PATH }`"), wrong.contains('@'), "{why}");
        }
    }
}
