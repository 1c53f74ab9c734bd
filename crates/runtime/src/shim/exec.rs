//! What is being started: the words of a copy on its way to being a program, until they end.

use super::child::Word;
use super::container::Begun;
use crate::spec::RuntimeError;
use std::os::fd::OwnedFd;

/// Something being started, and who asked.
#[derive(Debug)]
pub struct Pending {
    /// The copy.
    pub begun: Begun,
    /// Its number among what is waited for.
    pub token: u64,
    /// Connection of who asked.
    pub connection: u64,
    /// Number of the question.
    pub question: u64,
    /// The program's own id, where it is not the copy.
    pub pid: Option<u32>,
    /// The watcher's side of its terminal.
    pub terminal: Option<OwnedFd>,
    /// Why it failed.
    pub failed: Option<RuntimeError>,
    /// What it is.
    pub kind: Kind,
}

/// What is being started.
#[derive(Debug)]
pub enum Kind {
    /// The first process of a container.
    Container {
        /// Its name.
        name: String,
    },
    /// A further process.
    Exec {
        /// The engine's ends of its streams.
        ends: [Option<OwnedFd>; 3],
        /// Whether its input is wanted.
        stdin: bool,
    },
}

/// Where a start has got to.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// More words may come.
    Going,
    /// The program runs, or it failed.
    Over,
}

impl Pending {
    /// Takes the words that are there.
    pub fn listen(&mut self) -> Progress {
        let mut buffer = [0; 16 << 10];
        loop {
            let mut handles = Vec::new();
            match sys::socket::receive(&self.begun.words, &mut buffer, &mut handles) {
                Ok(0) => return Progress::Over,
                Ok(count) => match serde_json::from_slice(buffer.get(..count).unwrap_or_default()) {
                    Ok(Word::Pid(pid)) => self.pid = Some(pid),
                    Ok(Word::Terminal) => self.terminal = handles.pop(),
                    Ok(Word::Failed(error)) => self.failed = Some(error),
                    Err(error) => {
                        self.failed = Some(RuntimeError::Host { doing: "start the program".to_owned(), reason: error.to_string() })
                    }
                },
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Progress::Going,
                Err(_) => return Progress::Over,
            }
        }
    }
}
