//! `pentimento rewind`: the image as it was after one of its layers, for a real engine to run.

use super::read::{ReadArgs, Reading, name_of};
use super::vault::new_file;
use anyhow::{Context, Result, bail};
use pentimento::finding::{Finding, Location, State};
use pentimento::image::{Image, Kind};
use pentimento::report::fate::instruction;
use pentimento::report::human::{bytes, plural};
use pentimento::report::{shell_bytes, shell_file, shell_word};
use pentimento::rewind::{full_name, plan, write};
use pentimento::text::sanitise;
use pentimento::timeline::Fate;
use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// How many files the last lines show how to print.
const MOST_SHOWN: usize = 3;

/// Options of `rewind`.
#[derive(clap::Args)]
pub struct Args {
    /// The saved image: a file or a directory. A pipe cannot be read twice: save it first
    target: String,
    /// The last layer that is kept, from 0
    #[arg(long, value_name = "N", required_unless_present = "finding", conflicts_with = "finding")]
    layer: Option<usize>,
    /// Choose the layer in which this finding (its id, or the beginning of one) was last visible
    #[arg(long, value_name = "ID")]
    finding: Option<String>,
    /// Write the image to FILE, which must not exist: a docker-archive, for `docker load`, `podman load` and `ctr image import`
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// What it is called; never as the original is [default: localhost/pentimento-rewind:layer-N-CONFIG]
    #[arg(long, value_name = "NAME")]
    tag: Option<String>,
    /// Which image of the archive: a number from 0, a name, or the digest of its config
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    #[command(flatten)]
    read: ReadArgs,
}

/// Writes the image, and returns the exit code.
pub fn run(args: &Args) -> Result<u8> {
    if args.output.symlink_metadata().is_ok() {
        bail!("{} exists: it is not overwritten", args.output.display());
    }
    let reading = Reading::of(&args.read, &args.target, false)?;
    let (index, layer, shown) = chosen(args, &reading)?;
    let image = reading.entry(index);
    if image.kind != Kind::Image {
        bail!("{} is no image with layers that lie over each other: there is nothing to rewind", sanitise(&args.target));
    }
    if layer >= image.layers.len() {
        bail!("the image has {}, counted from 0", plural(image.layers.len(), "layer"));
    }
    let tag = tag(args, &reading, image, layer)?;
    let plan = plan(&reading.scanned.archive, image, layer, &tag).map_err(anyhow::Error::msg)?;
    let open = reading.again("rewind")?;
    let size = to_new_file(&args.output, |out| {
        write(&plan, &open, &reading.scanned.archive, reading.limits(), reading.stop(), out).map_err(anyhow::Error::from)
    })?;
    let brought = match instruction(image, layer, 4096) {
        (Some(certain), ..) => certain,
        (None, _, candidates) => {
            candidates.last().map(|last| format!("probably {last}")).unwrap_or_else(|| "unknown instruction".to_owned())
        }
    };
    let name = args.output.display();
    let line = format!("{}: {} after layer {layer} ({brought}), {}", name, name_of(&image.names), bytes(size));
    let mut said = format!("{}\n", sanitise(&reading.clean(line)?));
    for remark in &plan.remarks {
        said.push_str(&format!("note: {}\n", sanitise(remark)));
    }
    said.push_str("note: environment, command and user are those of the final image: the archive has only its config\n");
    said.push_str("SECRET: this image shows what a later layer hid; delete it, here and in the engine, when you are done\n");
    said.push_str(&lines_to_type(args, &tag, &shown, &reading, index, layer)?);
    super::print(said.as_bytes())?;
    Ok(0)
}

/// A file that appears whole or not at all, and never in the place of another.
fn to_new_file(path: &Path, write: impl FnOnce(Box<dyn Write + Send>) -> Result<()>) -> Result<u64> {
    let context = || format!("cannot write {}", path.display());
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Its own directory keeps what is not finished out of sight.
    let unfinished = tempfile::Builder::new().prefix(".pentimento-rewind-").tempdir_in(dir).with_context(context)?;
    let part = unfinished.path().join("part");
    write(Box::new(BufWriter::with_capacity(1 << 20, new_file(&part).with_context(context)?)))?;
    // A link fails where there is something already; renaming would overwrite it.
    if std::fs::hard_link(&part, path).is_err() {
        if path.symlink_metadata().is_ok() {
            bail!("{} exists: it is not overwritten", path.display());
        }
        std::fs::rename(&part, path).with_context(context)?;
    }
    Ok(path.metadata().with_context(context)?.len())
}

/// The image, the layer, and the files that are to be shown.
fn chosen(args: &Args, reading: &Reading) -> Result<(usize, usize, Vec<Vec<u8>>)> {
    let Some(id) = &args.finding else {
        let image = reading.image(args.image.as_deref())?;
        let layer = args.layer.context("which layer?")?;
        return Ok((image, layer, hidden_later(reading, image, layer)));
    };
    let images = reading.images(args.image.as_deref())?;
    let exact = reading.scanned.findings.iter().any(|finding| finding.id == *id);
    let is_meant = |finding: &Finding| finding.id == *id || !exact && finding.id.starts_with(id.as_str());
    let findings = reading.scanned.findings.iter();
    let found: Vec<&Finding> = findings.filter(|f| is_meant(f) && f.image.is_some_and(|image| images.contains(&image))).collect();
    let Some(finding) = found.first() else {
        bail!("there is no finding {}: `pentimento scan --format json` lists them", sanitise(id));
    };
    if found.iter().any(|other| other.id != finding.id) {
        let ids: BTreeSet<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
        bail!("that is the beginning of several ids: {}", ids.into_iter().collect::<Vec<_>>().join(", "));
    }
    let image = finding.image.context("no image")?;
    let target = shell_word(&args.target).unwrap_or_else(|| "TARGET".to_owned());
    let recover = format!("`pentimento recover {target} {}` gets it back", finding.id);
    let (Location::File { layer: Some(born), path, .. }, State::File(fate)) = (&finding.location, finding.state) else {
        bail!("it is not in a file of a layer: every image made from this one shows it; {}", sanitise(&recover));
    };
    let layer = match fate {
        Fate::Present => reading.entry(image).layers.len().saturating_sub(1),
        Fate::Deleted { by, .. } | Fate::Overwritten { by } | Fate::Replaced { by } => by.saturating_sub(1).max(*born),
        Fate::Superseded | Fate::Hidden => bail!("it was never visible in any layer, so no engine would show it; {}", sanitise(&recover)),
    };
    Ok((image, layer, vec![path.to_vec()]))
}

/// Files with findings that show after `layer` and do not at the end.
fn hidden_later(reading: &Reading, image: usize, layer: usize) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    for finding in reading.scanned.findings.iter().filter(|finding| finding.image == Some(image)) {
        if let (Location::File { layer: Some(born), path, .. }, Some(by)) = (&finding.location, finding.hidden_by())
            && *born <= layer
            && by > layer
            && !paths.iter().any(|known: &Vec<u8>| **known == **path)
        {
            paths.push(path.to_vec());
        }
    }
    paths.truncate(MOST_SHOWN);
    paths
}

/// A name that is not one of the original's.
fn tag(args: &Args, reading: &Reading, image: &Image, layer: usize) -> Result<String> {
    let config = image.config_digest.as_ref().map(|digest| digest.encoded()).unwrap_or_default();
    let own = format!("localhost/pentimento-rewind:layer-{layer}-{}", config.get(..12).unwrap_or("unknown"));
    let tag = args.tag.clone().unwrap_or(own);
    let Some(full) = full_name(&tag) else { bail!("--tag: {} is no name that engines take", sanitise(&tag)) };
    let originals = reading.scanned.images.images.iter().flat_map(|image| &image.names);
    // A name without a host is completed by the engine.
    if originals.into_iter().any(|name| full_name(name).is_some_and(|name| name == full) || *name == tag) {
        bail!("--tag: {} is what the original is called: loading it would take the name away from that", sanitise(&tag));
    }
    // Engines show it with its tag.
    Ok(if full.rsplit_once(':').is_some_and(|(_, tag_of)| tag.ends_with(&format!(":{tag_of}"))) { tag } else { format!("{tag}:latest") })
}

/// What to type to see it.
fn lines_to_type(args: &Args, tag: &str, shown: &[Vec<u8>], reading: &Reading, index: usize, layer: usize) -> Result<String> {
    let file = shell_file(&args.output.display().to_string()).unwrap_or_else(|| "FILE".to_owned());
    let mut lines = format!("\nto see it (podman takes the same lines):\n  docker load -i {file}\n");
    let line = |path: &str| format!("  id=$(docker create {tag} x) && docker cp \"$id\":{path} - | tar -xO; docker rm \"$id\"");
    let typed: Vec<String> = shown.iter().filter_map(|path| shell_bytes(&[b"/", &path[..]].concat())).collect();
    for path in &typed {
        lines.push_str(&format!("{}\n", reading.clean(line(path))?));
    }
    if typed.is_empty() {
        let last = reading.entry(index).layers.len().saturating_sub(1);
        let target = shell_word(&args.target).unwrap_or_else(|| "TARGET".to_owned());
        let why = if layer == last { "this is the final image".to_owned() } else { format!("pentimento layers {target} --files {layer}") };
        lines.push_str(&format!("{}      # {}\n", line("/PATH"), sanitise(&why)));
    }
    Ok(lines)
}
