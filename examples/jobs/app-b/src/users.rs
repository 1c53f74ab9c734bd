//! The users: rows of an SQLite database that outlives the process.

use rusqlite::{Connection, OptionalExtension};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const SCHEMA: &str = include_str!("../schema.sql");

/// The table of users.
pub struct Users {
    connection: Mutex<Connection>,
}

impl Users {
    /// Opens the database, made from `schema.sql` at the first start.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.busy_timeout(std::time::Duration::from_secs(2))?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Runs `schema.sql` again; rows that are there stay as they are.
    pub fn seed(&self) -> rusqlite::Result<()> {
        self.with(|connection| connection.execute_batch(SCHEMA))
    }

    /// How many there are.
    pub fn count(&self) -> rusqlite::Result<i64> {
        self.with(|connection| connection.prepare_cached("SELECT count(*) FROM users")?.query_row([], |row| row.get(0)))
    }

    /// The name of the user with this token.
    pub fn name_of(&self, token: &str) -> rusqlite::Result<Option<String>> {
        self.with(|connection| {
            let mut query = connection.prepare_cached("SELECT name FROM users WHERE token = ?1")?;
            query.query_row([token], |row| row.get(0)).optional()
        })
    }

    fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        work(&self.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_outlive_the_process_and_queries_take_any_text() {
        let folder = std::env::temp_dir().join(format!("app-b-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("users.db");
        {
            let users = Users::open(&path).expect("made");
            users.with(|c| c.execute("INSERT INTO users (name, token) VALUES ('eve', 'other')", [])).expect("inserted");
        }
        let users = Users::open(&path).expect("opened again");
        assert_eq!(users.count().expect("counted"), 2);
        assert_eq!(users.name_of("mytoken").expect("asked").as_deref(), Some("sample"));
        assert_eq!(users.name_of("other").expect("asked").as_deref(), Some("eve"));
        for hostile in ["", "' OR 1=1 --", "\0", "mytoken' --"] {
            assert_eq!(users.name_of(hostile).expect("asked"), None, "{hostile:?}");
        }
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
