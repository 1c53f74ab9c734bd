//! The registry: opened, served, looked after.

use crate::auth::{Passwords, PasswordsError};
use crate::collect::{Collected, Policy};
use crate::error::BLOB_UNKNOWN;
use crate::http::Service;
use crate::log::Damage;
use crate::rights::{Rights, RightsError};
use crate::store::{OpenError, SEGMENT_BYTES, Store};
use crate::uploads::{Room, Sessions};
use base::{Clock, SystemClock};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// What clients may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once, header bytes, streams.
    pub connections: net::Limits,
    /// Uploads at once that go on over several requests.
    pub sessions: usize,
    /// An upload ends when nothing is heard of it for so long.
    pub session_idle: Duration,
    /// Bytes of all uploads together that are in memory and not on the disk; what finds no room there is written in small pieces.
    pub upload_memory: usize,
    /// Bytes of a blob.
    pub blob_bytes: u64,
    /// Bytes of a manifest (at least 4 MB by the spec, "Pushing Manifests").
    pub manifest_bytes: usize,
    /// Between two pieces of a body.
    pub body_idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: net::Limits { connections: 1024, ..net::Limits::default() },
            sessions: 2048,
            session_idle: Duration::from_secs(3600),
            upload_memory: 128 << 20,
            blob_bytes: 64 << 30,
            manifest_bytes: oci::manifest::MAX_DOCUMENT_BYTES,
            body_idle: Duration::from_secs(60),
        }
    }
}

/// Certificate and key of a server.
pub type Tls = Arc<rustls::ServerConfig>;

/// TLS with a certificate and its key, both PEM.
///
/// # Errors
/// When one cannot be read, or they do not belong together.
pub fn tls(chain_pem: &str, key_pem: &str) -> Result<Tls, net::tls::TlsError> {
    net::tls::server_config(chain_pem, key_pem, None).map(Arc::new)
}

/// What a registry has to say: for a log.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// How a registry is run.
#[derive(Clone)]
pub struct Options {
    /// What clients may cost.
    pub limits: Limits,
    /// What is kept how long.
    pub policy: Policy,
    /// How often what is not kept is removed; `None` is never by itself.
    pub collect_every: Option<Duration>,
    /// Users and their passwords; `None` asks nobody who they are.
    pub htpasswd: Option<PathBuf>,
    /// Who may do what; without it everybody may do everything, or everybody with a password where there are any.
    pub rights: Option<PathBuf>,
    /// Names under which it may be reached where it listens on this machine alone; addresses and `localhost` always may.
    pub hosts: Vec<String>,
    /// Bytes of a segment of the log.
    pub segment_bytes: u64,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where to say things.
    pub say: Say,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            policy: Policy::default(),
            collect_every: Some(Duration::from_secs(600)),
            htpasswd: None,
            rights: None,
            hosts: Vec::new(),
            segment_bytes: SEGMENT_BYTES,
            clock: Arc::new(SystemClock),
            say: Arc::new(|_| {}),
        }
    }
}

/// Why a registry cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file of settings cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file of passwords is not as it should be.
    #[error("{}, {source}", path.display())]
    Passwords {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: PasswordsError,
    },
    /// The file of rights is not as it should be.
    #[error("{}, {source}", path.display())]
    Rights {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: RightsError,
    },
    /// The store takes nothing any more.
    #[error("{0}")]
    Stopped(String),
}

/// Who may do what.
pub(crate) struct Access {
    pub(crate) rights: Rights,
    pub(crate) passwords: Option<Arc<Passwords>>,
}

/// What all requests share.
pub(crate) struct Core {
    pub(crate) store: Arc<Store>,
    pub(crate) sessions: Sessions,
    pub(crate) limits: Limits,
    pub(crate) hosts: Vec<String>,
    pub(crate) upload_room: Room,
    /// In KiB, for the bodies of manifests.
    pub(crate) manifest_room: Semaphore,
    access: RwLock<Arc<Access>>,
    policy: Policy,
    say: Say,
}

/// Memory for the bodies of manifests that are being read.
const MANIFEST_ROOM_KIB: usize = 64 << 10;
/// How often files of passwords and rights are looked at, and uploads given up.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Core {
    pub(crate) fn access(&self) -> Arc<Access> {
        self.access.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn collect(&self) -> Result<Collected, RegistryError> {
        let oldest = |repository: &str| self.sessions.oldest(repository);
        let collected = self.store.collect(&self.policy, &oldest).await;
        collected.map_err(|refusal| RegistryError::Stopped(crate::error::ApiError::refused(refusal, BLOB_UNKNOWN).into_message()))
    }
}

/// A registry that is open.
pub struct Registry {
    core: Arc<Core>,
    chores: Vec<JoinHandle<()>>,
    damage: Vec<Damage>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.chores.iter().for_each(JoinHandle::abort);
    }
}

impl Registry {
    /// Opens the registry of a folder, made when missing. To be called within a tokio runtime.
    ///
    /// # Errors
    /// When the folder cannot be used or another has it open, or a file of settings is not as it should be.
    pub fn open(root: &Path, options: Options) -> Result<Self, RegistryError> {
        let files = AccessFiles { htpasswd: options.htpasswd, rights: options.rights };
        let seen = files.seen();
        let access = files.read()?;
        let (store, damage) = Store::open(root, options.segment_bytes, options.clock)?;
        for one in &damage {
            (options.say)(&one.to_string());
        }
        let core = Arc::new(Core {
            store: Arc::new(store),
            sessions: Sessions::new(options.limits.sessions),
            limits: options.limits,
            hosts: options.hosts,
            upload_room: Arc::new(Semaphore::new((options.limits.upload_memory >> 10).min(Semaphore::MAX_PERMITS))),
            manifest_room: Semaphore::new(MANIFEST_ROOM_KIB),
            access: RwLock::new(Arc::new(access)),
            policy: options.policy,
            say: options.say,
        });
        let mut chores = vec![tokio::spawn(look_after(core.clone(), files, seen))];
        if let Some(every) = options.collect_every {
            chores.push(tokio::spawn(collect_often(core.clone(), every)));
        }
        Ok(Self { core, chores, damage })
    }

    /// What of the log could not be read.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Serves a listener; `tls: None` is plain HTTP.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn serve(&self, listener: TcpListener, tls: Option<Tls>) -> std::io::Result<net::Serving> {
        let local = listener.local_addr()?.ip().is_loopback();
        let service = Arc::new(Service { core: self.core.clone(), local, tls: tls.is_some() });
        net::serve(listener, tls, self.core.limits.connections, service)
    }

    /// Removes now what the policy does not keep.
    ///
    /// # Errors
    /// When the store takes nothing any more.
    pub async fn collect(&self) -> Result<Collected, RegistryError> {
        self.core.collect().await
    }
}

async fn collect_often(core: Arc<Core>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        match core.collect().await {
            Ok(collected) if collected == Collected::default() => {}
            Ok(gone) => (core.say)(&format!(
                "collected {} tags, {} manifests, {} blobs: {} freed",
                gone.tags,
                gone.manifests,
                gone.blobs,
                base::units::show_bytes(gone.bytes)
            )),
            Err(error) => (core.say)(&format!("cannot collect: {error}")),
        }
    }
}

/// Gives up uploads, and takes in files of passwords and rights that have changed.
async fn look_after(core: Arc<Core>, files: AccessFiles, mut seen: Seen) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let idle = i64::try_from(core.limits.session_idle.as_micros()).unwrap_or(i64::MAX);
        core.sessions.expire(core.store.now().saturating_sub(idle));
        let now = files.seen();
        if now == seen {
            continue;
        }
        seen = now;
        match files.read() {
            Ok(access) => {
                *core.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
                (core.say)("took in the files of users and rights anew");
            }
            Err(error) => (core.say)(&format!("the files of users and rights have changed and are not used: {error}")),
        }
    }
}

struct AccessFiles {
    htpasswd: Option<PathBuf>,
    rights: Option<PathBuf>,
}

/// When files were last changed, and how long they are.
type Seen = [Option<(SystemTime, u64)>; 2];

impl AccessFiles {
    fn seen(&self) -> Seen {
        [&self.htpasswd, &self.rights].map(|path| {
            let metadata = std::fs::metadata(path.as_ref()?).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }

    fn read(&self) -> Result<Access, RegistryError> {
        let text = |path: &PathBuf| std::fs::read_to_string(path).map_err(|source| RegistryError::Read { path: path.clone(), source });
        let passwords = match &self.htpasswd {
            None => None,
            Some(path) => {
                let read = Passwords::parse(&text(path)?).map_err(|source| RegistryError::Passwords { path: path.clone(), source })?;
                Some(Arc::new(read))
            }
        };
        let rights = match &self.rights {
            Some(path) => Rights::parse(&text(path)?).map_err(|source| RegistryError::Rights { path: path.clone(), source })?,
            None if passwords.is_some() => Rights::users(),
            None => Rights::open(),
        };
        Ok(Access { rights, passwords })
    }
}
