//! Who is logged in. Nothing of a session that is kept can be used to take part in it.

use crate::source::User;
use base::{Timestamp, ids};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Sessions at once; the one that ends first makes room.
const MOST: usize = 4_096;

type Hash = [u8; 32];

/// One who is logged in.
#[derive(Debug)]
pub(crate) struct Session {
    /// Who.
    pub(crate) user: User,
    /// What a form of theirs must hold.
    pub(crate) form_token: String,
    /// When it ends.
    pub(crate) until: Timestamp,
}

/// All who are logged in, by the hash of what their browser holds.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<Hash, Arc<Session>>>);

impl Sessions {
    /// Begins a session; what the browser is to hold.
    pub(crate) fn begin(&self, user: User, now: Timestamp, life: Duration) -> String {
        let id = ids::hex(&ids::random::<32>());
        let session = Session { user, form_token: ids::hex(&ids::random::<32>()), until: now.plus(life) };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, session| session.until > now);
        if known.len() >= MOST
            && let Some(first) = known.iter().min_by_key(|(_, session)| session.until).map(|(hash, _)| *hash)
        {
            known.remove(&first);
        }
        known.insert(hash(&id), Arc::new(session));
        id
    }

    /// The session of what a browser holds.
    pub(crate) fn get(&self, id: &str, now: Timestamp) -> Option<Arc<Session>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&hash(id)).filter(|session| session.until > now).cloned()
    }

    /// Ends a session.
    pub(crate) fn end(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(id));
    }
}

fn hash(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

/// Whether two secrets are the same, in a time that tells nothing of where they differ.
pub fn same_secret(left: &str, right: &str) -> bool {
    // Of hashes nobody can choose the first bytes.
    let (left, right) = (hash(left), hash(right));
    left.iter().zip(right).fold(0u8, |differs, (left, right)| differs | (left ^ right)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Role;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn ann() -> User {
        User { name: "ann".into(), role: Role::Reader }
    }

    #[test]
    fn sessions_end_by_themselves_and_when_asked() {
        let sessions = Sessions::default();
        let id = sessions.begin(ann(), at(0), Duration::from_secs(10));
        let session = sessions.get(&id, at(9)).expect("a session");
        assert_eq!((session.user.name.as_str(), id.len(), session.form_token.len()), ("ann", 64, 64));
        assert!(
            sessions.get(&id, at(10)).is_none() && sessions.get(&session.form_token, at(0)).is_none() && sessions.get("", at(0)).is_none()
        );
        sessions.end(&id);
        assert!(sessions.get(&id, at(0)).is_none());
    }

    #[test]
    fn there_is_an_end_to_them() {
        let sessions = Sessions::default();
        let first = sessions.begin(ann(), at(0), Duration::from_secs(10));
        let others: Vec<String> = (0..MOST).map(|_| sessions.begin(ann(), at(0), Duration::from_secs(20))).collect();
        assert!(sessions.get(&first, at(0)).is_none() && others.iter().all(|id| sessions.get(id, at(0)).is_some()));
        sessions.begin(ann(), at(30), Duration::from_secs(10));
        assert_eq!(sessions.0.lock().expect("lock").len(), 1);
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(same_secret("abc", "abc") && same_secret("", ""));
        assert!(!same_secret("abc", "abd") && !same_secret("abc", "ab") && !same_secret("", "a"));
    }
}
