//! Who is told: exactly one way, with what it needs and nothing else.

use crate::settings::node::{Node, Origin, Value};
use crate::settings::reader::{Reader, rule};
use monitor::{MailServer, is_mail_address};
use net::client::Url;

/// The ways, and which fields belong to each.
const WAYS: [(&str, &[&str]); 3] = [("smtp", &["from", "to", "user", "password", "authority"]), ("webhook", &["secret"]), ("slack", &[])];

pub(super) fn check(origin: &Origin, notify: &Node, reader: &mut Reader) {
    let written: Vec<(&str, &Node)> = WAYS.iter().filter_map(|(way, _)| notify.get(way).map(|node| (*way, node))).collect();
    match written.as_slice() {
        [] => reader.wrong(rule::MISSING, origin, "it is not said how they are told", "write `smtp`, `webhook` or `slack`"),
        [(way, node)] => {
            strangers(way, notify, reader);
            reader.below(way, |reader| value(way, node, reader));
            if *way == "smtp" {
                mail(node, notify, reader);
            }
        }
        [_, (way, node), ..] => {
            reader.wrong(rule::VALUE, &node.origin, format!("`{way}` is a second way to tell them"), "make an entry of its own for it")
        }
    }
    for field in ["password", "secret", "slack"] {
        let Some(place) = notify.get(field) else { continue };
        if place.get("file").is_some() == place.get("env").is_some() {
            let message = format!("it is not said where `{field}` is, or twice");
            reader.below(field, |reader| reader.wrong(rule::VALUE, &place.origin, message, "write `file: PATH` or `env: NAME`"));
        }
    }
}

/// Fields of another way would do nothing.
fn strangers(way: &str, notify: &Node, reader: &mut Reader) {
    for (other, fields) in WAYS.iter().filter(|(other, _)| *other != way) {
        for (field, node) in fields.iter().filter_map(|field| notify.get(field).map(|node| (field, node))) {
            reader.wrong(rule::VALUE, &node.origin, format!("`{field}` belongs to `{other}`"), "take it out");
        }
    }
}

fn value(way: &str, node: &Node, reader: &mut Reader) {
    let Some(text) = node.as_text() else { return };
    let wrong = match way {
        "smtp" => MailServer::parse(text).err(),
        "webhook" => match Url::parse(text) {
            Err(error) => Some(error.to_string()),
            Ok(url) if !url.origin.tls && !url.origin.is_loopback() => Some(format!("`{}` is not https", url.origin)),
            Ok(_) => None,
        },
        _ => None,
    };
    if let Some(wrong) = wrong {
        reader.wrong(rule::VALUE, &node.origin, wrong, "");
    }
}

fn mail(server: &Node, notify: &Node, reader: &mut Reader) {
    let is_empty = |node: &Node| matches!(&node.value, Value::List(items) if items.is_empty());
    for (field, help) in [("from", "write the sender's address"), ("to", "write a list of addresses")] {
        let Some(node) = notify.get(field).filter(|node| !is_empty(node)) else {
            reader.wrong(rule::MISSING, &server.origin, format!("mail needs `{field}`"), help);
            continue;
        };
        let addresses = if field == "to" { node.items() } else { std::slice::from_ref(node) };
        for node in addresses {
            if let Some(text) = node.as_text().filter(|text| !is_mail_address(text)) {
                reader.wrong(rule::VALUE, &node.origin, format!("`{text}` is no address of mail"), "write it like `ops@example.com`");
            }
        }
    }
    match (notify.get("user"), notify.get("password")) {
        (Some(user), None) => reader.wrong(rule::MISSING, &user.origin, "the user needs `password`", "write `password: { file: PATH }`"),
        (None, Some(password)) => reader.wrong(rule::MISSING, &password.origin, "the password needs `user`", ""),
        _ => {}
    }
}
