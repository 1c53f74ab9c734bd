//! Who is told, and how: notices, kept on disk until they were taken.
//!
//! What is put into the [`Outbox`] is on disk before it counts as taken, and stays there until each receiver has it. Whoever is told
//! by mail, web hook or chat stands in [`NOTIFIERS`].

mod notice;
pub mod notifiers;
pub mod outbox;
mod receiver;
mod render;

pub use base::Secret;
pub use notice::{Notice, NoticeKind};
pub use notifiers::{NOTIFIERS, Notifier, Refusal, is_mail_address};
pub use outbox::{Outbox, OutboxError, Put};
pub use receiver::{Book, Mail, MailServer, MailTls, Receiver, Slack, To, Way, WebHook};
