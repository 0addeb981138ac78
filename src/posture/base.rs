//! What an image was built from: whether that is known, whose it is, and how old.

use super::date::{DAY, seconds};
use super::{Notes, named};
use crate::error::{Code, Problem};
use crate::image::Image;
use crate::image::about::About;

/// Where official images are, and those of vendors that everybody knows: a registry, with the beginning of the repository where others
/// share it. What Docker's library has is known by having no registry.
const OFFICIAL: &[&str] = &[
    "cgr.dev/",
    "container-registry.oracle.com/",
    "dhi.io/",
    "docker.io/library/",
    "gcr.io/distroless/",
    "gcr.io/google.com/cloudsdktool/",
    "index.docker.io/library/",
    "mcr.microsoft.com/",
    "mirror.gcr.io/library/",
    "nvcr.io/nvidia/",
    "public.ecr.aws/amazonlinux/",
    "public.ecr.aws/docker/library/",
    "public.ecr.aws/lambda/",
    "public.ecr.aws/ubuntu/",
    "quay.io/centos/",
    "quay.io/fedora/",
    "registry-1.docker.io/library/",
    "registry.access.redhat.com/",
    "registry.fedoraproject.org/",
    "registry.k8s.io/",
    "registry.opensuse.org/",
    "registry.redhat.io/",
    "registry.suse.com/",
];

/// No container image is older than Docker: 2013-01-01. What says so was given a date for the sake of builds that can be repeated.
const EARLIEST: i64 = 1_356_998_400;
/// A base may be so old, in days.
const MOST_DAYS: i64 = 365;

/// What is to be said of the base. `below`: another image of the archive has the lowest of these layers. `system`: the lowest layer holds
/// an operating system.
pub fn notes(image: &Image, about: &About, below: bool, system: bool, now: Option<u64>) -> Notes {
    let mut notes = Notes::new();
    if !about.configured {
        return notes;
    }
    let base = &about.base;
    let mut say = |layer, code, message: String| notes.push((layer, Problem::new(code, message)));
    let known = base.name.is_some() || base.digest.is_some() || base.in_provenance || below;
    if !known && image.layers.len() > 1 && (system || has_two_starts(image)) {
        let message = "nothing says what the image was built from: have the build write the annotations org.opencontainers.image.base.name and base.digest, or keep its provenance";
        say(None, Code::BaseUnknown, message.to_owned());
    }
    if let Some(name) = base.name.filter(|name| !name.eq_ignore_ascii_case("scratch")) {
        let reference = Reference::of(name);
        let shown = named(name.as_bytes());
        if !reference.is_official() {
            let message = format!(
                "the image was built from {shown}, neither an official image nor one of a well-known vendor: know who publishes it, and name it by its digest"
            );
            say(None, Code::BaseUnofficial, message);
        }
        if matches!(reference.tag, None | Some("latest")) && !reference.digest && base.digest.is_none() {
            let message = format!(
                "the image was built from {shown}, which is another image every few weeks, and nothing says which it was: name a version and its digest in FROM"
            );
            say(None, Code::BaseFloating, message);
        }
    }
    if let Some((step, date, days)) = now.and_then(|now| age(image, about, now)).filter(|(.., days)| *days > MOST_DAYS) {
        let layer = step.and_then(|step| super::arguments::layer_of(image, step));
        let message =
            format!("the lowest layers are from {date}, {days} days ago: build again on a current base (docker build --pull --no-cache)");
        say(layer, Code::BaseOld, message);
    }
    notes
}

/// Whether the history starts a process, goes on to make a layer, and starts it again: an image on an image.
fn has_two_starts(image: &Image) -> bool {
    ["CMD ", "ENTRYPOINT "].iter().any(|word| {
        let starts = |step: &crate::image::history::Step| step.empty && step.instruction.starts_with(word);
        let Some(first) = image.steps.iter().position(starts) else { return false };
        let Some(layer) = image.steps[first..].iter().position(|step| !step.empty) else { return false };
        image.steps[..first].iter().any(|step| !step.empty) && image.steps[first + layer..].iter().any(starts)
    })
}

/// The step that made the lowest layer of a sane date, the day, and how many days ago that was. Where no step has one, what the config
/// says of the image as a whole: a base is no younger.
fn age<'a>(image: &Image, about: &About<'a>, now: u64) -> Option<(Option<usize>, &'a str, i64)> {
    let now = i64::try_from(now).ok()?;
    let steps = || about.steps.iter().enumerate().filter(|(index, _)| image.steps.get(*index).is_some_and(|step| !step.empty));
    let mut dates = steps().filter_map(|(_, (created, _))| *created);
    // One date for all that was done: it was given.
    let first = dates.next();
    if dates.next().is_some_and(|second| first == Some(second)) && dates.all(|date| first == Some(date)) {
        return None;
    }
    let sane = |created: &'a str| {
        let at = seconds(created).filter(|at| (EARLIEST..=now).contains(at))?;
        Some((created.get(..10)?, (now - at) / DAY))
    };
    let of_step = steps().find_map(|(index, (created, _))| Some((Some(index), sane((*created)?)?)));
    let (step, (date, days)) = of_step.or_else(|| Some((None, sane(about.created?)?)))?;
    Some((step, date, days))
}

/// A reference to an image: `registry/repository:tag@digest`.
struct Reference<'a> {
    repository: &'a str,
    tag: Option<&'a str>,
    digest: bool,
}

impl Reference<'_> {
    fn of(name: &str) -> Reference<'_> {
        let name = name.strip_prefix("docker://").unwrap_or(name);
        let (name, digest) = name.split_once('@').map_or((name, false), |(name, _)| (name, true));
        let last = name.rfind('/').map_or(0, |at| at + 1);
        match name[last..].find(':') {
            Some(at) => Reference { repository: &name[..last + at], tag: Some(&name[last + at + 1..]), digest },
            None => Reference { repository: name, tag: None, digest },
        }
    }

    fn is_official(&self) -> bool {
        let name = self.repository.to_ascii_lowercase();
        !name.contains('/')
            || name.starts_with("library/")
            || OFFICIAL.iter().any(|known| name.starts_with(known) || format!("{name}/") == *known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_whose_they_are() {
        for (name, tag, digest, official) in [
            ("debian", None, false, true),
            ("debian:12", Some("12"), false, true),
            ("library/debian", None, false, true),
            ("docker.io/library/debian:latest", Some("latest"), false, true),
            ("docker.io/somebody/debian:12", Some("12"), false, false),
            ("somebody/debian", None, false, false),
            ("localhost:5000/debian", None, false, false),
            ("registry.example:5000/a/b:1@sha256:00", Some("1"), true, false),
            ("gcr.io/distroless/static-debian12:nonroot", Some("nonroot"), false, true),
            ("gcr.io/distroless", None, false, true),
            ("gcr.io/distroless-fake/static", None, false, false),
            ("mcr.microsoft.com.example/x", None, false, false),
            ("cgr.dev/chainguard/static", None, false, true),
            ("docker://alpine:3.20", Some("3.20"), false, true),
        ] {
            let reference = Reference::of(name);
            assert_eq!((reference.tag, reference.digest, reference.is_official()), (tag, digest, official), "{name}");
        }
    }
}
