//! A headless Chromium, driven by the DevTools protocol over its socket.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;

const PATIENCE: Duration = Duration::from_secs(40);

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

/// One browser with one page.
pub struct Chromium {
    child: Child,
    folder: PathBuf,
    next: AtomicU64,
    waiting: Waiting,
    events: Arc<Mutex<Vec<Value>>>,
    out: mpsc::UnboundedSender<Message>,
    session: String,
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        // Its own children write for a moment longer.
        for _ in 0..100 {
            let _ = std::fs::remove_dir_all(&self.folder);
            std::thread::sleep(Duration::from_millis(20));
            if !self.folder.exists() {
                return;
            }
        }
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let named = |folder: PathBuf| ["chromium", "chromium-browser", "google-chrome"].into_iter().map(move |name| folder.join(name));
    std::env::split_paths(&path).flat_map(named).find(|path| path.is_file())
}

impl Chromium {
    /// Starts one; nothing where there is none.
    pub async fn start() -> Option<Self> {
        let Some(program) = program() else {
            println!("skipped: chromium is missing");
            return None;
        };
        let folder = std::env::temp_dir().join(format!("wharf-chromium-{}-{}", std::process::id(), base::ids::suffix(6)));
        std::fs::create_dir_all(&folder).expect("a folder of its own");
        let mut child = Command::new(program)
            .env("TMPDIR", &folder)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--remote-debugging-port=0",
                "--no-first-run",
                "--disable-dev-shm-usage",
            ])
            .args(["--disable-extensions", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars=false"])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost")
            .arg(format!("--user-data-dir={}", folder.display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("chromium starts");
        let stderr = child.stderr.take().expect("its standard error");
        let mut lines = BufReader::new(stderr).lines();
        let find = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((_, address)) = line.split_once("DevTools listening on ws://") {
                    return Some(address.trim().to_owned());
                }
            }
            None
        };
        let address = tokio::time::timeout(PATIENCE, find).await.ok().flatten().expect("chromium tells its socket");
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self::connect(child, folder, &address).await)
    }

    async fn connect(child: Child, folder: PathBuf, address: &str) -> Self {
        let (host, _) = address.split_once('/').expect("a path");
        let stream = tokio::net::TcpStream::connect(host).await.expect("chromium's port");
        stream.set_nodelay(true).expect("no delay");
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://{address}"), stream).await.expect("a web socket");
        let (mut sink, mut source) = socket.split();
        let (out, mut sent) = mpsc::unbounded_channel::<Message>();
        tokio::spawn(async move {
            while let Some(message) = sent.recv().await {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
        });
        let (waiting, events): (Waiting, Arc<Mutex<Vec<Value>>>) = Default::default();
        let (answers, told) = (waiting.clone(), events.clone());
        tokio::spawn(async move {
            while let Some(Ok(message)) = source.next().await {
                let Ok(value) = serde_json::from_slice::<Value>(&message.into_data()) else { continue };
                match value["id"].as_u64().and_then(|id| answers.lock().expect("lock").remove(&id)) {
                    Some(answer) => drop(answer.send(value)),
                    None => told.lock().expect("lock").push(value),
                }
            }
        });
        let mut browser = Self { child, folder, next: AtomicU64::new(1), waiting, events, out, session: String::new() };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"})).await;
        let attached = browser.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true})).await;
        browser.session = attached["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page", "Network", "Runtime", "Log", "Accessibility", "DOM"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// One call of the protocol.
    pub async fn call(&self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().expect("lock").insert(id, answer);
        self.out.send(Message::text(message.to_string())).expect("chromium runs");
        let answer = tokio::time::timeout(PATIENCE, answered).await;
        answer.unwrap_or_else(|_| panic!("{method} does not end")).expect("chromium runs")
    }

    /// The value of an expression, awaited where it is a promise.
    pub async fn eval(&self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let answer = self.call("Runtime.evaluate", params).await;
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Does something that may lead to another page.
    pub async fn act(&self, expression: &str) {
        self.ask("Runtime.evaluate", json!({"expression": expression, "userGesture": true})).await;
    }

    /// Whether an expression is true; not while a page goes and another one comes.
    async fn holds(&self, expression: &str) -> bool {
        let answer = self.ask("Runtime.evaluate", json!({"expression": expression, "returnByValue": true})).await;
        answer["result"]["result"]["value"] == json!(true)
    }

    /// Goes somewhere, and waits until it is loaded.
    pub async fn go(&self, url: &str) {
        self.forget("Page.loadEventFired");
        self.call("Page.navigate", json!({"url": url})).await;
        self.wait_event("Page.loadEventFired").await;
    }

    /// Waits until an expression is true.
    pub async fn until(&self, expression: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !self.holds(expression).await {
            assert!(tokio::time::Instant::now() < deadline, "never: {expression}\n{}", self.eval("document.body.innerText").await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What an event was told with, each time since it was forgotten.
    pub fn events(&self, method: &str) -> Vec<Value> {
        let events = self.events.lock().expect("lock");
        events.iter().filter(|event| event["method"] == method).map(|event| event["params"].clone()).collect()
    }

    pub fn forget(&self, method: &str) {
        self.events.lock().expect("lock").retain(|event| event["method"] != method);
    }

    pub async fn wait_event(&self, method: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.events(method).is_empty() {
            assert!(tokio::time::Instant::now() < deadline, "{method} never comes");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Presses a key.
    pub async fn key(&self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let params = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": if key == "Enter" { "\r" } else { "" }});
            self.call("Input.dispatchKeyEvent", params).await;
            if kind == "rawKeyDown" && key == "Enter" {
                self.call("Input.dispatchKeyEvent", json!({"type": "char", "text": "\r", "key": "Enter", "windowsVirtualKeyCode": 13}))
                    .await;
            }
        }
    }
}
