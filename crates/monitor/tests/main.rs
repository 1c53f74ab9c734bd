//! The outbox against real servers, real files and a process that is killed.

#[path = "main/chat.rs"]
mod chat;
#[path = "main/mails.rs"]
mod mails;
#[path = "main/once.rs"]
mod once;
#[path = "main/server.rs"]
mod server;
