//! A connection to one cluster, and requests over it.

use crate::error::{Error, Result, translate};
use crate::plugin::PluginError;
use crate::resource::escape;
use k8s::Value;
use kube::config::{KubeConfigOptions, Kubeconfig};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How to reach a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The kubeconfig file.
    pub kubeconfig: PathBuf,
    /// The context in it; its current one where absent.
    pub context: Option<String>,
}

/// A cluster; cheap to clone, all clones share connections.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: kube::Client,
    pub(crate) server: Arc<str>,
    namespace: Arc<str>,
    pub(crate) discovered: Arc<Mutex<HashMap<String, Vec<crate::Resource>>>>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("server", &self.server).finish_non_exhaustive()
    }
}

/// A single answer takes no longer than this.
const ANSWER: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);

impl Cluster {
    /// Reads the kubeconfig and makes a client; nothing is sent yet. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the file cannot be read, has no such context, or its credentials cannot be used.
    pub async fn connect(kubeconfig: &Path, context: Option<&str>) -> Result<Self> {
        Self::connect_merged(&[kubeconfig.to_path_buf()], context).await
    }

    /// The same of several files, where the first that says something wins, as kubectl reads `$KUBECONFIG`; those that
    /// are not there are passed over.
    ///
    /// # Errors
    /// As [`Cluster::connect`].
    pub async fn connect_merged(files: &[PathBuf], context: Option<&str>) -> Result<Self> {
        let shown = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
        let mut read: Option<Kubeconfig> = None;
        for file in files.iter().filter(|file| files.len() == 1 || file.exists()) {
            let broken =
                |error: kube::config::KubeconfigError| Error::Config(format!("cannot read the kubeconfig {}: {error}", file.display()));
            let next = Kubeconfig::read_from(file).map_err(broken)?;
            read = Some(match read.take() {
                None => next,
                Some(before) => before.merge(next).map_err(broken)?,
            });
        }
        let read = read.ok_or_else(|| Error::Config(format!("there is no kubeconfig: none of {shown} exists")))?;
        if let Some(context) = context.filter(|context| !read.contexts.iter().any(|known| known.name == **context)) {
            let known: Vec<&str> = read.contexts.iter().map(|known| known.name.as_str()).collect();
            return Err(Error::Config(format!("the kubeconfig {shown} has no context `{context}`; it has {}", list(&known))));
        }
        let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
        let unusable = |why: String| Error::Config(format!("the kubeconfig {shown} cannot be used: {why}"));
        let command = plugin_command(&read, context);
        let mut config = kube::Config::from_custom_kubeconfig(read, &options).await.map_err(|error| unusable(error.to_string()))?;
        config.connect_timeout = Some(CONNECT);
        let (server, namespace) = (config.cluster_url.to_string(), config.default_namespace.clone());
        // Asks the plugin, where there is one.
        let client = kube::Client::try_from(config).map_err(|error| match PluginError::within(&error) {
            Some(plugin) => Error::Plugin(plugin.of_command(&command)),
            None => unusable(error.to_string()),
        })?;
        Ok(Self { client, server: server.trim_end_matches('/').into(), namespace: namespace.into(), discovered: Arc::default() })
    }

    /// The API server's URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The context's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The server's version, such as `v1.36.3`; the cheapest proof that it answers.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn version(&self) -> Result<String> {
        let answer = self.send(Request::get("/version")).await?;
        Ok(answer.get("gitVersion").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// Sends a request whose answer is one JSON document.
    pub(crate) async fn send(&self, request: Request) -> Result<Value> {
        let request = request.build(&self.server)?;
        let answer = tokio::time::timeout(ANSWER, self.client.request_text(request)).await;
        let late = || Error::Unreachable { server: self.server.to_string(), why: format!("no answer within {} s", ANSWER.as_secs()) };
        let text = answer.map_err(|_| late())?.map_err(|error| translate(&self.server, error))?;
        serde_json::from_str(&text).map_err(|error| Error::Answer { server: self.server.to_string(), why: error.to_string() })
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ") }
}

/// The program that hands out the credentials of a context's user, where there is one.
fn plugin_command(read: &Kubeconfig, context: Option<&str>) -> String {
    let context = context.or(read.current_context.as_deref());
    let named = read.contexts.iter().find(|named| Some(named.name.as_str()) == context).and_then(|named| named.context.as_ref());
    let user = named.and_then(|context| context.user.as_deref());
    let info = read.auth_infos.iter().find(|named| Some(named.name.as_str()) == user).and_then(|named| named.auth_info.as_ref());
    info.and_then(|info| info.exec.as_ref()).and_then(|exec| exec.command.clone()).unwrap_or_default()
}

/// A request on its way.
#[derive(Debug)]
pub(crate) struct Request {
    method: http::Method,
    path: String,
    query: String,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: http::Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: String::new(), content_type: "application/json", body: Vec::new() }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(http::Method::GET, path)
    }

    /// Adds a query parameter; one with an empty value is left out.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            let separator = if self.query.is_empty() { '?' } else { '&' };
            self.query += &format!("{separator}{name}={}", escape(value));
        }
        self
    }

    pub(crate) fn body(mut self, content_type: &'static str, body: &Value) -> Self {
        self.content_type = content_type;
        self.body = body.to_string().into_bytes();
        self
    }

    pub(crate) fn build(self, server: &str) -> Result<http::Request<Vec<u8>>> {
        let request = http::Request::builder().method(self.method).uri(format!("{}{}", self.path, self.query));
        let request = request.header(http::header::CONTENT_TYPE, self.content_type).header(http::header::ACCEPT, "application/json");
        request.body(self.body).map_err(|error| Error::Answer { server: server.to_owned(), why: error.to_string() })
    }
}
