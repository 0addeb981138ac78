//! The progress bar, on a terminal, for scans that take long.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pentimento::scan::Progress;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a scan may take before a bar appears, and how often it is drawn.
const TICK: Duration = Duration::from_millis(100);
const PATIENCE: u32 = 5;

/// Runs `work`, with a bar beside it if `wanted`.
pub fn show<T>(wanted: bool, progress: &Progress, work: impl FnOnce() -> T) -> T {
    if !wanted {
        return work();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let drawer = scope.spawn(|| draw(progress, &done));
        let result = work();
        done.store(true, Ordering::Relaxed);
        drawer.thread().unpark();
        result
    })
}

fn draw(progress: &Progress, done: &AtomicBool) {
    for _ in 0..PATIENCE {
        std::thread::park_timeout(TICK);
        if done.load(Ordering::Relaxed) {
            return;
        }
    }
    let total = progress.total.load(Ordering::Relaxed);
    let bar = if total > 0 { ProgressBar::new(total) } else { ProgressBar::new_spinner() };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    let template = if total > 0 {
        "{bar:30} {bytes}/{total_bytes}  {msg}  {binary_bytes_per_sec}  {eta}"
    } else {
        "{spinner} {bytes}  {msg}  {binary_bytes_per_sec}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    while !done.load(Ordering::Relaxed) {
        bar.set_position(progress.bytes.load(Ordering::Relaxed));
        bar.set_message(format!("{} blobs", progress.blobs.load(Ordering::Relaxed)));
        std::thread::park_timeout(TICK);
    }
    bar.finish_and_clear();
}

/// Columns of the terminal.
pub fn terminal_width() -> usize {
    usize::from(console::Term::stdout().size().1)
}
