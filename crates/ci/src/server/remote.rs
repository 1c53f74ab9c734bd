//! The git remote: smart HTTP (gitprotocol-http(5)), done by the installed git, one push at a time into a repository.

use super::Server;
use super::observe::{By, Pushed, Started, of};
use super::reply::{Answered, Refusal};
use super::spool::spool;
use crate::repositories::{Known, is_name};
use crate::tokens::Right;
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use net::Body;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// What a client says to fetch.
const WANTS_BYTES: u64 = 64 << 20;
/// What git says of a push.
const REPORT_BYTES: usize = 4 << 20;
/// For one push, once it is here.
const PUSH: Duration = Duration::from_secs(600);

impl Server {
    pub(super) async fn remote(&self, head: &http::request::Parts, body: &mut Option<Incoming>, name: &str, rest: &[&str]) -> Answered {
        let query = head.uri.query().unwrap_or_default();
        match (rest, &head.method) {
            (["info", "refs"], &Method::GET) => match query.strip_prefix("service=") {
                Some("git-upload-pack") => {
                    self.may(&head.headers, Right::Look)?;
                    self.advertise(head, name, "upload-pack").await
                }
                Some("git-receive-pack") => {
                    self.may(&head.headers, Right::Push)?;
                    self.make(name).await?;
                    self.advertise(head, name, "receive-pack").await
                }
                _ => Err(Refusal::new(StatusCode::FORBIDDEN, "only the smart protocol of git is spoken here")),
            },
            (["git-upload-pack"], &Method::POST) => {
                self.may(&head.headers, Right::Look)?;
                let body = body.take().ok_or_else(|| Refusal::bad("expected a body"))?;
                self.upload(head, name, body).await
            }
            (["git-receive-pack"], &Method::POST) => {
                let who = self.may(&head.headers, Right::Push)?;
                let body = body.take().ok_or_else(|| Refusal::bad("expected a body"))?;
                self.receive(head, name, body, who.name).await
            }
            _ => Err(Refusal::missing("there is nothing at this path for this method")),
        }
    }

    /// A repository is made by the first push to it.
    async fn make(&self, name: &str) -> Result<(), Refusal> {
        if is_name(name) && self.core.repositories.has(name) {
            let known = self.core.repositories.known(name)?;
            return match known.url {
                None => Ok(()),
                Some(url) => Err(Refusal::new(StatusCode::FORBIDDEN, format!("`{name}` lies at {url}: push there"))),
            };
        }
        let lock = self.lock("");
        let _held = lock.lock().await;
        if !self.core.repositories.has(name) {
            self.core.repositories.add(name, &Known::default()).await?;
        }
        Ok(())
    }

    fn there(&self, name: &str) -> Result<std::path::PathBuf, Refusal> {
        if self.core.repositories.has(name) {
            return Ok(self.core.repositories.path(name));
        }
        Err(Refusal::missing("there is no repository of this name: the first push makes it"))
    }

    fn command(&self, head: &http::request::Parts, path: &std::path::Path, arguments: &[&str]) -> tokio::process::Command {
        let mut command = self.core.repositories.git().at(path).command(arguments);
        let version = head.headers.get("git-protocol").and_then(|value| value.to_str().ok());
        if let Some(version) = version.filter(|version| version.len() < 100 && version.bytes().all(|b| b.is_ascii_graphic())) {
            command.env("GIT_PROTOCOL", version);
        }
        command
    }

    async fn advertise(&self, head: &http::request::Parts, name: &str, service: &str) -> Answered {
        let path = self.there(name)?;
        let _room = self.core.processes.acquire().await;
        let mut child = self.command(head, &path, &[service, "--stateless-rpc", "--advertise-refs", "."]).spawn().map_err(unstarted)?;
        let done = tokio::time::timeout(PUSH, crate::git::finish(&mut child, 64 << 20)).await;
        let (Some(refs), _, true) = done.map_err(|_| slow())?.map_err(unstarted)? else {
            return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the branches cannot be listed"));
        };
        let line = format!("# service=git-{service}\n");
        let whole = [format!("{:04x}{line}0000", line.len() + 4).into_bytes(), refs].concat();
        Ok(of_git(Body::from(whole), format!("application/x-git-{service}-advertisement")))
    }

    async fn upload(&self, head: &http::request::Parts, name: &str, body: Incoming) -> Answered {
        let path = self.there(name)?;
        let wants = spool(&self.core.folder, &head.headers, body, WANTS_BYTES).await?;
        let mut command = self.command(head, &path, &["upload-pack", "--stateless-rpc", "."]);
        let room = self.core.processes.clone().acquire_owned().await;
        let mut child = command.stdin(Stdio::from(wants)).stderr(Stdio::null()).spawn().map_err(unstarted)?;
        let (sender, answer) = Body::stream(8);
        let mut out = child.stdout.take().ok_or_else(slow)?;
        tokio::spawn(async move {
            let _room = room;
            let mut buffer = vec![0; 64 << 10];
            while let Ok(read @ 1..) = out.read(&mut buffer).await {
                if sender.send(Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default())).await.is_err() {
                    break;
                }
            }
            let _ = child.kill().await;
        });
        Ok(of_git(answer, "application/x-git-upload-pack-result".to_owned()))
    }

    async fn receive(&self, head: &http::request::Parts, name: &str, body: Incoming, by: String) -> Answered {
        let path = self.there(name)?;
        self.make(name).await?;
        self.core.runs.room(1)?;
        let pack = spool(&self.core.folder, &head.headers, body, self.core.options.push_bytes).await?;
        // Whoever pushed may be gone before the end: what began runs to its end.
        let (server, name) = (self.clone(), name.to_owned());
        let command = self.command(head, &path, &["receive-pack", "--stateless-rpc", "."]);
        let done = tokio::spawn(async move { server.take_in(command, pack, &name, by).await }).await;
        let report = done.map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))??;
        Ok(of_git(Body::from(report), "application/x-git-receive-pack-result".to_owned()))
    }

    async fn take_in(&self, mut command: tokio::process::Command, pack: std::fs::File, name: &str, by: String) -> Result<Vec<u8>, Refusal> {
        let lock = self.lock(name);
        let _held = lock.lock().await;
        let _room = self.core.processes.acquire().await;
        let mut child = command.stdin(Stdio::from(pack)).spawn().map_err(unstarted)?;
        let done = tokio::time::timeout(PUSH, crate::git::finish(&mut child, REPORT_BYTES)).await;
        // What was taken stands, however it ended.
        let pushed = self.look(name, &By::Push(by.clone())).await;
        let (Some(mut report), message, _) = done.map_err(|_| slow())?.map_err(unstarted)? else { return Err(slow()) };
        match pushed {
            Ok(found) => {
                let left = self.say_left(name, &found);
                if !left.is_empty() {
                    self.look_again(name, by);
                }
                add_talk(&mut report, &[self.told(&found.pushed), left].concat());
            }
            Err(error) => {
                (self.core.options.say)(&format!("what was pushed to `{name}` began no run yet: {error} {message}"));
                self.look_again(name, by);
                add_talk(&mut report, &[format!("no run began yet: {error}")]);
            }
        }
        Ok(report)
    }

    fn told(&self, pushed: &[Pushed]) -> Vec<String> {
        let mut lines = Vec::new();
        for Pushed { branch, runs, missing } in pushed {
            if runs.is_empty() {
                lines.push(format!("no run: no rule of `ci` fits the branch {branch}"));
            }
            lines.extend(missing.iter().map(|folder| format!("no run of {folder}: the branch {branch} has no such folder")));
            for Started { run, project, environment } in runs {
                let (url, project) = (&self.core.options.url, of(project));
                lines.push(format!("run {run} {project}of {branch} for {environment}: {url}/runs/{run}"));
                (self.core.options.say)(&format!("run {run} {project}of {branch} for {environment} began"));
            }
        }
        lines
    }
}

/// Puts lines for the person who pushed before the end of what git answers (sideband 2), where it answers so.
fn add_talk(report: &mut Vec<u8>, lines: &[String]) {
    let is_banded = matches!(report.get(4), Some(1..=3));
    if !is_banded || !report.ends_with(b"0000") {
        return;
    }
    report.truncate(report.len().saturating_sub(4));
    for line in lines {
        let line: String = line.chars().filter(|c| !c.is_control()).take(900).collect();
        report.extend_from_slice(format!("{:04x}\u{2}{line}\n", line.len() + 6).as_bytes());
    }
    report.extend_from_slice(b"0000");
}

fn of_git(body: Body, media_type: String) -> Response<Body> {
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    if let Ok(media_type) = HeaderValue::from_str(&media_type) {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, max-age=0, must-revalidate"));
    answer
}

fn unstarted(error: std::io::Error) -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("cannot start git: {error}"))
}

fn slow() -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "git did not end in time, or said too much")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talk_stands_before_the_end() {
        let mut report = b"000e\x01unpack ok\n0000".to_vec();
        add_talk(&mut report, &["hi\n".to_owned()]);
        assert_eq!(report, b"000e\x01unpack ok\n0008\x02hi\n0000");
        for other in [b"000eunpack ok\n0000".to_vec(), Vec::new(), b"0000".to_vec()] {
            let mut same = other.clone();
            add_talk(&mut same, &["hi".to_owned()]);
            assert_eq!(same, other);
        }
    }
}
