//! Who asks, by passwords in a file of `htpasswd` with bcrypt, and whether they may.

use sha2::Digest as _;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Passwords are checked by so many threads at once: each check takes a good part of a second, and is what a guesser wants to buy.
const CHECKS: usize = 2;
/// So many may wait for theirs.
const WAITING: usize = 64;
/// The file is no larger.
const MOST_USERS: usize = 100_000;
/// Longer passwords than any person's; bcrypt itself reads only the first 72 bytes.
const LONGEST: usize = 1024;

/// Why a file of passwords cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct PasswordsError {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// The users of a file, and which passwords have been found right.
pub(crate) struct Passwords {
    users: HashMap<String, String>,
    /// What a user who is not known costs the same time with.
    decoy: String,
    /// By user, a digest of the password that was right, made with a key that never leaves this process.
    right: Mutex<HashMap<String, [u8; 32]>>,
    key: [u8; 32],
    checks: Semaphore,
    waiting: Semaphore,
    tokens: Mutex<Tokens>,
}

/// A token stands for a user so long.
pub(crate) const TOKEN_LIFE: Duration = Duration::from_secs(300);
/// The token of whoever has not said who they are: it opens nothing that is not open.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// Tokens that stand for users whose password was right.
#[derive(Default)]
struct Tokens {
    /// User, and until when.
    valid: HashMap<String, (String, Instant)>,
    /// The newest of each user, which is given out again while it is young.
    newest: HashMap<String, String>,
}

/// What a check of a password came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// It is the user's.
    Right,
    /// It is not, or there is no such user.
    Wrong,
    /// Too many are being checked.
    Busy,
}

impl Passwords {
    /// Reads a file: lines `USER:HASH`, where the hash is bcrypt's.
    ///
    /// # Errors
    /// For the first line that is not as it should be.
    pub(crate) fn parse(text: &str) -> Result<Self, PasswordsError> {
        let mut users = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let wrong = |what| PasswordsError { line: number + 1, what };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (user, hash) = line.split_once(':').ok_or_else(|| wrong("expected `USER:HASH`"))?;
            let parsed: bcrypt::HashParts = hash.parse().map_err(|_| wrong("only bcrypt is taken: make the file with `htpasswd -B`"))?;
            if parsed.get_cost() > 16 {
                return Err(wrong("a cost above 16 makes each check take minutes"));
            }
            if users.len() == MOST_USERS {
                return Err(wrong("there are too many users"));
            }
            users.insert(user.to_owned(), hash.to_owned());
        }
        // Costs what the others cost, and no password is known for it.
        let decoy = users.values().next().cloned().unwrap_or_default();
        Ok(Self {
            users,
            decoy,
            right: Mutex::default(),
            key: base::ids::random(),
            checks: Semaphore::new(CHECKS),
            waiting: Semaphore::new(WAITING),
            tokens: Mutex::default(),
        })
    }

    fn known(&self, user: &str, password: &str) -> [u8; 32] {
        let mut hasher = sha2::Sha256::new();
        hasher.update(self.key);
        hasher.update((user.len() as u64).to_le_bytes());
        hasher.update(user);
        hasher.update(password);
        hasher.finalize().into()
    }

    /// Checks a password; one that was right before costs next to nothing.
    pub(crate) async fn check(self: &Arc<Self>, user: &str, password: &str) -> Checked {
        if password.len() > LONGEST {
            return Checked::Wrong;
        }
        let known = self.known(user, password);
        if self.right.lock().unwrap_or_else(PoisonError::into_inner).get(user) == Some(&known) {
            return Checked::Right;
        }
        let Ok(_waiting) = self.waiting.try_acquire() else { return Checked::Busy };
        let Ok(_check) = self.checks.acquire().await else { return Checked::Busy };
        let hash = self.users.get(user).cloned();
        let (tried, against) = (password.to_owned(), hash.clone().unwrap_or_else(|| self.decoy.clone()));
        let verify = move || bcrypt::verify(tried, &against).unwrap_or(false);
        let right = tokio::task::spawn_blocking(verify).await.unwrap_or(false) && hash.is_some();
        if !right {
            return Checked::Wrong;
        }
        self.right.lock().unwrap_or_else(PoisonError::into_inner).insert(user.to_owned(), known);
        Checked::Right
    }

    /// A token for a user, good for more than half its life.
    pub(crate) fn token(&self, user: &str, now: Instant) -> String {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newest) = tokens.newest.get(user) {
            let young = |(_, until): &(String, Instant)| *until > now + TOKEN_LIFE / 2;
            if tokens.valid.get(newest).is_some_and(young) {
                return newest.clone();
            }
        }
        // At most a few of each user are valid at once, and those that are not are forgotten here.
        tokens.valid.retain(|_, (_, until)| *until > now);
        let token = base::ids::hex(&base::ids::random::<32>());
        tokens.valid.insert(token.clone(), (user.to_owned(), now + TOKEN_LIFE));
        tokens.newest.insert(user.to_owned(), token.clone());
        token
    }

    /// Whom a token stands for.
    pub(crate) fn user_of(&self, token: &str, now: Instant) -> Option<String> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.valid.get(token).filter(|(_, until)| *until > now).map(|(user, _)| user.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn passwords_are_checked_and_remembered() {
        let hash = bcrypt::hash_with_salt("secret", 4, [7; 16]).expect("hash").to_string();
        let passwords = Arc::new(Passwords::parse(&format!("# users\nann:{hash}\n")).expect("file"));
        for _ in 0..2 {
            assert_eq!(passwords.check("ann", "secret").await, Checked::Right);
            assert_eq!(passwords.check("ann", "Secret").await, Checked::Wrong);
            assert_eq!(passwords.check("bob", "secret").await, Checked::Wrong);
        }
        assert_eq!(passwords.right.lock().expect("lock").len(), 1, "only what was right is remembered");
    }

    #[test]
    fn tokens_stand_for_users_for_a_while() {
        let passwords = Passwords::parse("").expect("file");
        let now = Instant::now();
        let first = passwords.token("ann", now);
        assert_eq!(passwords.token("ann", now + TOKEN_LIFE / 3), first);
        let second = passwords.token("ann", now + TOKEN_LIFE * 2 / 3);
        assert_ne!(first, second);
        assert_ne!(passwords.token("bob", now), first);
        assert_eq!(passwords.user_of(&first, now + TOKEN_LIFE * 2 / 3).as_deref(), Some("ann"));
        assert_eq!(passwords.user_of(&first, now + TOKEN_LIFE), None);
        assert_eq!(passwords.user_of("x", now), None);
        passwords.token("ann", now + TOKEN_LIFE * 3);
        assert_eq!(passwords.tokens.lock().expect("lock").valid.len(), 1, "old ones are forgotten");
    }

    #[test]
    fn other_hashes_are_refused_by_line() {
        for (text, line) in [("ann", 1), ("\nann:{SHA}abc", 2), ("ann:$apr1$x$y", 1), ("ann:plain", 1)] {
            assert_eq!(Passwords::parse(text).err().map(|error| error.line), Some(line), "{text}");
        }
    }
}
