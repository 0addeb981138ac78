//! `pentimento recover`: the exact bytes of any version of any file, to standard output or into a directory.

use super::items::{Item, Recovered, items};
use super::print;
use super::read::{ReadArgs, Reading};
use super::vault::Vault;
use anyhow::{Result, bail};
use pentimento::archive::Archive;
use pentimento::digest::{ContentHash, ContentHasher, Digest};
use pentimento::layer_scan::{Entry, Place};
use pentimento::report::human::{bytes, fate_told, plural};
use pentimento::scan::{Part, Wanted, take};
use pentimento::text::{exact, sanitise};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Options of `recover`.
#[derive(clap::Args)]
pub struct Args {
    /// The saved image: a file or a directory. A pipe cannot be read twice: save it first
    pub target: String,
    /// The id of a finding, or the beginning of one; or the path of a file
    #[arg(value_name = "FINDING-ID|PATH", required_unless_present_any = ["all", "hidden"], conflicts_with_all = ["all", "hidden"])]
    pub what: Option<String>,
    /// With a path: the layer whose version of the file it is (from 0; `pentimento history` lists them)
    #[arg(long, value_name = "N")]
    pub layer: Option<usize>,
    /// With a path that the layer holds more than once: which of them, from 1 (default: the last)
    #[arg(long, value_name = "K", requires = "layer")]
    pub nth: Option<usize>,
    /// Everything that findings stand in
    #[arg(long, requires = "output")]
    pub all: bool,
    /// Every file that no longer shows in the final image, whether or not something was found in it
    #[arg(long, requires = "output")]
    pub hidden: bool,
    /// Write into this directory, which is made or must be empty, with a manifest (`recovered.json`)
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Which image of the archive: a number from 0, a name, or the digest of its config
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// Do not redact what is said of the files; their contents are never redacted
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    read: ReadArgs,
}

/// `recovered.json`.
#[derive(Serialize)]
struct Manifest<'a> {
    warning: &'static str,
    target: &'a str,
    files: Vec<Recovered>,
    /// What could not be taken out.
    missing: Vec<String>,
}

const WARNING: &str = "these files hold secrets in the clear: keep them from others, and delete them when you are done";

/// Takes out what is asked for, and returns the exit code.
pub fn run(args: &Args) -> Result<u8> {
    let reading = Reading::of(&args.read, &args.target, args.show_secrets)?;
    let items = items(args, &reading)?;
    match &args.output {
        Some(dir) => into_directory(args, &reading, items, Vault::open(dir)?),
        None => to_stdout(&reading, items),
    }
}

/// Copies a part, and notes what it was.
fn copy(part: Part, about: &mut Recovered, expected: Option<ContentHash>, out: &mut dyn Write) -> io::Result<()> {
    if let Some(header) = part.header {
        (about.uid, about.gid) = (header.owner.map(|owner| owner.0), header.owner.map(|owner| owner.1));
        (about.mtime, about.mode) = (header.mtime, Some(format!("{:04o}", header.mode)));
    }
    about.size = 0;
    let (mut sha256, mut same, mut buffer) = (Sha256::new(), ContentHasher::content_only(), vec![0; 64 << 10]);
    loop {
        let n = match part.content.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        sha256.update(&buffer[..n]);
        same.update(&buffer[..n]);
        about.size += n as u64;
        out.write_all(&buffer[..n])?;
    }
    out.flush()?;
    about.sha256 = Digest::of(sha256).encoded();
    about.verified = expected.map(|expected| expected == same.finish());
    Ok(())
}

/// The entry of what is wanted.
fn entry<'a>(archive: &'a Archive, wanted: &Wanted) -> &'a Entry {
    wanted.blob.and_then(|blob| archive.layer(blob)).unwrap_or(&archive.members).entry(wanted.entry)
}

/// The hash that the scan has of what is wanted.
fn expected(archive: &Archive, wanted: &Wanted) -> Option<ContentHash> {
    entry(archive, wanted).content.filter(|_| wanted.place == Place::Content)
}

/// What is wrong with what was taken out.
fn flaw(archive: &Archive, wanted: &Wanted, about: &Recovered) -> Option<String> {
    let size = entry(archive, wanted).size;
    match about.verified {
        Some(false) => Some("is not what the scan saw: the target has changed, or its layer is damaged there".to_owned()),
        Some(true) if about.size < size => Some(format!("is cut: {} of {size} bytes are there", about.size)),
        _ => None,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn to_stdout(reading: &Reading, items: Vec<Item>) -> Result<u8> {
    let [item] = &items[..] else {
        let list: Vec<String> = items.iter().take(20).map(|item| format!("  {}", sanitise(&told(&item.about)))).collect();
        bail!(
            "that is {} files: write them into a directory with -o, or choose one by its id\n{}",
            items.len(),
            reading.clean(list)?.join("\n")
        );
    };
    let about = Arc::new(Mutex::new(item.about.clone()));
    let (shared, expected) = (about.clone(), expected(&reading.scanned.archive, &item.wanted));
    let to = Box::new(move |part: Part| {
        let mut about = locked(&shared);
        let stdout = io::stdout();
        match stdout.is_terminal() {
            true => copy(part, &mut about, expected, &mut Sanitised(stdout.lock())),
            false => copy(part, &mut about, expected, &mut stdout.lock()),
        }
    });
    let missing = take(
        &reading.again("recover")?,
        &reading.scanned.archive,
        std::slice::from_ref(&item.wanted),
        reading.limits(),
        reading.stop(),
        to,
    )?;
    let about = reading.clean(locked(&about).clone())?;
    if !missing.is_empty() {
        bail!("{} could not be read again: has the target changed?", sanitise(&told(&about)));
    }
    if let Some(flaw) = flaw(&reading.scanned.archive, &item.wanted, &about) {
        eprintln!("pentimento: {} {flaw}", sanitise(&told(&about)));
        return Ok(3);
    }
    eprintln!("pentimento: {} (sha256 {})", sanitise(&told(&about)), about.sha256);
    Ok(0)
}

/// What a file is, in a line.
fn told(about: &Recovered) -> String {
    let inner: String = about.inner.iter().map(|step| format!("!{step}")).collect();
    let layer = about.layer.map(|layer| format!(" of layer {layer}")).unwrap_or_default();
    let by = about.instruction.as_ref().map(|text| format!(" ({})", pentimento::text::shorten(text, 80))).unwrap_or_default();
    let fate = about.fate.as_ref().map(|fate| format!(", {}", fate_told(fate)));
    format!("{}{inner}{layer}{by}, {}{}", about.path, bytes(about.size), fate.unwrap_or_default())
}

/// For a terminal: what could move its cursor is written out.
struct Sanitised<W>(W);

impl<W: Write> Write for Sanitised<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text: Vec<String> = exact(bytes).split('\n').map(sanitise).collect();
        self.0.write_all(text.join("\n").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What is written so far.
struct Written {
    vault: Vault,
    items: Vec<Item>,
    failed: HashMap<usize, String>,
}

fn into_directory(args: &Args, reading: &Reading, items: Vec<Item>, vault: Vault) -> Result<u8> {
    let wanted: Vec<Wanted> = items.iter().map(|item| item.wanted.clone()).collect();
    let hashes: Vec<_> = wanted.iter().map(|wanted| expected(&reading.scanned.archive, wanted)).collect();
    let written = Arc::new(Mutex::new(Written { vault, items, failed: HashMap::new() }));
    let shared = written.clone();
    let to = Box::new(move |part: Part| {
        let Written { vault, items, failed } = &mut *locked(&shared);
        let (index, item) = (part.index, &mut items[part.index]);
        let (file, name): (File, String) = match vault.create(&item.parts) {
            Ok(made) => made,
            Err(e) => {
                failed.insert(index, format!("could not be written: {e}"));
                return Ok(());
            }
        };
        item.about.file = name;
        let mut damaged = None;
        let mut content = Noting { inner: part.content, failed: &mut damaged };
        let part = Part { content: &mut content, ..part };
        match (copy(part, &mut item.about, hashes[index], &mut BufWriter::new(file)), damaged) {
            // What can be read of a damaged file is kept.
            (Err(_), Some(why)) => drop(failed.insert(index, format!("could be read in part only: {why}"))),
            (result, _) => result?,
        }
        Ok(())
    });
    let missing = take(&reading.again("recover")?, &reading.scanned.archive, &wanted, reading.limits(), reading.stop(), to)?;
    let Written { vault, items, failed } = &mut *locked(&written);
    for index in missing {
        failed.insert(index, "could not be read again".to_owned());
    }
    for (index, item) in items.iter().enumerate() {
        if let Some(flaw) = flaw(&reading.scanned.archive, &item.wanted, &item.about) {
            failed.entry(index).or_insert(flaw);
        }
    }
    let mut missing: Vec<(usize, String)> =
        failed.iter().map(|(index, why)| (*index, format!("{} {why}", told(&items[*index].about)))).collect();
    missing.sort();
    let missing: Vec<String> = reading.clean(missing.into_iter().map(|(_, why)| why).collect())?;
    let mut files = Vec::new();
    for about in items.iter().map(|item| &item.about).filter(|about| !about.file.is_empty()) {
        // The name is as it is on the disk.
        files.push(Recovered { file: about.file.clone(), ..reading.clean(about.clone())? });
    }
    let size: u64 = files.iter().map(|file| file.size).sum();
    let count = files.len();
    let manifest = Manifest { warning: WARNING, target: &args.target, files, missing };
    let mut out = BufWriter::new(super::vault::new_file(&vault.root().join("recovered.json"))?);
    serde_json::to_writer_pretty(&mut out, &manifest)?;
    out.write_all(b"\n")?;
    out.flush()?;
    for why in &manifest.missing {
        eprintln!("pentimento: {}", sanitise(why));
    }
    let place = vault.root().display().to_string();
    let said = format!(
        "{}, {}, in {}: recovered.json says what they are\nSECRET: {WARNING}\n",
        plural(count, "file"),
        bytes(size),
        sanitise(&place)
    );
    print(said.as_bytes())?;
    let all = args.all || args.hidden;
    Ok(if manifest.missing.is_empty() && (!all || reading.exit_code() == 0) { 0 } else { 3 })
}

/// Tells an error of what is read from one of where it is written.
struct Noting<'a> {
    inner: &'a mut dyn Read,
    failed: &'a mut Option<String>,
}

impl Read for Noting<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf);
        if let Err(e) = &read
            && e.kind() != io::ErrorKind::Interrupted
        {
            *self.failed = Some(e.to_string());
        }
        read
    }
}
