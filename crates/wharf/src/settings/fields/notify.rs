//! Who is told, and how.

use crate::settings::section::{section, words};

section! {
    /// Somebody who is told: by mail (`smtp`), by web hook (`webhook`) or in a chat (`slack`), exactly one of these.
    Notify {
        /// The mail server: `smtp://mail.example.com:587` (STARTTLS; in the clear only on this machine) or `smtps://mail.example.com:465`.
        "smtp" smtp: Option<String>,
        /// The sender of mail.
        "from" from: Option<String>,
        /// The receivers of mail.
        "to" to: Vec<String>,
        /// The user at the mail server.
        "user" user: Option<String>,
        /// Where the password at the mail server is.
        "password" password: Option<SecretPlace>,
        /// A file of certificates in PEM that the mail server may prove itself by, beside the system's, relative to the project.
        "authority" authority: Option<String>,
        /// POST JSON to this address, as <https://www.standardwebhooks.com> describes it.
        "webhook" webhook: Option<String>,
        /// Where the secret is with which web hooks are signed (HMAC-SHA256).
        "secret" secret: Option<SecretPlace>,
        /// Where the address is of a chat that takes Slack's JSON. Who knows the address can write there, so it is a secret.
        "slack" slack: Option<SecretPlace>,
        /// What they are told of; by default all of it.
        "about" about: Vec<About>,
    }
}

section! {
    /// Where a secret is: exactly one of these.
    SecretPlace {
        /// In this file, relative to the project; `~/` is your home.
        "file" file: Option<String>,
        /// In this variable of the environment.
        "env" env: Option<String>,
    }
}

words! {
    /// What somebody is told of.
    About {
        /// A run that failed.
        "run-failed" RunFailed,
        /// An advisory against something that runs.
        "new-advisory" NewAdvisory,
    }
}
