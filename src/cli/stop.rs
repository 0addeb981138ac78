//! Ending a scan early: signals and `--timeout`.

use anyhow::Result;
use pentimento::scan::{INTERRUPTED, TIMED_OUT};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// A flag that is 0 until the scan is to end. The first SIGINT or SIGTERM sets it, so that what was found is reported; a second one
/// ends the program at once.
pub fn when(timeout: Option<Duration>) -> Result<Arc<AtomicUsize>> {
    let stop = Arc::new(AtomicUsize::new(0));
    for signal in [SIGINT, SIGTERM] {
        let again = Arc::new(AtomicBool::new(false));
        flag::register_conditional_shutdown(signal, 128 + signal, again.clone())?;
        flag::register(signal, again)?;
        flag::register_usize(signal, stop.clone(), INTERRUPTED)?;
    }
    if let Some(timeout) = timeout {
        let stop = stop.clone();
        std::thread::spawn(move || {
            std::thread::sleep(timeout);
            let _ = stop.compare_exchange(0, TIMED_OUT, Ordering::Relaxed, Ordering::Relaxed);
        });
    }
    Ok(stop)
}
