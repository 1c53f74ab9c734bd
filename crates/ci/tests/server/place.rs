//! A server in a folder of its own, repositories that are pushed to it, and runners; all gone at its end.

#![allow(clippy::print_stdout, reason = "tests say what they skip")]

use ci::runner::RunnerOptions;
use ci::{Git, Role, Rule, Rules, Run, RunId, Runs, Secrets, Server, ServerOptions};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use net::client::{Call, Client, ClientOptions, Payload, Trust, Url};
use net::{Body, Handler, Peer, Serving};
use ring::hmac;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a runner may be silent here.
const SILENCE: Duration = Duration::from_secs(2);

pub struct Place {
    pub folder: PathBuf,
    pub server: Server,
    pub admin: String,
    pub runner_token: String,
    pub url: String,
    serving: Option<Serving>,
    stop: watch::Sender<bool>,
    looking: tokio::task::JoinHandle<String>,
}

struct Front(Server);

impl Handler for Front {
    async fn handle(&self, request: Request<Incoming>, _: Arc<Peer>) -> Response<Body> {
        self.0.answer(request).await
    }
}

fn git_environment() -> Git {
    Git { environment: vec![("PATH".into(), std::env::var_os("PATH").unwrap_or_default())] }
}

/// Every branch is taken to `local`; a line `artefact: FILE` keeps a file, `paths: PATTERN` wants such a change, `submodules` fetches them.
fn rules(text: &str) -> Option<Rules> {
    let of = |prefix| text.lines().filter_map(|line| line.strip_prefix(prefix)).map(str::to_owned).collect();
    let rule = Rule { environment: "local".into(), artefacts: of("artefact: "), paths: of("paths: "), ..Rule::default() };
    Some(Rules { runs: Some(vec![rule]), keep: None, submodules: text.contains("submodules") })
}

fn options(url: &str) -> ServerOptions {
    let patience = ci::queue::Patience { silence: SILENCE, ..Default::default() };
    let runs = ci::Options { patience, log_bytes: 1 << 20, ..ci::Options::default() };
    ServerOptions { runs, git: git_environment(), url: url.to_owned(), rules: Arc::new(rules), ..ServerOptions::default() }
}

/// A place, or `None` with what is missing printed.
pub async fn place(test: &str) -> Option<Place> {
    if Command::new("git").arg("--version").output().is_err() {
        println!("skipped: no `git`");
        return None;
    }
    let folder = std::env::temp_dir().join(format!("wharf-ci-{test}-{}", base::ids::suffix(8)));
    std::fs::create_dir_all(&folder).expect("made");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = Server::open(&folder.join("ci"), options(&url)).expect("opened");
    let token = |name, role| server.tokens().add(name, role).expect("a token");
    let (admin, runner_token) = (token("me", Role::Admin), token("runner", Role::Runner));
    let serving = net::serve(listener, None, net::Limits::default(), Arc::new(Front(server.clone()))).expect("serving");
    let looked = server.clone();
    let looking = tokio::spawn(async move { looked.look_after().await });
    Some(Place { folder, server, admin, runner_token, url, serving: Some(serving), stop: watch::Sender::new(false), looking })
}

impl Place {
    pub fn runs(&self) -> &Runs {
        self.server.runs()
    }

    pub fn secrets(&self) -> Secrets {
        Secrets::new(&self.folder.join("ci"))
    }

    /// A runner whose command is the `job.sh` of the commit.
    pub fn runner(&self, name: &str) -> tokio::task::JoinHandle<()> {
        let options = RunnerOptions {
            server: Url::parse(&self.url).expect("a URL"),
            trust: Trust::Unchecked,
            client: ClientOptions::default(),
            token: self.runner_token.clone(),
            name: name.to_owned(),
            work: self.folder.join("work").join(name),
            git: git_environment(),
            program: "/usr/bin/setsid".into(),
            before: ["/bin/sh", "-c", ". ./job.sh", "sh"].map(Into::into).to_vec(),
            after: Vec::new(),
            environment: vec![("PATH".into(), std::env::var_os("PATH").unwrap_or_default())],
            grace: Duration::from_secs(2),
            leaves: Arc::new(|| false),
            say: Arc::new(|_| {}),
        };
        let stop = self.stop.subscribe();
        tokio::spawn(async move { ci::runner::work(options, stop).await.expect("a runner") })
    }

    /// Ends server and runners; what they wrote stays.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    /// The server as a new process would open it.
    pub async fn restart(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.drain(Duration::from_millis(100)).await;
        }
        self.looking.abort();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let beside = self.folder.join("other");
        // The journal has one writer: this one opens a copy.
        let copied = Command::new("cp").args(["-a"]).arg(self.folder.join("ci")).arg(&beside).status().expect("cp runs");
        assert!(copied.success());
        self.server = Server::open(&beside, options(&self.url)).expect("opened");
    }

    pub async fn until(&self, mut so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !so() {
            assert!(
                begun.elapsed() < Duration::from_secs(300),
                "not within five minutes: {:?}",
                self.runs().list(&ci::Filter::default(), None, 5)
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A run, once it has ended.
    pub async fn ended(&self, id: u64) -> Run {
        let get = || self.runs().get(RunId(id)).expect("read");
        self.until(|| get().is_some_and(|run| run.state.has_ended())).await;
        get().expect("a run")
    }

    pub async fn get(&self, path: &str) -> (u16, Vec<u8>) {
        self.get_as(path, &self.admin).await
    }

    pub async fn get_as(&self, path: &str, token: &str) -> (u16, Vec<u8>) {
        self.send(Method::GET, path, token, &[], Payload::Empty).await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&'static str, &str)]) -> (u16, Vec<u8>) {
        let method = if path.ends_with("take") { Method::POST } else { Method::GET };
        let host = headers.iter().find(|(name, _)| *name == "host");
        if let Some((_, host)) = host {
            // The client writes its own Host: this one is written by hand.
            return (raw(&self.url, path, host, &self.admin).await, Vec::new());
        }
        self.send(method, path, &self.admin, headers, Payload::Empty).await
    }

    pub async fn post(&self, path: &str) -> (u16, Vec<u8>) {
        self.send(Method::POST, path, &self.admin, &[], Payload::Empty).await
    }

    pub async fn hook(&self, name: &str, headers: &[(&'static str, &str)], body: &[u8]) -> u16 {
        self.send(Method::POST, &format!("/hooks/{name}"), "", headers, Payload::Bytes(body.to_vec().into())).await.0
    }

    async fn send(&self, method: Method, path: &str, token: &str, headers: &[(&'static str, &str)], payload: Payload) -> (u16, Vec<u8>) {
        let mut map = HeaderMap::new();
        let value = |text: &str| HeaderValue::from_str(text).expect("a header");
        if !token.is_empty() {
            map.insert(http::header::AUTHORIZATION, value(&format!("Bearer {token}")));
        }
        for (name, text) in headers {
            map.insert(HeaderName::from_static(name), value(text));
        }
        let url = Url::parse(&format!("{}{path}", self.url)).expect("a URL");
        let call = Call { method, url, headers: map, payload, trust: Trust::Unchecked };
        let reply = Client::new(ClientOptions::default()).send(call).await.expect("an answer");
        let status = reply.status.as_u16();
        (status, reply.bytes(8 << 20).await.expect("a body").to_vec())
    }

    /// A clone to push from.
    pub fn clone_of(&self, name: &str) -> Clone {
        let clone =
            Clone { folder: self.folder.join("clones").join(name), url: format!("{}/git/{name}.git", self.url), token: self.admin.clone() };
        clone.init();
        clone
    }

    /// A repository that is not on the server.
    pub fn elsewhere(&self, name: &str) -> Clone {
        let clone = Clone { folder: self.folder.join("elsewhere").join(name), url: String::new(), token: String::new() };
        clone.init();
        clone
    }

    /// Puts a commit into the server's repository without its knowledge.
    pub fn put_into_bare(&self, name: &str, from: &Clone, branch: &str, id: &str) {
        let bare = self.folder.join("ci/repositories").join(format!("{name}.git"));
        git(&bare, &["fetch", "--quiet", from.folder.to_str().expect("UTF-8"), id]);
        git(&bare, &["update-ref", &format!("refs/heads/{branch}"), id]);
    }

    /// All that server and runners wrote, but for what git keeps and checked out: that is the pusher's own.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let (mut open, mut files) = (vec![self.folder.join("ci")], Vec::new());
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).expect("listed").flatten() {
                let path = entry.path();
                if entry.file_type().expect("a type").is_dir() {
                    if !path.ends_with("repositories") {
                        open.push(path);
                    }
                } else {
                    files.push((path.clone(), std::fs::read(path).expect("read")));
                }
            }
        }
        files
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.looking.abort();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A working copy.
pub struct Clone {
    folder: PathBuf,
    url: String,
    token: String,
}

impl Clone {
    fn init(&self) {
        if !self.folder.exists() {
            std::fs::create_dir_all(&self.folder).expect("made");
            git(&self.folder, &["init", "--quiet", "-b", "main", "."]);
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    /// Commits everything on a branch; its id.
    pub fn commit(&self, branch: &str) -> String {
        git(&self.folder, &["checkout", "--quiet", "-B", branch]);
        git(&self.folder, &["add", "-A"]);
        git(&self.folder, &["commit", "--quiet", "--allow-empty", "-m", "a change"]);
        git(&self.folder, &["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Commits what was changed, and pushes a branch, which has to go well; what git said.
    pub async fn push(&self, branch: &str) -> String {
        if !git(&self.folder, &["status", "--porcelain"]).is_empty() {
            self.commit(branch);
        }
        let (done, said) = self.try_push(branch).await;
        assert!(done, "{said}");
        said
    }

    pub async fn try_push(&self, branch: &str) -> (bool, String) {
        self.try_push_as(branch, &self.token).await
    }

    pub async fn try_push_as(&self, branch: &str, token: &str) -> (bool, String) {
        let url = self.url.replace("://", &format!("://me:{token}@"));
        let mut command = tokio::process::Command::new("git");
        own(command.as_std_mut(), &self.folder);
        let output = command.args(["push", &url, &format!("HEAD:refs/heads/{branch}")]).output().await.expect("git runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn own(command: &mut Command, folder: &Path) {
    command.current_dir(folder).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_TERMINAL_PROMPT", "0");
    for (name, value) in [("NAME", "Somebody"), ("EMAIL", "somebody@example.com")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
}

/// git, which has to go well.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    own(&mut command, folder);
    let output = command.args(arguments).output().expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// As GitHub signs.
pub fn signature(body: &[u8], secret: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body);
    format!("sha256={}", base::ids::hex(tag.as_ref()))
}

/// The status of a GET that names another host.
async fn raw(url: &str, path: &str, host: &str, token: &str) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = url.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}
