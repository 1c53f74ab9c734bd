//! The book of who is told: each sender has its own, with addresses and the places of secrets, which are read at each sending.
//!
//! It is in no file: another process of the same home has other settings, other variables and maybe another user's trust.

use crate::settings::{Notify, SecretPlace};
use monitor::{Book, Mail, MailServer, Receiver, Secret, Slack, Way, WebHook};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// The largest file with a secret or a certificate.
const LARGEST: usize = 1 << 20;

/// A place, whatever the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Env(String),
}

/// A receiver as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    Mail { smtp: String, from: String, to: Vec<String>, user: Option<String>, password: Option<Place>, authority: Option<PathBuf> },
    WebHook { url: String, secret: Option<Place> },
    Slack { address: Place },
}

/// Settings that were checked have exactly one way.
fn kept(notify: &Notify, relative_to: &Path) -> Option<Kept> {
    let place = |place: &Option<SecretPlace>| place.as_ref().and_then(|place| placed(place, relative_to));
    if let Some(smtp) = &notify.smtp {
        return Some(Kept::Mail {
            smtp: smtp.clone(),
            from: notify.from.clone()?,
            to: notify.to.clone(),
            user: notify.user.clone(),
            password: place(&notify.password),
            authority: notify.authority.as_ref().map(|path| absolute(path, relative_to)),
        });
    }
    if let Some(url) = &notify.webhook {
        return Some(Kept::WebHook { url: url.clone(), secret: place(&notify.secret) });
    }
    Some(Kept::Slack { address: place(&notify.slack)? })
}

fn placed(place: &SecretPlace, relative_to: &Path) -> Option<Place> {
    let file = place.file.as_ref().map(|path| Place::File(absolute(path, relative_to)));
    file.or_else(|| place.env.clone().map(Place::Env))
}

fn absolute(path: &str, relative_to: &Path) -> PathBuf {
    let home = path.strip_prefix("~/").and_then(|rest| Some(PathBuf::from(std::env::var_os("HOME")?).join(rest)));
    home.unwrap_or_else(|| relative_to.join(path))
}

/// A book.
#[derive(Default)]
pub(super) struct OwnBook {
    kept: RwLock<BTreeMap<String, Kept>>,
}

impl OwnBook {
    /// Replaces who stands in it. Paths are relative to a folder.
    pub(super) fn write(&self, notify: &BTreeMap<String, Notify>, relative_to: &Path) {
        let kept = notify.iter().filter_map(|(name, one)| Some((name.clone(), kept(one, relative_to)?))).collect();
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = kept;
    }
}

impl Book for OwnBook {
    fn receiver(&self, name: &str) -> Result<Receiver, String> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let kept = kept.ok_or_else(|| format!("`notify` no longer has `{name}`"))?;
        Ok(Receiver { name: name.to_owned(), way: way(kept)? })
    }
}

fn way(kept: Kept) -> Result<Way, String> {
    Ok(match kept {
        Kept::Mail { smtp, from, to, user, password, authority } => {
            let secret = password.as_ref().map(secret).transpose()?;
            let authorities = authority.iter().map(|path| text(path)).collect::<Result<_, _>>()?;
            Way::Mail(Mail { server: MailServer::parse(&smtp)?, from, to, login: user.zip(secret), authorities })
        }
        Kept::WebHook { url, secret: place } => {
            let url = net::client::Url::parse(&url).map_err(|error| error.to_string())?;
            Way::WebHook(WebHook { url, secret: place.as_ref().map(secret).transpose()? })
        }
        Kept::Slack { address } => Way::Slack(Slack { url: secret(&address)? }),
    })
}

fn text(path: &Path) -> Result<String, String> {
    let bytes = base::files::read_up_to(path, LARGEST).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| format!("`{}` is no UTF-8 text", path.display()))
}

fn secret(place: &Place) -> Result<Secret, String> {
    let secret = match place {
        Place::File(path) => text(path)?,
        Place::Env(name) => std::env::var(name).map_err(|_| format!("the variable `{name}` is not set where this runs"))?,
    };
    if secret.trim().is_empty() { Err("the secret is empty".to_owned()) } else { Ok(Secret::new(secret.trim_end_matches(['\n', '\r']))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notify() -> BTreeMap<String, Notify> {
        let mail = Notify {
            smtp: Some("smtp://mail.example.com".to_owned()),
            from: Some("wharf@example.com".to_owned()),
            to: vec!["ops@example.com".to_owned()],
            user: Some("wharf".to_owned()),
            password: Some(SecretPlace { file: Some("password".to_owned()), env: None }),
            ..Notify::default()
        };
        let hook = Notify { webhook: Some("https://example.com/in".to_owned()), ..Notify::default() };
        let chat = Notify { slack: Some(SecretPlace { file: None, env: Some("WHARF_TEST_NO_SUCH".to_owned()) }), ..Notify::default() };
        [("ops", mail), ("hook", hook), ("chat", chat)].map(|(name, one)| (name.to_owned(), one)).into()
    }

    #[test]
    fn who_is_told_is_kept_without_secrets_and_looked_up_when_something_is_sent() {
        let folder = std::env::temp_dir().join(format!("wharf-book-{}", base::ids::suffix(8)));
        base::files::make_folder(&folder, 0o700).expect("a folder");
        std::fs::write(folder.join("password"), "hunter2\r\n").expect("written");
        let (book, other) = (OwnBook::default(), OwnBook::default());
        book.write(&notify(), &folder);
        assert!(!format!("{:?}", book.kept).contains("hunter2"));
        let Way::Mail(mail) = book.receiver("ops").expect("known").way else { panic!("no mail") };
        assert_eq!(mail.login, Some(("wharf".to_owned(), Secret::new("hunter2"))));
        assert!(matches!(book.receiver("hook").expect("known").way, Way::WebHook(hook) if hook.secret.is_none()));
        for (book, name, why) in [(&book, "chat", "WHARF_TEST_NO_SUCH"), (&book, "gone", "no longer"), (&other, "ops", "no longer")] {
            let error = book.receiver(name).expect_err(name);
            assert!(error.contains(why), "{error}");
        }
        std::fs::write(folder.join("password"), " \n").expect("written");
        assert!(book.receiver("ops").expect_err("empty").contains("empty"));
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
