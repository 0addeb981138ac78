//! `pentimento scan --watch docker://`: stays beside an engine, and scans each image that appears in it.

use super::read::ReadArgs;
use super::written;
use anyhow::{Context, Result};
use pentimento::detect::Detector;
use pentimento::error::Code;
use pentimento::report::{self, Scanned, View};
use pentimento::source::daemon::{Daemon, Listed};
use pentimento::source::target::Engine;
use pentimento::text::sanitise;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

/// How long nothing may be heard before the engine is asked what it has all the same: an image without a name is built in silence.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether all is to end.
const TICK: Duration = Duration::from_millis(200);
/// How often an image is scanned that cannot be read.
const MOST_TRIES: u32 = 5;
/// How long to wait for an engine that is away, at most.
const LONGEST: Duration = Duration::from_secs(10);

/// The engine that `text` stands for, if it is a whole one.
pub fn engine(text: &str) -> Option<Engine> {
    [Engine::Docker, Engine::Podman].into_iter().find(|engine| text.strip_prefix(engine.as_str()) == Some("://"))
}

/// What is watched, and how what is found is told.
pub struct Watch<'a> {
    pub read: &'a ReadArgs,
    pub detector: &'a Detector,
    pub engine: Engine,
    pub view: View<'a>,
    /// Images that are there already are left out.
    pub new_only: bool,
    /// The exit code of what was found.
    pub found: u8,
    pub stop: Arc<AtomicUsize>,
}

impl Watch<'_> {
    /// Watches until it is stopped; then the exit code of the worst image is returned.
    pub fn run(&self) -> Result<u8> {
        let _ = self.read.known.set(Arc::default());
        let daemon = self.read.access.daemon(self.engine, &self.stop).context(self.engine.as_str())?;
        let hears = listen(self.read.access.daemon(self.engine, &self.stop).context(self.engine.as_str())?);
        let (mut seen, mut failed) = (HashSet::new(), HashMap::<String, u32>::new());
        let (mut away, mut worst, mut answered) = (None, 0, false);
        if self.new_only {
            seen.extend(daemon.images().context(self.engine.as_str())?.into_iter().map(|image| image.id));
        }
        while !self.is_stopped() {
            match daemon.images() {
                Ok(images) => {
                    answered = true;
                    if away.take().is_some() {
                        self.say("the engine is there again");
                    }
                    // What was removed and comes back appears again.
                    let ids: HashSet<&str> = images.iter().map(|image| image.id.as_str()).collect();
                    seen.retain(|id: &String| ids.contains(id.as_str()));
                    failed.retain(|id, _| ids.contains(id.as_str()));
                    for image in images {
                        if self.is_stopped() || !seen.insert(image.id.clone()) {
                            continue;
                        }
                        let (code, again) = self.image(&image)?;
                        worst = [worst, code].into_iter().max_by_key(|code| Watch::rank(*code)).unwrap_or(code);
                        // An engine that was about to end has not shown all of it.
                        let tries = failed.entry(image.id.clone()).or_default();
                        *tries += 1;
                        if again && *tries < MOST_TRIES {
                            seen.remove(&image.id);
                        }
                    }
                    self.wait(&hears, PATIENCE);
                }
                Err(e) => {
                    if away.is_none() {
                        self.say(&format!("the engine does not answer, and is waited for: {e}"));
                    }
                    let time = away.map_or(Duration::from_millis(250), |time: Duration| (time * 2).min(LONGEST));
                    away = Some(time);
                    self.wait(&hears, time);
                }
            }
        }
        // Of an engine that never answered nothing is known.
        Ok(if answered { worst } else { 2 })
    }

    /// What was found wins over what could not be read, and that over what could not be opened.
    fn rank(code: u8) -> u8 {
        match code {
            0 => 0,
            2 => 1,
            3 => 2,
            _ => 3,
        }
    }

    /// Scans one image and prints its report as a line. Returns its exit code, and whether another try may show more. A name may have come to mean another image since: then the
    /// image is scanned by its id.
    fn image(&self, image: &Listed) -> Result<(u8, bool)> {
        let prefix = format!("{}://", self.engine.as_str());
        let by_id = format!("{prefix}{}", image.id);
        let by_name = image.names.first().map(|name| format!("{prefix}{name}"));
        let is_it = |scanned: &Scanned| scanned.archive.blobs.iter().any(|blob| image.id.ends_with(&blob.stored.encoded()));
        let scan = |target: &str| self.read.scan(self.detector, target, &self.stop, true);
        let scanned = by_name.and_then(|target| scan(&target).ok()).filter(is_it);
        let (scanned, failed) = match scanned.map_or_else(|| scan(&by_id), Ok) {
            Ok(scanned) => (vec![scanned], Vec::new()),
            // It was there a moment ago: what was removed since is no longer to be watched, but it was not searched either.
            Err(e) => (Vec::new(), vec![(by_id, format!("{e:#}"))]),
        };
        let (report, verdict) = report::build(&scanned, &failed, self.detector.rules(), self.view)?;
        written(format!("{}\n", serde_json::to_string(&report)?).as_bytes()).context("the report cannot be printed")?;
        let broke_off = |code: &str| [Code::ReadFailed, Code::Truncated].iter().any(|known| known.as_str() == code);
        let again = scanned.is_empty() || report.problems.iter().any(|problem| broke_off(&problem.code));
        Ok((verdict.exit_code(self.found), again))
    }

    /// Waits until something is heard, for `time` at most.
    fn wait(&self, hears: &Receiver<()>, time: Duration) {
        let mut left = time;
        while !left.is_zero() && !self.is_stopped() {
            let step = left.min(TICK);
            match hears.recv_timeout(step) {
                // What is said in one breath is heard as one thing.
                Ok(()) => return hears.try_iter().for_each(drop),
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(step),
                Err(RecvTimeoutError::Timeout) => {}
            }
            left -= step;
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) != 0
    }

    fn say(&self, text: &str) {
        if !self.read.quiet {
            eprintln!("pentimento: {}: {}", self.engine.as_str(), sanitise(text));
        }
    }
}

/// Tells of what happens to images, and of each time that the engine is there (again).
fn listen(daemon: Daemon) -> Receiver<()> {
    let (heard, hears) = mpsc::channel();
    // It waits for the engine, so it ends with the program.
    std::thread::spawn(move || {
        let mut wait = Duration::from_millis(250);
        loop {
            if let Ok(mut events) = daemon.events() {
                wait = Duration::from_millis(250);
                // What is removed is of interest, too: it may come back.
                if heard.send(()).is_err() || events.any(|()| heard.send(()).is_err()) {
                    return;
                }
            }
            std::thread::sleep(wait);
            wait = (wait * 2).min(LONGEST);
        }
    });
    hears
}
