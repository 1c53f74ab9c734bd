//! `--chown`: names to numbers by the image's own `/etc/passwd` and `/etc/group`.

use crate::error::Trouble;
use blobs::View;

/// More of a passwd file is not read.
const MAX_BYTES: u64 = 4 << 20;

/// The numbers of `user[:group]`. A user without a group is in the group of its entry; a number without entry in the group of that number.
pub(crate) fn lookup(text: &str, view: &View) -> Result<(u32, u32), Trouble> {
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let (uid, own_group) = find_user(user, view)?;
    let gid = match group {
        None | Some("") => own_group,
        Some(group) => find_group(group, view)?,
    };
    Ok((uid, gid))
}

fn find_user(user: &str, view: &View) -> Result<(u32, u32), Trouble> {
    if user.is_empty() {
        return Ok((0, 0));
    }
    if let Ok(uid) = user.parse() {
        return Ok((uid, uid));
    }
    let text = view.read(b"etc/passwd", MAX_BYTES)?.unwrap_or_default();
    let found = entry(&text, user).and_then(|fields| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)));
    found.ok_or_else(|| {
        Trouble::new(format!("the image has no user `{user}` in its /etc/passwd"))
            .hint("create the user in a step before, or write its number")
    })
}

fn find_group(group: &str, view: &View) -> Result<u32, Trouble> {
    if let Ok(gid) = group.parse() {
        return Ok(gid);
    }
    let text = view.read(b"etc/group", MAX_BYTES)?.unwrap_or_default();
    let found = entry(&text, group).and_then(|fields| fields.get(2)?.parse().ok());
    found.ok_or_else(|| {
        Trouble::new(format!("the image has no group `{group}` in its /etc/group"))
            .hint("create the group in a step before, or write its number")
    })
}

fn entry(text: &[u8], name: &str) -> Option<Vec<String>> {
    let text = String::from_utf8_lossy(text);
    text.lines()
        .map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>())
        .find(|fields| fields.first().is_some_and(|own| own == name))
}
