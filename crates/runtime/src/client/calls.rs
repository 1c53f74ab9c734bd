//! What the node and the builder ask of the runtime.

use super::record::{self, Record};
use super::*;

#[async_trait]
impl Runtime for ShimRuntime {
    async fn create_pod(&self, spec: &PodSpec) -> Result<(), RuntimeError> {
        record::check(&spec.id)?;
        let pod =
            lock(&self.inner.pods).entry(spec.id.clone()).or_insert_with(|| Pod::new(spec.folder.clone(), spec.cgroup.clone())).clone();
        let _changing = pod.changing.lock().await;
        if pod.link().is_some() {
            return Ok(());
        }
        // On disk before it is made: a crash in between leaves something that can be found.
        record::forget_states(&spec.folder);
        self.inner.records.put(&Record { id: spec.id.clone(), folder: spec.folder.clone(), cgroup: spec.cgroup.clone() })?;
        let made = async {
            let (socket, child) = self.spawn(spec).map_err(host(format!("start the shim of {}", spec.name)))?;
            let pid = child.id();
            let link = self.join(&spec.id, &pod, socket, Some(child))?;
            link.set_pid(Some(pid));
            let request =
                Request::Create { spec: Box::new(spec.clone()), cgroup_root: self.inner.config.cgroup_root.clone(), weak: self.inner.weak };
            match link.ask(request, Vec::new()).await {
                Ok((Answer::Pid(_), _)) => Ok(()),
                Ok((other, _)) => Err((link, unexpected(other))),
                Err(error) => Err((link, error)),
            }
            .map_err(|(link, error)| {
                link.leave();
                error
            })
        };
        let made = made.await;
        if made.is_err() {
            *lock(&pod.link) = None;
            self.clean_up(&pod).await;
            lock(&self.inner.pods).remove(&spec.id);
            let _ = std::fs::remove_file(spec.folder.join(SOCKET));
            self.inner.records.remove(&spec.id)?;
        }
        made
    }

    async fn start(&self, pod: &str, spec: &ContainerSpec) -> Result<u32, RuntimeError> {
        let filter = self.filter(&spec.privileges)?;
        match self.ask(pod, Request::Start(Box::new(spec.clone())), filter.into_iter().collect()).await? {
            (Answer::Pid(pid), _) => Ok(pid),
            (other, _) => Err(unexpected(other)),
        }
    }

    async fn signal(&self, pod: &str, container: &str, signal: i32, everyone: bool) -> Result<(), RuntimeError> {
        match self.ask(pod, Request::Signal { container: container.to_owned(), signal, everyone }, Vec::new()).await? {
            (Answer::Done, _) => Ok(()),
            (other, _) => Err(unexpected(other)),
        }
    }

    async fn exec(&self, pod: &str, container: &str, spec: &ExecSpec) -> Result<Streams, RuntimeError> {
        let link = self.link(pod)?;
        let (id, answer) = link.ask_numbered(Request::Exec { container: container.to_owned(), spec: spec.clone() }, Vec::new());
        match answer.await? {
            (Answer::Streams(sent), fds) => self.streams(&link, None, Some(id), sent, fds),
            (other, _) => Err(unexpected(other)),
        }
    }

    async fn attach(&self, pod: &str, container: &str) -> Result<Streams, RuntimeError> {
        self.attach_as(pod, container, false).await
    }

    async fn attach_once(&self, pod: &str, container: &str) -> Result<Streams, RuntimeError> {
        self.attach_as(pod, container, true).await
    }

    async fn state(&self, pod: &str) -> Result<Option<PodState>, RuntimeError> {
        let Some(known) = self.pod(pod) else { return Ok(None) };
        if let Some(link) = known.link()
            && let Ok((Answer::State(state), _)) = link.ask(Request::State, Vec::new()).await
        {
            return Ok(Some(state));
        }
        Ok(Some(record::last_state(&known.folder, SystemClock.now())))
    }

    async fn update(&self, pod: &str, container: &str, resources: &Resources) -> Result<(), RuntimeError> {
        let group = self.group(pod, container).await?;
        group.set(&sys::kernel::Host, resources, true).map_err(host(format!("change the limits of `{container}`")))
    }

    async fn update_pod(&self, pod: &str, resources: &Resources) -> Result<(), RuntimeError> {
        let known = self.pod(pod).ok_or_else(|| RuntimeError::NotRunning(pod.to_owned()))?;
        let group = self.inner.cgroups.group(&known.cgroup);
        group.set(&sys::kernel::Host, resources, false).map_err(host("change the limits of the pod"))
    }

    async fn remove_pod(&self, pod: &str) -> Result<(), RuntimeError> {
        let Some(known) = self.pod(pod) else { return Ok(()) };
        let _changing = known.changing.lock().await;
        let link = lock(&known.link).take();
        let mut clean = false;
        if let Some(link) = link {
            link.leave();
            clean = matches!(tokio::time::timeout(SHUTDOWN, link.ask(Request::Shutdown, Vec::new())).await, Ok(Ok((Answer::Done, _))));
            if !clean {
                link.kill();
            }
            link.ended().await;
        }
        if !clean {
            self.clean_up(&known).await;
        }
        let _ = std::fs::remove_file(known.folder.join(SOCKET));
        record::forget_states(&known.folder);
        self.inner.records.remove(pod)?;
        lock(&self.inner.pods).remove(pod);
        Ok(())
    }

    async fn pods(&self) -> Result<Vec<PodId>, RuntimeError> {
        Ok(lock(&self.inner.pods).keys().cloned().collect())
    }

    fn events(&self) -> broadcast::Receiver<RuntimeEvent> {
        self.inner.events.subscribe()
    }

    async fn usage(&self, pod: &str, container: &str) -> Result<Usage, RuntimeError> {
        let group = self.group(pod, container).await?;
        group.usage().map_err(|_| RuntimeError::NotRunning(container.to_owned()))
    }
}

impl ShimRuntime {
    async fn attach_as(&self, pod: &str, container: &str, once: bool) -> Result<Streams, RuntimeError> {
        let link = self.link(pod)?;
        match link.ask(Request::Attach { container: container.to_owned(), once }, Vec::new()).await? {
            (Answer::Streams(sent), fds) => {
                let streams = self.streams(&link, Some(container), None, sent, fds)?;
                // It may have ended before anybody waited for that.
                if let Ok((Answer::State(state), _)) = link.ask(Request::State, Vec::new()).await
                    && let Some((attempt, ContainerState::Exited(exit))) = state.containers.get(container)
                {
                    link.tell_exit(container, *attempt, exit.code);
                }
                Ok(streams)
            }
            (other, _) => Err(unexpected(other)),
        }
    }

    async fn group(&self, pod: &str, container: &str) -> Result<crate::cgroup::Group, RuntimeError> {
        let missing = || RuntimeError::NotRunning(container.to_owned());
        let known = self.pod(pod).ok_or_else(missing)?;
        let state = self.state(pod).await?.ok_or_else(missing)?;
        match state.containers.get(container) {
            Some((attempt, ContainerState::Running { .. })) => {
                Ok(self.inner.cgroups.group(&format!("{}/{container}.{attempt}", known.cgroup)))
            }
            _ => Err(missing()),
        }
    }

    /// A handle on nothing but the program: for tests of what a container can reach.
    #[doc(hidden)]
    pub fn program(&self) -> std::os::fd::BorrowedFd<'_> {
        self.inner.program.as_fd()
    }
}
