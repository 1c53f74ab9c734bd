"""The private service of the jobs example: tells whether a token is a user's."""

import os
import sqlite3
import sys
from pathlib import Path

from flask import Flask, Response, request

DATABASE = os.environ.get("DATABASE", "/data/users.db")
SCHEMA = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 16 * 1024


def text(status: int, body: str) -> Response:
    return Response(body, status=status, mimetype="text/plain")


def connect() -> sqlite3.Connection:
    connection = sqlite3.connect(DATABASE, timeout=2)
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def seed() -> int:
    """Makes the table and the sample user where they are missing; returns how many users there are."""
    with connect() as connection:
        connection.executescript(SCHEMA)
        return connection.execute("SELECT count(*) FROM users").fetchone()[0]


@app.get("/healthz")
def healthz() -> Response:
    try:
        with connect() as connection:
            connection.execute("SELECT count(*) FROM users")
    except sqlite3.Error:
        return text(503, "database failed")
    return text(200, "ok")


@app.post("/auth")
def auth() -> Response:
    token = request.form.get("token")
    if token is None:
        return text(401, "fail")
    try:
        with connect() as connection:
            row = connection.execute("SELECT name FROM users WHERE token = ?", (token,)).fetchone()
    except (sqlite3.Error, UnicodeEncodeError):
        return text(503, "database failed")
    return text(200, row[0]) if row else text(401, "fail")


if __name__ == "__main__" and sys.argv[1:] == ["--seed"]:
    print(seed(), "users")
else:
    seed()
