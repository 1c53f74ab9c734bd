//! Pulls for pods: each asks its registry with its own credentials, and all who want the same content share the fetching of it.

use super::access::Access;
use super::keys::{self, Key};
use crate::registries::Registries;
use blobs::remote::{Before, Pulled, Remote, RemoteError, RemoteOptions, Resolved, host_platform};
use blobs::{BlobError, Image, Store};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use net::client::Proxies;
use node::ImageRequest;
use oci::{Digest, Reference};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// Questions to registries at once.
const ASKING: usize = 16;
/// Images that come in at once, each with several layers at once.
const FETCHING: usize = 3;
/// A registry that is not reached so soon is asked again after the pod's back-off.
const CONNECT_TIME: Duration = Duration::from_secs(8);

/// Of what fails in passing; then the pod's back-off.
const RETRIES: u32 = 2;

/// Pulls images; costs nothing while it does not.
pub(super) struct Puller {
    pub(super) store: Arc<Store>,
    pub(super) access: Arc<Access>,
    home: PathBuf,
    proxies: Proxies,
    /// Where the work is done: not where pods are looked after.
    runtime: Handle,
    asking: Semaphore,
    fetching: Semaphore,
    flights: Mutex<HashMap<String, Flight>>,
}

type Flight = Shared<BoxFuture<'static, Result<Landed, Failure>>>;

/// What a fetch brought.
#[derive(Clone)]
struct Landed {
    image: Image,
    waited: Duration,
}

/// An image that somebody may use, and how it was had.
pub(super) struct Had {
    pub(super) image: Image,
    pub(super) digest: Digest,
    pub(super) took: Duration,
    pub(super) in_all: Duration,
}

/// Why it was not had.
#[derive(Clone, Debug)]
struct Failure {
    message: String,
    /// Somebody else might have got it.
    personal: bool,
}

impl Failure {
    fn other(message: impl ToString) -> Self {
        Self { message: message.to_string(), personal: false }
    }
}

/// What is certain is said in the words by which the kubelet's runtimes say it.
fn failure(error: &RemoteError) -> Failure {
    let message = match error {
        error if error.is_missing() => format!("not found: {error}"),
        error if error.is_login() => format!("unauthorized: {error}; `imagePullSecrets` name the Secrets that hold passwords"),
        error => error.to_string(),
    };
    Failure { message, personal: error.is_missing() || error.is_login() }
}

impl Puller {
    /// To be made within the runtime that does the work.
    pub(super) fn new(store: Arc<Store>, access: Arc<Access>, home: PathBuf, proxies: Proxies) -> Arc<Self> {
        let (asking, fetching) = (Semaphore::new(ASKING), Semaphore::new(FETCHING));
        Arc::new(Self { store, access, home, proxies, runtime: Handle::current(), asking, fetching, flights: Mutex::default() })
    }

    /// Asks the registry what a name means now, and brings that in where it is not here.
    ///
    /// # Errors
    /// A sentence.
    pub(super) async fn pull(self: &Arc<Self>, request: &ImageRequest, reference: &Reference) -> Result<Had, String> {
        let (own, request, reference) = (self.clone(), request.clone(), reference.clone());
        let work = self.runtime.spawn(async move { own.by_any_key(&request, &reference).await });
        work.await.map_err(|error| error.to_string())?
    }

    async fn by_any_key(self: &Arc<Self>, request: &ImageRequest, reference: &Reference) -> Result<Had, String> {
        let home = self.home.clone();
        let said = blocking(move || Ok(Registries::of_home(&home))).await.map_err(|failed| failed.message)??;
        let options = RemoteOptions { proxies: self.proxies.clone(), connect_time: CONNECT_TIME, retries: RETRIES, ..said.into_options() };
        let mut told: Vec<String> = Vec::new();
        for key in keys::of(&request.secrets, reference)? {
            match self.by(&key, &options, reference).await {
                Ok(had) => return Ok(had),
                Err(failed) if failed.personal => {
                    if !told.contains(&failed.message) {
                        told.push(failed.message);
                    }
                }
                Err(failed) => return Err(failed.message),
            }
        }
        Err(told.join("; "))
    }

    async fn by(self: &Arc<Self>, key: &Key, options: &RemoteOptions, reference: &Reference) -> Result<Had, Failure> {
        let begun = Instant::now();
        // Tokens are one's own: every pull has its own client, which is gone after it.
        let remote = Remote::new(RemoteOptions { credentials: Arc::new(key.handed_over(reference)), ..options.clone() });
        let asked = self.asking.acquire().await.map_err(Failure::other)?;
        let mut waited = begun.elapsed();
        let resolved = remote.resolve(reference).await.map_err(|error| failure(&error))?;
        drop(asked);
        let Resolved { digest, .. } = resolved;
        let exact = Reference { digest: Some(digest), ..reference.clone() };
        let image = match self.present(&exact).await? {
            Some(image) => image,
            None => {
                let landed = self.flight(remote, &exact, key).await?;
                waited += landed.waited;
                landed.image
            }
        };
        self.note(&image, &exact, digest, key).await?;
        let in_all = begun.elapsed();
        Ok(Had { image, digest, took: in_all.saturating_sub(waited), in_all })
    }

    /// The image that a digest means, when all of it is here and it is for this machine.
    async fn present(&self, exact: &Reference) -> Result<Option<Image>, Failure> {
        let (store, access, exact) = (self.store.clone(), self.access.clone(), exact.clone());
        blocking(move || {
            let name = Reference { tag: None, ..exact.clone() };
            let image = match store.images().resolve(&name.to_string()) {
                Ok(image) if fits(&image) => image,
                // Half of an image is fetched anew, and of another machine's image ours.
                _ => return Ok(None),
            };
            // A registry that merely says the digest of what came from another one must have its documents too.
            if access.of(&image.id).is_some_and(|record| !record.knows(&exact)) {
                return Ok(None);
            }
            if exact.tag.is_some() {
                store.images().tag(&exact, &image.id)?;
            }
            Ok(Some(image))
        })
        .await
    }

    async fn note(&self, image: &Image, exact: &Reference, digest: Digest, key: &Key) -> Result<(), Failure> {
        let (access, id, exact, print) = (self.access.clone(), image.id, exact.clone(), key.print.clone());
        blocking(move || access.note(&id, &exact, digest, print.as_deref())).await
    }

    /// Joins the fetch of this content with this credential, or begins it. It goes on when nobody waits any more.
    fn flight(self: &Arc<Self>, remote: Remote, exact: &Reference, key: &Key) -> Flight {
        // Also by the name that it gets here.
        let name = format!("{exact} {}", key.print.as_deref().unwrap_or_default());
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) = flights.get(&name) {
            return under_way.clone();
        }
        let (own, exact, print) = (self.clone(), exact.clone(), key.print.clone());
        let landing = Landing { puller: self.clone(), name: name.clone() };
        let work = self.runtime.spawn(async move {
            let _landing = landing;
            own.fetch(&remote, &exact, print).await
        });
        let flight = work.map(|done| done.unwrap_or_else(|error| Err(Failure::other(error)))).boxed().shared();
        flights.insert(name, flight.clone());
        flight
    }

    #[cfg(test)]
    pub(super) fn under_way(&self) -> usize {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    async fn fetch(&self, remote: &Remote, exact: &Reference, print: Option<String>) -> Result<Landed, Failure> {
        let begun = Instant::now();
        let _permit = self.fetching.acquire().await.map_err(Failure::other)?;
        let waited = begun.elapsed();
        // Whose it is stands before it can be found, whatever is killed when.
        let (access, named) = (self.access.clone(), exact.clone());
        let before: Before = Box::new(move |id, digest| access.note(id, &named, *digest, print.as_deref()));
        let pulled = remote.fetch_after(&self.store, exact, None, &|_| {}, before).await;
        let Pulled { image, .. } = pulled.map_err(|error| failure(&error))?;
        Ok(Landed { image, waited })
    }
}

/// Takes a fetch off the list of those under way, however it ends.
struct Landing {
    puller: Arc<Puller>,
    name: String,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.puller.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// Whether an image is for this machine.
pub(super) fn fits(image: &Image) -> bool {
    let host = host_platform();
    image.config.architecture == host.architecture && image.config.os == host.os
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, BlobError> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(Failure::other)?.map_err(Failure::other)
}
