//! A project with a template, and the cloud that it asks.

use crate::cloud::fake::{ACCESS_KEY, Fake, SECRET};
use http::{Request, Response};
use infra::aws::Transport;
use net::client::Url;
use net::{Body, Handler, Limits, Peer};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const TEMPLATE: &str = r#"{"Resources": {
    "Net": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
    "Role": {"Type": "AWS::IAM::Role", "Properties": {}},
    "Cluster": {"Type": "AWS::EKS::Cluster", "DependsOn": "Net", "Properties": {"Name": "jobs"}},
    "Nodes": {"Type": "AWS::EKS::Nodegroup", "DependsOn": "Cluster", "Properties": {"InstanceTypes": ["t3.large"]}},
    "Logs": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {}}},
  "Parameters": {"Password": {"Type": "String", "NoEcho": true}},
  "Outputs": {"ClusterName": {"Value": "jobs"}}}"#;

/// What moto has; it wants every parameter used.
pub const PLAIN: &str = r#"{"Resources": {
    "A": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Password"}}}, "B": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.1.0.0/16"}}},
  "Parameters": {"Password": {"Type": "String", "NoEcho": true}}}"#;

pub const HIDDEN: &str = "hunter2-correct-horse";

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[derive(Debug)]
pub struct Seen {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Seen {
    pub fn both(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

pub struct Place {
    pub folder: PathBuf,
    pub endpoint: String,
    pub fake: Arc<Fake>,
    told: Mutex<String>,
    _runtime: Option<tokio::runtime::Runtime>,
}

/// The fake over HTTP.
struct Served(Arc<Fake>);

impl Handler for Served {
    async fn handle(&self, request: Request<hyper::body::Incoming>, _: Arc<Peer>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let url = Url::parse(&format!("http://{}{}", header("host"), head.uri)).expect("an address");
        let body = net::read_body(body, 1 << 20, Duration::from_secs(5)).await.expect("a body").to_vec();
        let headers = head.headers.keys().map(|name| (name.as_str().to_owned(), header(name.as_str()))).collect();
        match self.0.send(infra::aws::Request { method: head.method, url, headers, body }).await {
            Ok(answer) => Response::builder().status(answer.status).body(Body::from(answer.body)).expect("a response"),
            Err(_) => Response::builder().status(502).body(Body::empty()).expect("a response"),
        }
    }
}

impl Place {
    /// With a cloud of its own.
    pub fn new(name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let fake = Fake::real(40_000);
        let served = Arc::new(Served(fake.clone()));
        let serving = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
            net::serve(listener, None, Limits::default(), served).expect("serves")
        });
        let mut place = Self::at(name, format!("http://{}", serving.address));
        (place.fake, place._runtime) = (fake, Some(runtime));
        // It serves until the runtime ends.
        std::mem::forget(serving);
        place.write("cluster.json", TEMPLATE);
        place.settings("cluster.json", "cluster: ClusterName, context: eks-jobs, ");
        place
    }

    /// With a cloud that is there.
    pub fn at(name: &str, endpoint: String) -> Self {
        let folder = std::env::temp_dir().join(format!("wharf-infra-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("made");
        Self { folder, endpoint, fake: Fake::new(), told: Mutex::default(), _runtime: None }
    }

    pub fn settings(&self, template: &str, more: &str) {
        let endpoint = &self.endpoint;
        let entry = format!(
            "{{ template: {template}, region: eu-central-1, endpoint: \"{endpoint}\", {more}secrets: {{ Password: {{ env: TEST_PASSWORD }} }} }}"
        );
        self.write("wharf.yaml", &format!("project: jobs\ninfra:\n  cluster: {entry}\n"));
    }

    /// More of wharf.yaml.
    pub fn more(&self, text: &str) {
        let path = self.folder.join("wharf.yaml");
        let before = std::fs::read_to_string(&path).expect("settings");
        std::fs::write(path, before + text).expect("written");
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).expect("written");
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command.arg("infra").args(words).current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("HOME", &self.folder).env("WHARF_HOME", self.folder.join("home")).env("KUBECONFIG", self.folder.join("kubeconfig"));
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET).env("TEST_PASSWORD", HIDDEN);
        for name in ["AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "HTTP_PROXY", "http_proxy"] {
            command.env_remove(name);
        }
        command
    }

    pub fn wharf(&self, words: &[&str]) -> Seen {
        let done = self.command(words).output().expect("it runs");
        let seen = Seen { code: done.status.code().unwrap_or(-1), out: text(&done.stdout), err: text(&done.stderr) };
        self.told.lock().expect("no panic while held").push_str(&seen.both());
        seen
    }

    /// Neither keys nor secret parameters were in anything that was printed or written.
    pub fn told_no_secret(&self) {
        let mut told = self.told.lock().expect("no panic while held").clone();
        for name in ["plan.json", "kubeconfig"] {
            told.push_str(&std::fs::read_to_string(self.folder.join(name)).unwrap_or_default());
        }
        for hidden in [SECRET, HIDDEN] {
            assert!(!told.contains(hidden), "{hidden} in {told}");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A moto server that ends with the value.
pub struct Moto {
    pub endpoint: String,
    child: Child,
}

impl Moto {
    pub fn start() -> Option<Self> {
        let program = std::env::var_os("WHARF_TEST_MOTO").unwrap_or_else(|| "moto_server".into());
        let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let moto = Self { child: command.spawn().ok()?, endpoint: format!("http://127.0.0.1:{port}") };
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "moto does not serve");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(moto)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait().map(drop));
    }
}
