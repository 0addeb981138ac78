//! The progress bar, on a terminal, for scans that take long.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use pentimento::report::human::bytes;
use pentimento::scan::Progress;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a scan may take before a bar appears, and how often it is drawn.
const TICK: Duration = Duration::from_millis(100);
const PATIENCE: u32 = 5;

/// Runs `work`, with a bar beside it among `bars`, if these are there.
pub fn show<T>(bars: Option<&MultiProgress>, progress: &Progress, work: impl FnOnce() -> T) -> T {
    let Some(bars) = bars else { return work() };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let drawer = scope.spawn(|| draw(bars, progress, &done));
        let result = work();
        done.store(true, Ordering::Relaxed);
        drawer.thread().unpark();
        result
    })
}

fn draw(bars: &MultiProgress, progress: &Progress, done: &AtomicBool) {
    let started = Instant::now();
    for _ in 0..PATIENCE {
        std::thread::park_timeout(TICK);
        if done.load(Ordering::Relaxed) {
            return;
        }
    }
    let total = progress.total.load(Ordering::Relaxed);
    let bar = if total > 0 { ProgressBar::new(total) } else { ProgressBar::new_spinner() };
    let bar = bars.add(bar);
    if let Ok(style) = ProgressStyle::with_template(if total > 0 { "{bar:30} {msg}" } else { "{spinner} {msg}" }) {
        bar.set_style(style);
    }
    while !done.load(Ordering::Relaxed) {
        let (read, layers) = (progress.bytes.load(Ordering::Relaxed), progress.layers.load(Ordering::Relaxed));
        let of = if total > 0 { format!(" of {}", bytes(total)) } else { String::new() };
        let rate = (read as f64 / started.elapsed().as_secs_f64()) as u64;
        bar.set_position(read);
        bar.set_message(format!("{}{of}, {layers} layers done, {}/s", bytes(read), bytes(rate)));
        std::thread::park_timeout(TICK);
    }
    bar.finish_and_clear();
    bars.remove(&bar);
}

/// Columns of the terminal.
pub fn terminal_width() -> usize {
    usize::from(console::Term::stdout().size().1)
}
