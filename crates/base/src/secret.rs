//! Texts that must never be seen.

use std::fmt;

/// A text that no log, message or record shows.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends, signs with or stores it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn nothing_of_it_is_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!((format!("{secret:?} {:?}", Some(&secret)).as_str(), secret.reveal()), ("*** Some(***)", "hunter2"));
    }
}
