//! Revisioned keys with watch on a journal.
