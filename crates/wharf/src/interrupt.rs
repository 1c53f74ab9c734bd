//! Ctrl-C: what runs for us is ended, and the process with it. All that is written is whole at every moment, so nothing else is to be undone.

use crate::sandbox::Sandbox;
use base::ProblemKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

static SANDBOXES: Mutex<Vec<Weak<Sandbox>>> = Mutex::new(Vec::new());
static LISTENING: OnceLock<()> = OnceLock::new();
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Waits for the end that an interrupt brings, when there was one: what failed because of it is no failure of its own.
pub fn give_way() {
    while INTERRUPTED.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// Ends the sandbox's containers when the user interrupts, for as long as the answer lives.
pub fn cleanup(sandbox: &Arc<Sandbox>) -> Guard {
    let mut sandboxes = SANDBOXES.lock().unwrap_or_else(PoisonError::into_inner);
    sandboxes.retain(|known| known.strong_count() > 0);
    sandboxes.push(Arc::downgrade(sandbox));
    Guard
}

/// See [`cleanup`].
pub struct Guard;

/// Listens for interrupts from now on: the first ends what runs for us and the process, with code 130; the second at once.
pub fn listen() {
    LISTENING.get_or_init(|| {
        let _ = std::thread::Builder::new().name("interrupt".to_owned()).stack_size(128 << 10).spawn(wait);
    });
}

fn wait() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        INTERRUPTED.store(true, Ordering::SeqCst);
        let ended = tokio::task::spawn_blocking(end_all);
        tokio::select! { _ = ended => {}, _ = interrupt.recv() => {} }
        std::process::exit(i32::from(ProblemKind::Interrupted.exit_code()));
    });
}

fn end_all() {
    eprintln!("\ninterrupted");
    let sandboxes: Vec<_> = SANDBOXES.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect();
    sandboxes.iter().for_each(|sandbox| sandbox.close());
}
