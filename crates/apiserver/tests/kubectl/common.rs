//! A server in a folder of its own, a node made of the host's processes, and kubectl.

use apiserver::{Config, Duplex, LogOptions, NodeProxy, Server, TokenWish};
use async_trait::async_trait;
use base::SystemClock;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use k8s::kinds::CLUSTER_ROLE_BINDING;
use k8s::{ApiError, Fields, Value};
use runtime::{ExecSpec, RuntimeError, Streams};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::json;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};

/// Runs what is asked for on the host itself.
pub struct HostNode;

#[async_trait]
impl NodeProxy for HostNode {
    async fn logs(&self, pod: &Value, options: LogOptions) -> Result<BoxStream<'static, Bytes>, ApiError> {
        let told = format!("{}/{} tail={:?} previous={}\n", pod.name(), options.container, options.tail_lines, options.previous);
        let first = stream::iter([Bytes::from(told)]);
        if !options.follow {
            return Ok(first.boxed());
        }
        let later = stream::once(async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Bytes::from_static(b"later\n")
        });
        Ok(first.chain(later).boxed())
    }

    async fn exec(&self, _: &Value, container: &str, spec: ExecSpec) -> Result<Streams, ApiError> {
        let (program, args) = spec.args.split_first().expect("checked before");
        let mut child = Command::new(program)
            .args(args)
            .env("CONTAINER", container)
            .stdin(if spec.stdin { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| ApiError::bad_request(error.to_string()))?;
        let (ended, exit) = oneshot::channel();
        let (resize, mut sizes) = mpsc::unbounded_channel();
        let stdin = child.stdin.take().map(|stdin| Box::new(stdin) as _);
        let stdout = Box::new(child.stdout.take().expect("piped"));
        let stderr = child.stderr.take().map(|stderr| Box::new(stderr) as _);
        tokio::spawn(async move { while sizes.recv().await.is_some() {} });
        tokio::spawn(async move {
            let code = child.wait().await.map(|status| status.code().unwrap_or(-1));
            let _ = ended.send(code.map_err(|error| RuntimeError::NotRunning(error.to_string())));
        });
        Ok(Streams { stdin, stdout, stderr, resize: Some(resize), exit })
    }

    async fn attach(&self, pod: &Value, container: &str) -> Result<Streams, ApiError> {
        let args = ["sh", "-c", "echo attached; cat"].map(str::to_owned).to_vec();
        self.exec(pod, container, ExecSpec { args, stdin: true, ..ExecSpec::default() }).await
    }

    async fn port_forward(&self, _: &Value, port: u16) -> Result<Box<dyn Duplex>, ApiError> {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| ApiError::internal(error.to_string()))?;
        Ok(Box::new(stream))
    }

    async fn connect(&self, address: SocketAddr) -> Result<Box<dyn Duplex>, ApiError> {
        self.port_forward(&Value::Null, address.port()).await
    }
}

/// A server that is stopped, and its folder removed, at the end of its test.
pub struct World {
    pub home: PathBuf,
    pub server: Option<Server>,
    addresses: Vec<IpAddr>,
}

impl World {
    pub async fn start() -> Self {
        Self::start_at(&[]).await
    }

    /// One that listens at further addresses, too.
    pub async fn start_at(addresses: &[IpAddr]) -> Self {
        let home = std::env::temp_dir().join(format!("wharf-api-{}", base::ids::suffix(8)));
        std::fs::create_dir_all(&home).expect("made");
        let mut world = Self { home, server: None, addresses: addresses.to_vec() };
        world.open().await;
        world
    }

    pub async fn open(&mut self) {
        let config = Config {
            home: self.home.join("engine"),
            listen: ([127, 0, 0, 1], 0).into(),
            addresses: self.addresses.clone(),
            clock: Arc::new(SystemClock),
            node: Arc::new(HostNode),
            limits: net::Limits::default(),
        };
        let server = Server::start(config).await.expect("starts");
        std::fs::write(self.kubeconfig(), server.kubeconfig().expect("a certificate")).expect("written");
        self.server = Some(server);
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("runs")
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.home.join("kubeconfig")
    }

    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.home.join(name);
        std::fs::write(&path, content).expect("written");
        path.display().to_string()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.args(args).env("KUBECONFIG", self.kubeconfig()).env("HOME", &self.home).env("KUBECACHEDIR", self.home.join("cache"));
        command.kill_on_drop(true);
        command
    }

    /// Runs kubectl: whether it went well, and what it said on both outputs.
    pub async fn try_kubectl(&self, args: &[&str], stdin: &str) -> (bool, String) {
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kubectl runs");
        let mut pipe = child.stdin.take().expect("piped");
        pipe.write_all(stdin.as_bytes()).await.expect("written");
        drop(pipe);
        let ended = tokio::time::timeout(Duration::from_secs(30), child.wait_with_output()).await;
        let output = ended.unwrap_or_else(|_| panic!("kubectl {args:?} does not end")).expect("ends");
        let text = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes)
                .lines()
                .filter(|line| !line.contains("version difference"))
                .map(|line| format!("{line}\n"))
                .collect::<String>()
        };
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    }

    /// Runs kubectl, which must go well, and gives what it said.
    pub async fn kubectl(&self, line: &str) -> String {
        self.kubectl_in(&line.split_whitespace().collect::<Vec<_>>(), "").await
    }

    pub async fn kubectl_in(&self, args: &[&str], stdin: &str) -> String {
        let (good, told) = self.try_kubectl(args, stdin).await;
        assert!(good, "kubectl {args:?}: {told}");
        told
    }

    /// A connection to the server, without a certificate.
    pub async fn dial(&self) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.server().ca_pem().as_bytes()).expect("a certificate")).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let plain = tokio::net::TcpStream::connect(self.server().address()).await.expect("answers");
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, plain).await.expect("is who it should be")
    }

    /// Sends one request as the administrator, as a program would; gives the code and the body.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        self.send_as(&self.token().await, method, path, headers, body).await
    }

    /// The same with a token; without one when it is empty.
    pub async fn send_as(&self, token: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        let io = self.dial().await;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await.expect("speaks HTTP");
        tokio::spawn(connection);
        let mut request = http::Request::builder().method(method).uri(path).header("host", "localhost");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).expect("a request");
        let answer = sender.send_request(request).await.expect("answered");
        let code = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("read").to_bytes();
        (code, String::from_utf8_lossy(&body).into_owned())
    }

    /// A token of an account that may do everything.
    pub async fn token(&self) -> String {
        let api = self.server().api();
        let account = json!({"kind": "ServiceAccount", "name": "default", "namespace": "kube-system"});
        let binding = json!({"metadata": {"name": "test-admin"}, "subjects": [account],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}});
        if api.get(CLUSTER_ROLE_BINDING, "", "test-admin").is_none() {
            api.create(CLUSTER_ROLE_BINDING, binding).await.expect("made");
        }
        let wish = TokenWish { seconds: 3_600, ..TokenWish::default() };
        api.issue_token("kube-system", "default", &wish).expect("a token").0
    }

    /// Runs kubectl, which must not go well.
    pub async fn refused(&self, line: &str) -> String {
        let (good, told) = self.try_kubectl(&line.split_whitespace().collect::<Vec<_>>(), "").await;
        assert!(!good, "kubectl {line}: {told}");
        told
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// Whether kubectl is there; says what is missing.
#[allow(clippy::print_stdout)]
pub fn has_kubectl() -> bool {
    let found = Path::new("/usr/bin/kubectl").exists()
        || std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join("kubectl").exists()));
    if !found {
        println!("skipped: kubectl");
    }
    found
}
