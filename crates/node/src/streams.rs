//! Programs in containers, their own streams, and connections into pods.

use crate::manager::{NodeManager, View};
use runtime::{ExecSpec, RuntimeError, Streams, Usage};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpStream;

/// Why a stream into a pod cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// This node has no such pod: 404.
    #[error("pods \"{0}\" not found")]
    NotFound(String),
    /// The request cannot be met: 400.
    #[error("{0}")]
    BadRequest(String),
    /// The runtime refused: 500.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The connection did not come about: 500.
    #[error("{0}")]
    Connect(String),
}

impl View {
    /// The name of a container of the pod; without one, the only or the annotated one.
    pub(crate) fn container_name(&self, name: Option<&str>) -> Result<String, StreamError> {
        use k8s::Fields;
        let pod = &self.pod;
        let own: Vec<&str> = pod.with_role(crate::pod::Role::Main).map(|container| container.name.as_str()).collect();
        let annotated = pod.object.annotation("kubectl.kubernetes.io/default-container").filter(|name| own.contains(name));
        match (name.filter(|name| !name.is_empty()), annotated, own.as_slice()) {
            (Some(name), _, _) if pod.container(name).is_some() => Ok(name.to_owned()),
            (Some(name), _, _) => Err(StreamError::BadRequest(format!("container {name} is not valid for pod {}", pod.name))),
            (None, Some(name), _) => Ok(name.to_owned()),
            (None, None, [only]) => Ok((*only).to_owned()),
            (None, None, several) => {
                let several = several.join(" ");
                Err(StreamError::BadRequest(format!("a container name must be specified for pod {}, choose one of: [{several}]", pod.name)))
            }
        }
    }
}

impl NodeManager {
    pub(crate) fn view(&self, namespace: &str, pod: &str) -> Result<View, StreamError> {
        let views = self.shared.views.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        views.get(&(namespace.to_owned(), pod.to_owned())).cloned().ok_or_else(|| StreamError::NotFound(pod.to_owned()))
    }

    fn running(&self, namespace: &str, pod: &str, container: Option<&str>) -> Result<(View, String), StreamError> {
        let view = self.view(namespace, pod)?;
        let name = view.container_name(container)?;
        if view.containers.get(&name).is_some_and(|seen| seen.running) {
            return Ok((view, name));
        }
        Err(StreamError::BadRequest(format!("container {name} of pod {pod} is not running")))
    }

    /// Runs a program in a running container; the only one when `container` is `None`.
    ///
    /// # Errors
    /// When the container does not run, or the program does not start.
    pub async fn exec(&self, namespace: &str, pod: &str, container: Option<&str>, spec: &ExecSpec) -> Result<Streams, StreamError> {
        let (view, name) = self.running(namespace, pod, container)?;
        Ok(self.shared.parts.runtime.exec(&view.pod.uid, &name, spec).await?)
    }

    /// Joins the streams of a running container's first process.
    ///
    /// # Errors
    /// When the container does not run.
    pub async fn attach(&self, namespace: &str, pod: &str, container: Option<&str>) -> Result<Streams, StreamError> {
        let (view, name) = self.running(namespace, pod, container)?;
        Ok(self.shared.parts.runtime.attach(&view.pod.uid, &name).await?)
    }

    /// What each running container of a pod uses, by name.
    ///
    /// # Errors
    /// When there is no such pod.
    pub async fn usage(&self, namespace: &str, pod: &str) -> Result<Vec<(String, Usage)>, StreamError> {
        let view = self.view(namespace, pod)?;
        let mut all = Vec::new();
        for (name, _) in view.containers.iter().filter(|(_, seen)| seen.running) {
            if let Ok(usage) = self.shared.parts.runtime.usage(&view.pod.uid, name).await {
                all.push((name.clone(), usage));
            }
        }
        Ok(all)
    }

    /// A connection to a port of a pod, also to one that is bound to the pod's own loopback only.
    ///
    /// # Errors
    /// When there is no such pod, or nothing listens.
    pub async fn port_forward(&self, namespace: &str, pod: &str, port: u16) -> Result<TcpStream, StreamError> {
        const TIMEOUT: Duration = Duration::from_secs(5);
        let view = self.view(namespace, pod)?;
        let failed = |error: io::Error| StreamError::Connect(format!("port {port} of pod {pod}: {error}"));
        let ip = view.ip.ok_or_else(|| StreamError::BadRequest(format!("pod {pod} is not running")))?;
        let first = match tokio::time::timeout(TIMEOUT, TcpStream::connect((ip, port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        let loopback = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        match view.netns {
            Some(netns) => connect_inside(netns, loopback, TIMEOUT).await.map_err(|error| match error.kind() {
                io::ErrorKind::ConnectionRefused => failed(first),
                _ => failed(error),
            }),
            None => TcpStream::connect(loopback).await.map_err(|_| failed(first)),
        }
    }
}

/// Connects from within a network namespace. A thread of its own goes there and ends: a socket stays where it was made.
async fn connect_inside(netns: PathBuf, to: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("netns".into()).stack_size(128 << 10).spawn(move || {
        use std::os::fd::AsFd;
        let connect = || {
            let netns = std::fs::File::open(&netns)?;
            move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))?;
            let stream = std::net::TcpStream::connect_timeout(&to, timeout)?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        };
        let _ = sender.send(connect());
    })?;
    let stream: io::Result<std::net::TcpStream> = receiver.await.unwrap_or_else(|_| Err(io::Error::other("the thread ended")));
    TcpStream::from_std(stream?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connects_from_within_a_namespace() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
        let to = listener.local_addr().expect("address");
        // Our own namespace: the way there is the same.
        let own = PathBuf::from("/proc/self/ns/net");
        match connect_inside(own, to, Duration::from_secs(1)).await {
            Ok(stream) => assert_eq!(stream.peer_addr().expect("connected"), to),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => eprintln_skip(),
            Err(error) => panic!("{error}"),
        }
        let missing = connect_inside("/nonexistent".into(), to, Duration::from_secs(1)).await;
        assert_eq!(missing.expect_err("missing").kind(), io::ErrorKind::NotFound);
    }

    fn eprintln_skip() {
        use std::io::Write;
        let _ = writeln!(io::stderr(), "skipped: CAP_SYS_ADMIN");
    }
}
