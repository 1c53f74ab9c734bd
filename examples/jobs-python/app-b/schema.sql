CREATE TABLE IF NOT EXISTS users (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL UNIQUE,
    token TEXT NOT NULL UNIQUE
);
INSERT OR IGNORE INTO users (name, token) VALUES ('sample', 'mytoken');
