//! The posture of an image: what the same data tells of its hygiene, beside its secrets. Each remark is a note: it is exact, names what it
//! is about, and says what to do.

mod arguments;
mod base;
pub(crate) mod date;
mod files;
mod leftover;
mod setuid;
mod stages;

use crate::archive::Archive;
use crate::compose::is_socket;
use crate::error::{Code, Problem};
use crate::image::about::About;
use crate::image::{Image, Kind};
use crate::limits::{Effort, Exhausted};
use crate::text::{cut, sanitise};
use files::Files;
use stages::Stages;

/// Notes of an image, each with the layer that it is about.
pub type Notes = Vec<(Option<usize>, Problem)>;

/// Names in messages are cut, in bytes.
const LONGEST: usize = 256;

/// What is to be said of each of the `images` of `archive`, which must be all of them: some are told by what the others are. `now` is in
/// seconds since 1970; without it, ages are not told. Beside images that something names, nothing is said of orphans. Where `effort` runs
/// out, what was not looked at is not told.
pub fn notes(archive: &Archive, images: &[Image], now: Option<u64>, effort: &mut Effort) -> Vec<Notes> {
    let named = images.iter().any(|image| !image.orphan);
    let mut survey = Survey { archive, images, now, stages: Stages::of(images, effort), files: Files::new(archive) };
    let one = |index: usize| {
        let mut notes = Notes::new();
        if !(named && images[index].orphan) {
            // What was found up to there stays.
            let _ = survey.image(index, effort, &mut notes);
        }
        notes
    };
    (0..images.len()).map(one).collect()
}

/// All that the notes of an image are drawn from.
struct Survey<'a> {
    archive: &'a Archive,
    images: &'a [Image],
    now: Option<u64>,
    stages: Stages,
    files: Files<'a>,
}

impl Survey<'_> {
    fn image(&mut self, index: usize, effort: &mut Effort, notes: &mut Notes) -> Result<(), Exhausted> {
        let image = &self.images[index];
        if matches!(image.kind, Kind::Artifact(_)) || image.layers.is_empty() {
            return Ok(());
        }
        let layers = self.files.of(image, effort)?;
        if image.kind == Kind::Image {
            let about = About::of(self.archive, image, effort)?;
            let below = self.stages.base(index);
            notes.extend(root(image, &about));
            notes.extend(base::notes(image, &about, below.is_some(), files::has_system(&layers), self.now));
            notes.extend(volumes(&about));
            notes.extend(arguments::notes(image, &about));
            notes.extend(self.stages.notes(self.images, index, effort)?);
            let own = below.map_or(1, |base| self.images[base].layers.len());
            notes.extend(setuid::notes(image, &layers, own, effort)?);
        }
        files::notes(image, &layers, effort, notes)
    }
}

/// Whoever it is that runs the image's processes.
fn root(image: &Image, about: &About) -> Option<(Option<usize>, Problem)> {
    let windows = image.platform.as_ref().and_then(|platform| platform.os.as_ref()).is_some_and(|os| os.eq_ignore_ascii_case("windows"));
    let user = about.user.split(':').next().unwrap_or_default().trim();
    // Engines read a number as Go does: `00` is root too.
    let root = user.is_empty() || user == "root" || user.parse::<i64>() == Ok(0);
    let how = match about.user {
        "" => "the config names no user".to_owned(),
        user => format!("the config says `USER {}`", named(user.as_bytes())),
    };
    let message = format!("{how}, so the image's processes run as root: make a user in the build and name it with USER");
    (about.configured && root && !windows).then(|| (None, Problem::new(Code::RunsAsRoot, message)))
}

/// Volumes that are an engine's socket.
fn volumes<'a>(about: &'a About) -> impl Iterator<Item = (Option<usize>, Problem)> + 'a {
    let sockets = about.volumes.iter().filter(|path| is_socket(path.as_bytes())).take(1);
    sockets.map(|path| {
        let message = format!(
            "the config declares the volume {}, an engine's socket: whoever controls the container controls the engine; give it an API of its own instead",
            named(path.as_bytes())
        );
        (None, Problem::new(Code::DockerSocket, message))
    })
}

/// A name from the image, for a message.
fn named(name: &[u8]) -> String {
    sanitise(&cut(&crate::text::exact(&name[..name.len().min(4 * LONGEST)]), LONGEST))
}
