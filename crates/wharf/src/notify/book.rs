//! The book of who is told: a file for each project, read at each sending, so that what was changed counts at once.

use crate::settings::{Notify, SecretPlace};
use base::{Problem, ProblemKind};
use monitor::{Book, Mail, MailServer, Receiver, Secret, Slack, Way, WebHook};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The largest file with a secret or a certificate.
const LARGEST: usize = 1 << 20;

/// A place, whatever the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    File(PathBuf),
    Env(String),
}

/// A receiver as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kept {
    Mail { smtp: String, from: String, to: Vec<String>, user: Option<String>, password: Option<Place>, authority: Option<PathBuf> },
    WebHook { url: String, secret: Option<Place> },
    Slack { address: Place },
}

fn file(folder: &Path, project: &str) -> PathBuf {
    // A repository's name may hold anything; a file's name is told by it alone.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let name: String =
        project.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") }).collect();
    folder.join("book").join(format!("{name}.json"))
}

pub(super) fn write(folder: &Path, project: &str, notify: &BTreeMap<String, Notify>, relative_to: &Path) -> Result<(), Problem> {
    let kept: BTreeMap<&String, Kept> = notify.iter().filter_map(|(name, one)| Some((name, kept(one, relative_to)?))).collect();
    let text = serde_json::to_vec_pretty(&kept).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?;
    let path = file(folder, project);
    let made = path.parent().map_or(Ok(()), |folder| base::files::make_folder(folder, 0o700));
    let same = base::files::read_if_exists(&path).is_ok_and(|before| before.as_deref() == Some(&text));
    let written = made.and_then(|()| if same { Ok(()) } else { base::files::write_atomically(&path, &text, 0o600) });
    written.map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))
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

/// The books of a home.
pub(super) struct HomeBook {
    folder: PathBuf,
}

impl HomeBook {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }
}

impl Book for HomeBook {
    fn receiver(&self, project: &str, name: &str) -> Result<Receiver, String> {
        let path = file(&self.folder, project);
        let text = base::files::read_up_to(&path, LARGEST).map_err(|error| error.to_string())?;
        let mut book: BTreeMap<String, Kept> = serde_json::from_slice(&text).map_err(|error| format!("`{}`: {error}", path.display()))?;
        let kept = book.remove(name).ok_or_else(|| format!("the project `{project}` no longer has `{name}` in its `notify`"))?;
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
        write(&folder, "jobs", &notify(), &folder).expect("written");
        let kept = std::fs::read_to_string(file(&folder, "jobs")).expect("read");
        assert!(!kept.contains("hunter2") && kept.contains("mail.example.com"), "{kept}");
        let book = HomeBook::new(&folder);
        let Way::Mail(mail) = book.receiver("jobs", "ops").expect("known").way else { panic!("no mail") };
        assert_eq!(mail.login, Some(("wharf".to_owned(), Secret::new("hunter2"))));
        assert!(matches!(book.receiver("jobs", "hook").expect("known").way, Way::WebHook(hook) if hook.secret.is_none()));
        for (project, name, why) in [
            ("jobs", "chat", "WHARF_TEST_NO_SUCH"),
            ("jobs", "gone", "no longer"),
            ("other", "ops", "other.json"),
            ("../jobs", "ops", "%2e%2e%2fjobs.json"),
        ] {
            let error = book.receiver(project, name).expect_err(name);
            assert!(error.contains(why), "{error}");
        }
        std::fs::write(folder.join("password"), " \n").expect("written");
        assert!(book.receiver("jobs", "ops").expect_err("empty").contains("empty"));
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
