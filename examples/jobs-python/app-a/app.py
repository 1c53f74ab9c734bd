"""The public service of the jobs example: says hello, and lists jobs to users whom app-b knows."""

import os

import requests
from flask import Flask, Response, request

BACKEND = os.environ.get("APP_B", "app-b:5001")
JOBS = "Jobs:\nTitle: Devops\nDescription: Awesome\n"

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 16 * 1024
backend = requests.Session()


def text(status: int, body: str) -> Response:
    return Response(body, status=status, mimetype="text/plain")


@app.get("/hello")
def hello() -> Response:
    return text(200, "Hello there")


@app.get("/healthz")
def healthz() -> Response:
    return text(200, "ok")


@app.post("/jobs")
def jobs() -> Response:
    token = request.headers.get("Authorization")
    if token is None:
        return text(401, "fail")
    try:
        # The token is sent byte for byte: WSGI hands header bytes over as Latin-1.
        form = {"token": token.encode("latin-1")}
        answer = backend.post(f"http://{BACKEND}/auth", data=form, timeout=(1, 1))
    except (requests.RequestException, UnicodeEncodeError):
        return text(503, "unavailable")
    if answer.status_code == 200:
        return text(200, JOBS)
    return text(401, "fail") if answer.status_code == 401 else text(503, "unavailable")
