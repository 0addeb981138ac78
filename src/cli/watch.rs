//! `pentimento scan --watch docker://`: stays beside an engine, and scans each image that appears in it.

use super::read::ReadArgs;
use super::written;
use anyhow::{Context, Result};
use pentimento::detect::Detector;
use pentimento::report::{self, View};
use pentimento::source::daemon::{Daemon, Listed};
use pentimento::source::target::Engine;
use pentimento::text::sanitise;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

/// How long nothing may be heard before the engine is asked what it has all the same: an image without a name is built in silence.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether all is to end.
const TICK: Duration = Duration::from_millis(200);
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
        let (mut seen, mut away, mut worst) = (HashSet::new(), None, 0);
        if self.new_only {
            seen.extend(daemon.images().context(self.engine.as_str())?.into_iter().map(|image| image.id));
        }
        while !self.is_stopped() {
            match daemon.images() {
                Ok(images) => {
                    if away.take().is_some() {
                        self.say("the engine is there again");
                    }
                    // What was removed and comes back appears again.
                    let ids: HashSet<&str> = images.iter().map(|image| image.id.as_str()).collect();
                    seen.retain(|id: &String| ids.contains(id.as_str()));
                    for image in images {
                        if !self.is_stopped() && seen.insert(image.id.clone()) {
                            worst = self.image(&image)?.max(worst);
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
        Ok(worst)
    }

    /// Scans one image and prints its report as a line. Returns its exit code.
    fn image(&self, image: &Listed) -> Result<u8> {
        let prefix = format!("{}://", self.engine.as_str());
        let target = format!("{prefix}{}", image.names.first().unwrap_or(&image.id));
        let (scanned, failed) = match self.read.scan(self.detector, &target, &self.stop, true) {
            Ok(scanned) => (vec![scanned], Vec::new()),
            // It was there a moment ago: what was removed since is no longer to be watched, but it was not searched either.
            Err(e) => (Vec::new(), vec![(target, format!("{e:#}"))]),
        };
        let (report, verdict) = report::build(&scanned, &failed, self.detector.rules(), self.view)?;
        written(format!("{}\n", serde_json::to_string(&report)?).as_bytes()).context("the report cannot be printed")?;
        Ok(verdict.exit_code(self.found))
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
