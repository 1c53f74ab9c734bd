//! Who `USER` means: looked up in the root's own `/etc/passwd` and `/etc/group`, never in the host's.

use crate::spec::{RuntimeError, User};
use sys::Root;

/// The most that is read of each file.
const LIMIT: u64 = 4 << 20;

/// A process's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// All groups, `gid` too.
    pub groups: Vec<u32>,
    /// Home folder.
    pub home: String,
}

/// Looks a user up inside `root`.
///
/// # Errors
/// [`RuntimeError::Config`] when a name is not in the files.
pub fn look_up(root: &Root, user: &User) -> Result<Identity, RuntimeError> {
    let read = |path: &str| root.read(path, LIMIT).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    resolve(user, &read("/etc/passwd"), &|| read("/etc/group"))
}

struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account<'_>> {
    passwd.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = *fields.as_slice() else { return None };
        Some(Account { name, uid: uid.parse().ok()?, gid: gid.parse().ok()?, home })
    })
}

fn groups(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, ..] = *fields.as_slice() else { return None };
        Some((name, gid.parse().ok()?, fields.get(3).copied().unwrap_or_default()))
    })
}

fn resolve(user: &User, passwd: &str, group: &dyn Fn() -> String) -> Result<Identity, RuntimeError> {
    let (who, of) = user.image.split_once(':').map_or((user.image.as_str(), None), |(who, of)| (who, Some(of)));
    let number = user.uid.or_else(|| if who.is_empty() { Some(0) } else { who.parse().ok() });
    let account = match number {
        Some(uid) => accounts(passwd).find(|account| account.uid == uid),
        None => Some(
            accounts(passwd)
                .find(|account| account.name == who)
                .ok_or_else(|| RuntimeError::Config(format!("no user `{who}` in the image's /etc/passwd")))?,
        ),
    };
    let uid = number.or(account.as_ref().map(|account| account.uid)).unwrap_or(0);
    let own_gid = account.as_ref().map_or(0, |account| account.gid);
    let named = of.filter(|of| !of.is_empty() && user.gid.is_none() && user.uid.is_none());
    let gid = match (user.gid, named) {
        (Some(gid), _) => gid,
        (None, None) => own_gid,
        (None, Some(of)) => match of.parse() {
            Ok(gid) => gid,
            Err(_) => groups(&group())
                .find(|(name, ..)| *name == of)
                .map(|(_, gid, _)| gid)
                .ok_or_else(|| RuntimeError::Config(format!("no group `{of}` in the image's /etc/group")))?,
        },
    };
    let mut further = user.groups.clone();
    // A group given beside the user replaces those that the files list for it.
    if let Some(account) = account.as_ref().filter(|_| named.is_none()) {
        further.extend(
            groups(&group()).filter(|(.., members)| members.split(',').any(|member| member == account.name)).map(|(_, gid, _)| gid),
        );
    }
    // The own group too: without it a file that its group may not read could be read by leaving the group (CVE-2022-36109).
    further.push(gid);
    further.sort_unstable();
    further.dedup();
    let home = account.map_or("/", |account| if account.home.is_empty() { "/" } else { account.home }).to_owned();
    Ok(Identity { uid, gid, groups: further, home })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken line\nweb:x:33:33:web:/var/www:/bin/false\n";
    const GROUP: &str = "root:x:0:\nweb:x:33:\nlogs:x:40:web,other\n";

    fn ask(image: &str, uid: Option<u32>) -> Result<(u32, u32, Vec<u32>, String), RuntimeError> {
        let user = User { image: image.to_owned(), uid, ..User::default() };
        resolve(&user, PASSWD, &|| GROUP.to_owned()).map(|found| (found.uid, found.gid, found.groups, found.home))
    }

    #[test]
    fn names_numbers_and_groups() {
        assert_eq!(ask("", None).expect("root"), (0, 0, vec![0], "/root".to_owned()));
        assert_eq!(ask("web", None).expect("name"), (33, 33, vec![33, 40], "/var/www".to_owned()));
        assert_eq!(ask("web:logs", None).expect("group"), (33, 40, vec![40], "/var/www".to_owned()));
        assert_eq!(ask("1000:7", None).expect("numbers"), (1000, 7, vec![7], "/".to_owned()));
        assert_eq!(ask("web", Some(5)).expect("override"), (5, 0, vec![0], "/".to_owned()));
        assert!(matches!(ask("nobody", None), Err(RuntimeError::Config(text)) if text.contains("nobody")));
        assert!(ask("web:none", None).is_err());
    }
}
